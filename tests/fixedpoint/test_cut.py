"""A prior whose difference from a Gaussian one is cut."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from deqir_lite.fixedpoint import CutPrior
from deqir_lite.fixedpoint.cut import BOUND
from deqir_lite.priors.base import predict_x0


@given(size=st.floats(-9, 9), bound=st.floats(0, 5), t=st.integers(0, 999))
def test_what_is_added_is_at_most_the_bound(gaussian_prior, adding_prior, size, bound, t):
    x_t, t = torch.randn(2, 3, 8, 8).double(), torch.full((2,), t)
    prior = CutPrior(adding_prior(size), gaussian_prior, bound=bound)
    signal, noise = gaussian_prior.schedule.at(t, x_t)
    added = predict_x0(x_t, prior(x_t, t), signal, noise)
    added = added - predict_x0(x_t, gaussian_prior(x_t, t), signal, noise)
    expected = min(max(size, -bound), bound)
    torch.testing.assert_close(added, torch.full_like(added, expected), rtol=0, atol=1e-6)
    cut = signal[:, 0, 0, 0] * abs(size - expected)
    torch.testing.assert_close(prior.cut, cut, rtol=0, atol=1e-6)


def test_every_image_has_its_own_cut(gaussian_prior, adding_prior):
    size = torch.tensor([0.5, 5.0, torch.inf])[:, None, None, None]
    prior = CutPrior(adding_prior(size), gaussian_prior)
    eps = prior(torch.zeros(3, 3, 8, 8).double(), torch.full((3,), 500))
    assert eps[:2].isfinite().all()
    assert not eps[2].isfinite().any()  # a network that breaks is not mended
    signal, _ = gaussian_prior.schedule.at(torch.tensor([500]), eps)
    cut = torch.tensor([0.0, 5 - BOUND]).double() * signal.flatten()
    torch.testing.assert_close(prior.cut[:2], cut)
    assert prior.cut[2].isnan()


def test_a_chain_that_is_not_cut_is_the_chain(chain_for, gaussian_prior, sharpening_prior):
    chain = chain_for("sr2", prior=sharpening_prior, num_steps=10)
    walked = chain.with_prior(CutPrior(sharpening_prior, gaussian_prior)).sequential()
    torch.testing.assert_close(walked, chain.sequential(), rtol=0, atol=1e-10)
    under = CutPrior(sharpening_prior, gaussian_prior, bound=0.0)
    torch.testing.assert_close(
        chain.with_prior(under).sequential(), chain.with_prior(gaussian_prior).sequential()
    )


def test_bad_input(gaussian_prior):
    with pytest.raises(ValueError, match="bound: got -1"):
        CutPrior(gaussian_prior, gaussian_prior, bound=-1.0)
