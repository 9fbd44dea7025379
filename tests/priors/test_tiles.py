"""The network on images of any size: reflection, tiles, and what does not depend on them."""

from itertools import pairwise

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from deqir_lite import load_bundled_photo
from deqir_lite.fixedpoint import FixedPointSystem, make_model
from deqir_lite.priors import GaussianPrior, ModelPrior, power_law_spectrum
from deqir_lite.priors.callables import ForeignPrior
from deqir_lite.priors.load import load_prior
from deqir_lite.priors.network import NetworkPrior
from deqir_lite.priors.tiles import Tiles, blend_weights, on_tiles, with_tiles
from deqir_lite.restoration import restore_parallel, restore_sequential
from deqir_lite.schedule import linear_schedule


def randn(*shape, seed=0):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


sides = st.integers(1, 70)


@given(length=sides, side=sides, overlap=st.integers(0, 69), divisor=st.sampled_from([1, 2, 4, 8]))
@settings(max_examples=300)
def test_tiles_cover_a_side_and_their_weights_sum_to_one(length, side, overlap, divisor):
    tiles = Tiles(side, min(overlap, side - 1))
    starts, tall = tiles.along(length, divisor)
    padded = -(-length // divisor) * divisor
    assert tall % divisor == 0
    assert all(start % divisor == 0 for start in starts)
    assert starts[0] == 0
    assert starts[-1] + tall == padded
    shared = [a + tall - b for a, b in pairwise(starts)]
    wanted = min(-(-tiles.overlap // divisor) * divisor, tall - divisor)
    assert all(0 <= wanted <= n < tall for n in shared)
    weights = blend_weights(starts, tall, length)
    assert weights.shape == (len(starts), length)
    assert (weights >= 0).all()
    torch.testing.assert_close(weights.sum(dim=0), torch.ones(length).double())
    for start, row in zip(starts, weights, strict=True):
        assert not row[:start].any()
        assert not row[start + tall :].any()


@given(
    height=st.integers(1, 40),
    width=st.integers(1, 40),
    side=st.integers(4, 48),
    divisor=st.sampled_from([1, 4]),
    max_batch=st.sampled_from([None, 1, 3]),
)
@settings(max_examples=60)
def test_what_looks_at_pixels_alone_does_not_see_the_tiles(height, width, side, divisor, max_batch):
    asked = []

    def model(x, t):
        asked.append(x.shape)
        return x.tanh() * t[:, None, None, None]

    x, t = randn(2, 3, height, width), torch.tensor([1.0, 2.0]).double()
    how = {"divisor": divisor, "tiles": Tiles(side, side // 2), "max_batch": max_batch}
    torch.testing.assert_close(on_tiles(model, x, t, **how), x.tanh() * t[:, None, None, None])
    for batch, _, *size in asked:
        assert batch <= (max_batch or batch)
        assert all(n % divisor == 0 and n <= max(side, divisor) for n in size)


def test_the_border_is_a_reflection():
    asked = []
    x = torch.arange(5.0).expand(1, 3, 3, 5)
    out = on_tiles(lambda x, t: asked.append(x) or x, x, torch.zeros(1), divisor=4)
    assert torch.equal(out, x)
    assert asked[0][0, 0, 0].tolist() == [0, 1, 2, 3, 4, 3, 2, 1]
    on_tiles(lambda x, t: asked.append(x) or x, x[..., :2], torch.zeros(1), divisor=8)
    assert asked[1][0, 0, 0].tolist() == [0, 1, 0, 1, 0, 1, 0, 1]


@pytest.mark.parametrize("size", [(16, 18), (6, 16), (15, 15), (1, 3)])
def test_any_size(make_residual, make_unet, size):
    residual = make_residual()
    schedule = residual.schedule
    unet = NetworkPrior(make_unet(), schedule)
    x, t = randn(2, 3, *size), torch.tensor([0, 500])
    for prior in (residual, unet):
        assert prior.size_divisor > 1
        out = prior(x, t)
        assert out.shape == x.shape
        assert out.isfinite().all()


def test_sizes_that_fit_and_one_tile_are_the_network_itself(make_residual):
    prior = make_residual(dtype="float64")
    x, t = randn(2, 3, 16, 24), torch.tensor([3, 700])
    noise = prior.schedule.alpha_bar[t]
    expected = prior.network(x, (1 / noise - 1).log() / 2)
    for tiles in (None, Tiles(24), Tiles(1000)):
        assert torch.equal(with_tiles(prior, tiles).rest(x, t), expected)
    assert prior.tiles is None


def test_beyond_what_a_network_sees_tiles_change_nothing(make_residual):
    """8 channels at 2 and 16 at 4 pixels: it looks less than 48 pixels far."""
    prior = make_residual(dtype="float64")
    x, t = randn(1, 3, 32, 240), torch.tensor([300])
    tiled = with_tiles(prior, Tiles(192, 128))
    torch.testing.assert_close(tiled.rest(x, t), prior.rest(x, t), rtol=0, atol=1e-12)
    rough = with_tiles(prior, Tiles(32, 8)).rest(x, t)
    assert (rough - prior.rest(x, t)).abs().max() > 1e-6


def test_the_gaussian_part_sees_the_whole_image(make_residual):
    prior = make_residual(dtype="float64")
    torch.nn.init.zeros_(prior.network.output.weight)
    torch.nn.init.zeros_(prior.network.output.bias)
    x, t = randn(1, 3, 20, 28), torch.tensor([300])
    tiled = with_tiles(prior, Tiles(8, 4))
    torch.testing.assert_close(tiled.denoise(x, t), prior.gaussian.denoise(x, t))


@pytest.mark.parametrize("form", ["noise", "gaussian"])
def test_a_tiled_prior_has_one_chain_sequential_and_parallel(make_residual, chain_for, form):
    prior = with_tiles(make_residual(dtype="float64"), Tiles(16, 8))
    asked = []
    prior.network.register_forward_pre_hook(lambda module, args: asked.append(args[0].shape))
    chain = chain_for("inpaint-random", prior=prior, size=(22, 29), num_steps=5)
    sequential = restore_sequential(chain)
    assert set(asked[0][-2:]) == {16}
    parallel = restore_parallel(chain, form=form, gaussian=prior.gaussian, tolerance=1e-13)
    assert (parallel.states - sequential.states).abs().max() <= 1e-10
    system = FixedPointSystem(chain, make_model(form, chain, gaussian=prior.gaussian))
    assert system.residual(sequential.states).abs().max() <= 1e-10


def test_gradients_pass_through_tiles(make_residual):
    prior = with_tiles(make_residual(dtype="float64", max_batch=2), Tiles(8, 4))
    x, v, t, step = randn(1, 3, 10, 13), randn(1, 3, 10, 13, seed=1), torch.tensor([400]), 1e-6
    _, forward = torch.func.jvp(lambda x: prior(x, t), (x,), (v,))
    expected = (prior(x + step * v, t) - prior(x - step * v, t)) / (2 * step)
    torch.testing.assert_close(forward, expected, rtol=1e-5, atol=1e-5)
    _, backward = torch.func.vjp(lambda x: prior(x, t), x)
    torch.testing.assert_close((backward(v)[0] * v).sum(), (forward * v).sum())


def test_functions_and_priors_of_readers():
    class Own:
        schedule, size_divisor = linear_schedule(), 4

        def __call__(self, x_t, t):
            assert x_t.shape[-1] % 4 == 0
            return x_t.sin()

    x, t = randn(2, 3, 9, 17), torch.tensor([1, 2])
    for prior in (ForeignPrior(Own()), ModelPrior(lambda x, t: x.sin(), linear_schedule())):
        for tiles in (None, Tiles(8, 4)):
            torch.testing.assert_close(with_tiles(prior, tiles)(x, t), x.sin())


def test_priors_without_a_network_are_returned_as_they_are():
    prior = GaussianPrior(power_law_spectrum(size=8))
    assert with_tiles(prior, Tiles(8)) is prior


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((0,), "side: got 0"),
        ((8, -1), "overlap: got -1"),
        ((8, 8), "overlap: got 8 for tiles of 8 pixels; expected less"),
    ],
)
def test_bad_tiles(arguments, message):
    with pytest.raises(ValueError, match=f"^{message}"):
        Tiles(*arguments)


def test_seams_of_the_bundled_prior():
    """One prediction at the noise where cuts are seen farthest: below half a grey level. Restored
    photos of 20 steps differ by less than a tenth of one."""
    prior = load_prior("photo64")
    photo = load_bundled_photo("astronaut", size=320)[..., :64, :]
    t = torch.tensor([600])
    signal, noise = prior.schedule.at(t, photo)
    x = signal * photo + noise * torch.randn(
        photo.shape, generator=torch.Generator().manual_seed(0)
    )
    tiled = with_tiles(prior, Tiles(288))
    assert tiled.tiles.along(320, prior.size_divisor) == ([0, 32], 288)
    difference = (tiled.denoise(x, t) - prior.denoise(x, t)).abs().max() * 127.5
    assert 0 < difference < 0.5
