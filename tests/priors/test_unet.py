"""The network of the photo prior: where it begins, and what sizes it takes."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from deqir_lite.priors.unet import EMBEDDING, ResidualBlock, ResidualUNet


def randn(*shape, seed=0):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


@given(
    patch=st.integers(1, 3),
    levels=st.integers(1, 3),
    blocks=st.integers(1, 2),
    size=st.tuples(st.integers(1, 3), st.integers(1, 3)),
)
def test_the_output_is_an_image_of_the_same_size_and_zero_at_the_start(patch, levels, blocks, size):
    network = ResidualUNet((4, 6, 5)[:levels], blocks=blocks, patch=patch)
    divisor = patch * 2 ** (levels - 1)
    assert network.size_divisor == divisor
    x, level = randn(2, 3, divisor * size[0], divisor * size[1]), torch.tensor([-4.0, 2.0])
    assert torch.equal(network(x, level), torch.zeros_like(x))
    torch.nn.init.normal_(network.output.weight)
    output = network(x, level)
    assert output.shape == x.shape
    assert output.std() > 0


def test_the_output_depends_on_the_noise_level_and_on_all_of_the_image():
    """Not at the start: the modulation of the blocks begins at zero, too."""
    torch.manual_seed(0)
    network = ResidualUNet((4, 6), blocks=1)
    for name, weight in network.named_parameters():
        if name.startswith("output") or "modulation" in name:
            torch.nn.init.normal_(weight)
    x = randn(1, 3, 16, 16)
    at = [network(x, torch.tensor([level])) for level in (-4.0, -3.9, 2.0)]
    assert not torch.allclose(at[0], at[1], rtol=1e-3)
    assert not torch.allclose(at[0], at[2], rtol=1e-3)
    x.requires_grad_(True)
    (gradient,) = torch.autograd.grad(network(x, torch.zeros(1))[0, 0, 8, 8], x)
    assert (gradient != 0).double().mean() > 0.5


def test_images_of_a_batch_do_not_meet():
    torch.manual_seed(0)
    network = ResidualUNet((4, 6), blocks=1)
    torch.nn.init.normal_(network.output.weight)
    x, level = randn(3, 3, 8, 8), torch.tensor([-4.0, 0.0, 3.0])
    alone = [network(x[k : k + 1], level[k : k + 1]) for k in range(3)]
    torch.testing.assert_close(network(x, level), torch.cat(alone), rtol=1e-4, atol=1e-5)


def test_a_block_begins_near_the_identity_whatever_the_noise():
    torch.manual_seed(0)
    block = ResidualBlock(32)
    x = randn(2, 32, 8, 8)
    first, second = (block(x, randn(2, EMBEDDING, seed=seed)) for seed in (1, 2))
    assert torch.equal(first, second)
    assert 0 < (first - x).norm() < 0.1 * x.norm()


@pytest.mark.parametrize("size", [(8, 10), (6, 8), (7, 7)])
def test_sides_that_cannot_be_halved(size):
    with pytest.raises(RuntimeError):
        ResidualUNet((4, 4), blocks=1)(torch.zeros(1, 3, *size), torch.zeros(1))


@pytest.mark.parametrize(
    ("argument", "message"),
    [
        ({"channels": ()}, "channels: got none; expected one number per level, finest first"),
        ({"channels": (8, 0)}, "channels: got 0; expected an integer >= 1"),
        ({"channels": (8, 2.5)}, "channels: got 2.5"),
        ({"blocks": 0}, "blocks: got 0"),
        ({"blocks": True}, "blocks: got True"),
        ({"patch": 0}, "patch: got 0"),
    ],
)
def test_bad_shapes(argument, message):
    with pytest.raises(ValueError, match=f"^{message}"):
        ResidualUNet(**argument)
