"""Preconditioners: symmetric and positive, exact where they can be, and worth their price."""

import pytest
import torch

from deqir_lite.conjugate_gradients import dot
from deqir_lite.operators import TASKS, FFTBlur, Inpainting, make_task
from deqir_lite.priors.conditioning import Conditioning
from deqir_lite.priors.gaussian import twice
from deqir_lite.priors.near_inverses import (
    filter_groups,
    near_inverse,
    near_null_inverse,
    near_null_shares,
)

SIZE = (8, 8)


def randn(*shape, seed=0):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


@pytest.fixture
def variances(gaussian_prior):
    """Those of two covariances, (2, 1, 3, 8, 5)."""
    lam = gaussian_prior.eigenvalues(randn(1, 3, *SIZE))
    return torch.stack([lam, 0.1 * lam / (lam + 0.1)])[:, None]


@pytest.mark.parametrize("task", list(TASKS))
def test_they_are_symmetric_and_positive(gaussian_prior, variances, task):
    operator, like = make_task(task, SIZE), randn(2, 3, *SIZE)
    images = (
        operator.null_projector(randn(4, 3, *SIZE)),
        operator.null_projector(like.repeat(2, 1, 1, 1)),
    )
    values = operator.A(randn(4, 3, *SIZE, seed=1)), operator.A(like.repeat(2, 1, 1, 1))
    sigma_y = torch.tensor([0.1, 0.2]).double()
    shares = near_null_shares(gaussian_prior, operator, variances[:1], like)
    for near, (u, v) in (
        (near_null_inverse(gaussian_prior, operator, variances, shares), images),
        (near_inverse(gaussian_prior, operator, variances, sigma_y, like), values),
    ):
        torch.testing.assert_close(dot(u, near(v)), dot(near(u), v))
        assert (dot(u, near(u)) > 0).all()
        torch.testing.assert_close(near[1:](u[2:]), near(u)[2:])


def test_where_nothing_stands_between_they_are_inverses(gaussian_prior, variances):
    """All pixels seen with noise; and a blur that loses waves, of grey photos."""
    like, r = randn(1, 3, *SIZE), randn(2, 3, *SIZE, seed=3)
    seen = Inpainting(torch.ones(SIZE))
    near = near_inverse(gaussian_prior, seen, variances, torch.tensor([0.3]).double(), like)
    back = near(filter_groups(gaussian_prior, r, twice(variances)) + 0.09 * r)
    torch.testing.assert_close(back, r)
    blur = FFTBlur(torch.ones(3, 3) / 9, threshold=0.4)
    grey = variances.mean(dim=2, keepdim=True).expand(variances.shape)
    lost = blur.null_projector(r)
    assert lost.norm() > 1
    weighed = blur.null_projector(filter_groups(gaussian_prior, lost, twice(1 / grey)))
    shares = near_null_shares(gaussian_prior, blur, grey[:1], like)
    back = near_null_inverse(gaussian_prior, blur, grey, shares)(weighed)
    torch.testing.assert_close(back, lost)


@pytest.mark.parametrize(
    ("task", "most"),
    [
        ("inpaint-random", 60),
        ("inpaint-text", 60),
        ("inpaint-box", 60),
        ("sensing", 60),
        ("sr4", 25),
    ],
)
@pytest.mark.parametrize("sigma_y", [0.0, 0.1])
def test_solves_are_short(gaussian_prior, task, most, sigma_y):
    """To 1e-10 within ``most`` iterations, from the whole covariance of photos."""
    size = (32, 32)
    operator, like = make_task(task, size), randn(1, 3, *size)
    lam = gaussian_prior.eigenvalues(like)[None]
    conditioning = Conditioning(
        gaussian_prior, operator, lam, like=like, sigma_y=sigma_y, tolerance=1e-10,
        most_iterations=most,
    )  # fmt: skip
    tight = Conditioning(gaussian_prior, operator, lam, like=like, sigma_y=sigma_y, tolerance=1e-13)
    photo = gaussian_prior.sample((1, *size), torch.Generator().manual_seed(5))
    if sigma_y:
        got, expected = (each.gain(operator.A(photo)) for each in (conditioning, tight))
    else:
        got, expected = (each.project(photo) for each in (conditioning, tight))
    torch.testing.assert_close(got, expected, rtol=0, atol=1e-8)


def test_each_mask_gets_its_own(gaussian_prior):
    """One large hole and scattered pixels side by side are each solved for as alone."""
    size = (16, 16)
    hole, scattered = torch.ones(2, 1, *size)
    hole[:, 3:13, 3:13] = 0
    scattered[randn(1, *size) > 0] = 0
    like, v = randn(2, 3, *size), randn(2, 3, *size, seed=1)
    lam = gaussian_prior.eigenvalues(like)[None]
    options = {"sigma_y": 0.0, "tolerance": 1e-2}
    both = Conditioning(
        gaussian_prior, Inpainting(torch.stack([hole, scattered])), lam, like=like, **options
    )
    for k, mask in enumerate((hole, scattered)):
        one = slice(k, k + 1)
        alone = Conditioning(gaussian_prior, Inpainting(mask), lam, like=like[one], **options)
        torch.testing.assert_close(both.project(v)[one], alone.project(v[one]), rtol=0, atol=1e-12)
