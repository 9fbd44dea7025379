"""Muon: steps whose singular values are all about the same."""

import copy

import pytest
import torch

from deqir_lite.training.muon import Muon, inner_convolutions, orthogonalise

SHAPES = [(24, 24), (16, 144), (144, 16), (7, 5), (64, 65), (1, 9), (9, 1)]


def randn(*shape, seed=0, dtype=torch.float64):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(shape, generator=generator, dtype=torch.float64).to(dtype)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("size", [1e-6, 1.0, 1e6])
def test_singular_values_come_near_one_and_singular_vectors_stay(shape, size):
    matrix = size * randn(*shape)
    u, values, v = torch.linalg.svd(matrix, full_matrices=False)
    got = u.T @ orthogonalise(matrix) @ v.T
    inner = got.diagonal()
    torch.testing.assert_close(got, torch.diag(inner), rtol=0, atol=1e-6)
    # five rounds lift what lies above a hundredth of the norm
    large = values > 0.01 * matrix.norm()
    assert inner[large].min() > 0.6
    assert inner.max() < 1.3
    assert inner.min() > 0


def test_a_tall_matrix_is_treated_as_a_wide_one():
    matrix = randn(12, 40)
    assert torch.equal(orthogonalise(matrix.T), orthogonalise(matrix).T)


def test_zero_stays_zero():
    assert torch.equal(orthogonalise(torch.zeros(3, 4)), torch.zeros(3, 4))


@pytest.mark.parametrize("shape", [(32, 32, 3, 3), (48, 16, 2, 2), (100, 20)])
def test_a_step_has_the_size_of_one_of_adam(shape):
    """An rms of 0.2 per entry, whatever the gradient's size; AdamW's is between 0.2 and 0.4."""
    weight = torch.nn.Parameter(randn(*shape))
    weight.grad = 1e-3 * randn(*shape, seed=1)
    before = weight.detach().clone()
    Muon([weight], lr=0.01).step()
    rms = (weight.detach() - before).square().mean().sqrt().item() / 0.01
    assert 0.15 < rms < 0.25
    assert (before - weight.detach()).flatten() @ weight.grad.flatten() > 0


def test_momentum_averages_the_gradients_and_looks_ahead():
    """average <- 0.95 average + 0.05 g; the direction is that of 0.05 g + 0.95 average."""
    weight = torch.nn.Parameter(torch.zeros(6, 10).double())
    optimizer, average, expected = Muon([weight], lr=0.1), torch.zeros(6, 10), torch.zeros(6, 10)
    for seed in range(4):
        weight.grad = randn(6, 10, seed=seed)
        optimizer.step()
        average = 0.95 * average + 0.05 * weight.grad
        ahead = 0.05 * weight.grad + 0.95 * average
        expected = expected - 0.1 * 0.2 * 10**0.5 * orthogonalise(ahead)
    torch.testing.assert_close(weight.detach(), expected)


@pytest.mark.skipif(not hasattr(torch.optim, "Muon"), reason="this torch has no Muon")
@pytest.mark.parametrize("shape", [(24, 24), (16, 96), (96, 16)])
def test_agrees_with_the_one_of_torch(shape):
    """That one iterates in bfloat16, which keeps eight bits."""
    weights = [torch.nn.Parameter(torch.zeros(shape)) for _ in range(2)]
    theirs = torch.optim.Muon(
        [weights[1]], lr=0.1, weight_decay=0.0, adjust_lr_fn="match_rms_adamw"
    )
    for optimizer, weight in zip((Muon([weights[0]], lr=0.1), theirs), weights, strict=True):
        for seed in range(3):
            weight.grad = randn(*shape, seed=seed, dtype=torch.float32)
            optimizer.step()
    own, other = (weight.detach() for weight in weights)
    assert (own - other).norm() < 0.03 * other.norm()


def test_weights_without_a_gradient_stay_and_the_state_is_restored():
    weights = [torch.nn.Parameter(randn(4, 6, seed=seed)) for seed in range(2)]
    optimizer = Muon(weights, lr=0.1)
    before = weights[1].detach().clone()
    weights[0].grad = randn(4, 6, seed=3)
    optimizer.step()
    assert torch.equal(weights[1], before)
    again = torch.nn.Parameter(weights[0].detach().clone())
    other = Muon([again, weights[1]], lr=0.5)
    other.load_state_dict(copy.deepcopy(optimizer.state_dict()))
    again.grad = weights[0].grad.clone()
    for one in (optimizer, other):
        one.step()
    assert torch.equal(again, weights[0])


def test_muon_has_the_inner_convolutions_and_adam_all_the_rest(recipe):
    network = recipe.build_network()
    inner, other = inner_convolutions(network)
    names = {id(weight): name for name, weight in network.named_parameters()}
    assert sorted(map(id, inner + other)) == sorted(names)
    assert {names[id(weight)] for weight in inner} == {
        *(f"{side}.0.0.{part}.weight" for side in ("down", "up") for part in ("first", "second")),
        *(f"down.1.0.{part}.weight" for part in ("first", "second")),
        *("shrink.0.weight", "grow.0.weight"),
    }
