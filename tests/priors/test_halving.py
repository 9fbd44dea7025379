"""Batches that do not fit into memory."""

import warnings

import pytest
import torch

from deqir_lite.priors import ModelPrior
from deqir_lite.priors.callables import ForeignPrior
from deqir_lite.priors.halving import Halving
from deqir_lite.priors.network import NetworkPrior
from deqir_lite.priors.tiles import Tiles, with_tiles
from deqir_lite.restoration import restore_parallel
from deqir_lite.schedule import linear_schedule


def small_memory(most, asked, error=torch.OutOfMemoryError):
    """A model with memory for ``most`` images; it notes how many it was asked about."""

    def model(x, t):
        asked.append(len(x))
        if len(x) > most:
            raise error("CUDA out of memory")
        return x.tanh() * (1 + t[:, None, None, None])

    return model


@pytest.mark.parametrize("error", [torch.OutOfMemoryError, MemoryError, RuntimeError])
def test_what_does_not_fit_is_halved_and_remembered(error):
    asked, halving, x = [], Halving(), torch.randn(11, 3, 4, 4)
    model = small_memory(3, asked, error)
    with pytest.warns(UserWarning, match=r"^prior: 11 images at once do not fit .* from now on 3"):
        out = halving(model, x, torch.arange(11))
    assert torch.equal(out, x.tanh() * (1 + torch.arange(11)[:, None, None, None]))
    assert asked == [11, 6, 3, 3, 3, 2]
    asked.clear()
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # it is said once
        halving(model, x, torch.arange(11))
        halving(model, x[..., :2], torch.arange(11))  # twice as many of half the size
    assert asked == [3, 3, 3, 2, 6, 3, 3, 3, 2]
    assert halving.most == 3 * 24


def test_one_image_that_does_not_fit_is_an_error():
    halving = Halving()
    with pytest.raises(torch.OutOfMemoryError):
        halving(small_memory(0, []), torch.zeros(2, 3, 4, 4), torch.zeros(2))
    assert halving.most is None


def test_other_errors_are_not_asked_again():
    asked = []

    def model(x, t):
        asked.append(len(x))
        raise RuntimeError("boom")

    with pytest.raises(RuntimeError, match="boom"):
        Halving()(model, torch.zeros(4, 3, 4, 4), torch.zeros(4))
    assert asked == [4]


@pytest.mark.parametrize(("kind", "batch"), [("model", 8), ("foreign", 8), ("tiles", 16)])
def test_a_solve_goes_on_with_what_fits(chain_for, gaussian_prior, kind, batch):
    asked = []

    def model(x, t):
        asked.append(len(x))
        if len(x) > 4:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return gaussian_prior(x, t)

    prior = ModelPrior(model, gaussian_prior.schedule)
    if kind == "foreign":
        model.schedule = gaussian_prior.schedule
        prior = ForeignPrior(model)
    if kind == "tiles":
        prior = with_tiles(prior, Tiles(8, 4))
    chain = chain_for(prior=prior, num_steps=8, size=(8, 12))
    with pytest.warns(UserWarning, match=f"{batch} images at once"):
        found = restore_parallel(chain, gaussian=gaussian_prior, tolerance=1e-9)
    torch.testing.assert_close(found.states, chain.sequential(), rtol=0, atol=1e-6)
    assert [n for n in asked if n > 4] == ([8] if batch == 8 else [16, 8])


@pytest.mark.parametrize("kind", ["residual", "unet"])
def test_networks_have_it(make_residual, make_unet, kind):
    residual = kind == "residual"
    prior = make_residual() if residual else NetworkPrior(make_unet(), linear_schedule())
    network = prior.network if residual else prior.unet
    forward = network.forward

    def limited(x, *more, **options):
        if len(x) > 2:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return forward(x, *more, **options)

    network.forward = limited
    x, t = torch.randn(5, 3, 8, 8, dtype=torch.float64), torch.arange(5)
    with pytest.warns(UserWarning, match="5 images at once"):
        found = prior(x, t)
    each = torch.cat([prior(x[i : i + 1], t[i : i + 1]) for i in range(5)])
    torch.testing.assert_close(found, each, rtol=0, atol=1e-5)
