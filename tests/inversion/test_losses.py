"""What each loss looks at."""

import pytest
import torch

from deqir_lite.inversion import (
    chroma_loss,
    color_statistics_loss,
    losses,
    measurement_loss,
    oracle_loss,
    perceptual_loss,
    restorer_loss,
)
from deqir_lite.metrics import LPIPSUnavailable, perceptual
from deqir_lite.operators import Grayscale, make_task


def photos(batch=2, size=8, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.rand(batch, 3, size, size, generator=generator).double() * 2 - 1


@pytest.mark.equation("12")
def test_measurement_loss():
    operator, x = make_task("sr2", (8, 8)), photos()
    loss = measurement_loss(operator, operator.A(photos(seed=1)))
    expected = operator.A(x - photos(seed=1)).square().mean()
    torch.testing.assert_close(loss(x), expected)
    assert loss(photos(seed=1)) <= 1e-20


@pytest.mark.equation("12")
def test_restorer_loss_calls_the_restorer_once_and_without_gradient():
    weight = torch.ones((), dtype=torch.float64, requires_grad=True)
    calls = []

    def restorer(y):
        calls.append(y)
        return weight * photos(seed=2)

    loss = restorer_loss(restorer, torch.zeros(2, 3, 4, 4))
    for seed in (0, 1):
        x = photos(seed=seed).requires_grad_()
        torch.testing.assert_close(loss(x), (x - photos(seed=2)).square().mean())
        loss(x).backward()
    assert len(calls) == 1
    assert weight.grad is None


def test_oracle_loss():
    torch.testing.assert_close(
        oracle_loss(photos(1))(photos(2, seed=1)), (photos(2, seed=1) - photos(1)).square().mean()
    )


def test_color_statistics_do_not_depend_on_places_or_size():
    reference = photos(1)
    loss = color_statistics_loss(reference)
    shuffled = reference.flatten(2)[..., torch.randperm(64)].view_as(reference)
    assert loss(shuffled) <= 1e-20
    assert loss(reference.repeat_interleave(2, 2)) <= 1e-20
    shifted = reference + torch.tensor([0.3, 0, 0])[:, None, None]
    torch.testing.assert_close(loss(shifted), torch.tensor(0.03).double())
    mean = reference.mean((2, 3), keepdim=True)
    torch.testing.assert_close(  # the same mean colour, half the contrast
        loss(mean + (reference - mean) / 2),
        (0.75 * torch.cov(reference[0].flatten(1), correction=0)).square().mean(),
    )


def test_chroma_ignores_grey_and_pools():
    reference = photos(1)
    loss = chroma_loss(reference)
    assert loss(reference + photos(2, seed=3)[:, :1]) <= 1e-20
    red = torch.tensor([0.3, 0, 0]).double()[:, None, None]
    torch.testing.assert_close(loss(reference + red), torch.tensor(0.02).double())
    checker = (torch.arange(8)[:, None] + torch.arange(8)) % 2 * 2.0 - 1
    moved = reference + red * checker
    assert loss(moved) > 0.01
    assert chroma_loss(reference, pool=2)(moved) <= 1e-20


def test_chroma_is_what_grey_leaves_open():
    x = photos()
    null = Grayscale().null_projector(x)
    torch.testing.assert_close(chroma_loss(torch.zeros(1, 3, 8, 8))(x), null.square().mean())


def test_perceptual_loss_without_weights(tmp_path, monkeypatch):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.setattr(torch.hub, "_hub_dir", None)
    perceptual._load.cache_clear()
    with pytest.raises(LPIPSUnavailable, match="LPIPS needs"):
        perceptual_loss(photos(1, 32))
    perceptual._load.cache_clear()


def test_perceptual_loss_sends_gradients_through_the_network(monkeypatch):
    network = torch.nn.Conv2d(3, 1, 3)
    network.requires_grad_(False)

    class Distance(torch.nn.Module):
        def forward(self, a, b):
            return (network(a) - network(b)).square().mean((1, 2, 3), keepdim=True)

    monkeypatch.setattr(losses, "lpips_network", lambda net: Distance())
    loss = perceptual_loss(photos(1, 32))
    x = photos(2, 32, seed=1).requires_grad_()
    value = loss(x)
    value.backward()
    assert value.shape == ()
    assert value.dtype == torch.float64
    assert x.grad.any()
    assert loss(photos(1, 32)) == 0


@pytest.mark.parametrize(
    "make",
    [
        oracle_loss,
        chroma_loss,
        lambda target: restorer_loss(lambda y: target, torch.zeros(1)),
        lambda target: measurement_loss(make_task("inpaint-box", (8, 8)), target),
    ],
)
def test_targets_of_another_size(make):
    with pytest.raises(ValueError, match=r"got shape .*; expected"):
        make(photos(2, 4))(photos())
    with pytest.raises(ValueError, match=r"got shape .*; expected"):
        make(photos(3))(photos())


def test_bad_targets():
    for make in (oracle_loss, chroma_loss, color_statistics_loss, perceptual_loss):
        with pytest.raises(ValueError, match="NaN"):
            make(photos() * float("nan"))
    with pytest.raises(ValueError, match="^pool: got 0"):
        chroma_loss(photos(), pool=0)
    with pytest.raises(ValueError, match="^target: got 8x8"):
        perceptual_loss(photos())
    with pytest.raises(ValueError, match="^net: unknown"):
        perceptual_loss(photos(1, 32), net="resnet")
    with pytest.raises(ValueError, match="^restorer"):
        restorer_loss(lambda y: y, torch.zeros(1, 1, 8, 8))
