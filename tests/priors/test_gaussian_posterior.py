"""Conditioning a Gaussian on y = A x + n, against dense formulas and by sampling."""

import pytest
import torch

from deqir_lite.operators import make_task
from deqir_lite.priors import GaussianPosterior

TASKS = (
    "sr2", "pool4", "deblur-gaussian", "deblur-motion", "inpaint-random", "colorization",
    "sensing", "old-photo-sr2",
)  # fmt: skip


def dense_posterior(covariance, mean, operator, y, sigma_y, size, dense):
    """(mean (B, n), covariance (n, n)) of x | y by plain linear algebra."""
    if sigma_y > 0:
        a = dense(operator.A, (3, *size))
        target = y.flatten(1)
    else:  # coordinates of the range of A^+: exact for rank-deficient operators
        values, vectors = torch.linalg.eigh(dense(operator.range_projector, (3, *size)))
        a = vectors[:, values > 0.5].T
        target = operator.pinv(y).flatten(1) @ a.T
    evidence = a @ covariance @ a.T + sigma_y**2 * torch.eye(len(a))
    gain = torch.linalg.solve(evidence, a @ covariance).T
    return mean + (target - a @ mean) @ gain.T, covariance - gain @ a @ covariance


@pytest.mark.parametrize("sigma_y", [0.0, 0.2])
@pytest.mark.parametrize("task", TASKS)
def test_mean_is_the_dense_one(
    make_fitted_prior, dense, dense_covariance, gaussian_prior, task, sigma_y
):
    prior, size = make_fitted_prior(8), (8, 8)
    operator = make_task(task, size)
    generator = torch.Generator().manual_seed(1)
    y = operator.A(prior.sample((2, *size), generator))
    y = y + sigma_y * torch.randn(y.shape, generator=generator, dtype=torch.float64)
    posterior = GaussianPosterior(prior, operator, y, sigma_y=sigma_y)
    mean = prior.spectrum.mean.repeat_interleave(64)
    covariance = dense_covariance(prior.spectrum)
    expected, _ = dense_posterior(covariance, mean, operator, y, sigma_y, size, dense)
    got = posterior.mean()
    assert got.shape == (2, 3, *size)
    torch.testing.assert_close(got.flatten(1), expected, rtol=1e-7, atol=1e-7)
    if sigma_y == 0:
        torch.testing.assert_close(operator.A(got), y, rtol=0, atol=1e-9)
    single = GaussianPosterior(prior, operator, y.float(), sigma_y=sigma_y).mean()
    assert single.dtype == torch.float32
    assert (single.double() - got).abs().max() < 1e-4


@pytest.mark.parametrize("sigma_y", [0.0, 0.2])
@pytest.mark.parametrize("task", ["sr2", "inpaint-random"])
def test_samples_have_the_dense_mean_and_covariance(
    make_fitted_prior, dense, dense_covariance, task, sigma_y
):
    prior, size, count = make_fitted_prior(4), (4, 4), 4000
    operator = make_task(task, size)
    y = operator.A(prior.sample((1, *size), torch.Generator().manual_seed(1)))
    mean = prior.spectrum.mean.repeat_interleave(16)
    covariance = dense_covariance(prior.spectrum)
    expected, spread = dense_posterior(covariance, mean, operator, y, sigma_y, size, dense)
    many = y.expand(count, *y.shape[1:])
    draws = GaussianPosterior(prior, operator, many, sigma_y=sigma_y, tolerance=1e-9).sample(
        torch.Generator().manual_seed(2)
    )
    assert draws.shape == (count, 3, *size)
    if sigma_y == 0:
        torch.testing.assert_close(operator.A(draws), many, rtol=0, atol=1e-6)
    draws = draws.flatten(1)
    assert (torch.cov(draws.T) - spread).norm() / spread.norm() < 0.1
    standard_error = (spread.diagonal().clamp(min=1e-12) / count).sqrt()
    assert ((draws.mean(0) - expected[0]).abs() / standard_error).max() < 4.5


def test_each_image_is_conditioned_by_itself(make_fitted_prior):
    prior, operator = make_fitted_prior(6), make_task("pool2", (6, 6))
    y = operator.A(prior.sample((3, 6, 6), torch.Generator().manual_seed(1)))
    together = GaussianPosterior(prior, operator, y).mean()
    alone = torch.cat([GaussianPosterior(prior, operator, v[None]).mean() for v in y])
    torch.testing.assert_close(together, alone, rtol=0, atol=1e-10)


def test_what_is_measured_whole_is_not_changed(gaussian_prior):
    """With nothing left to guess the null space is empty, and so is the work."""
    operator = make_task("inpaint-box", (8, 8), mask=torch.ones(8, 8))
    photo = gaussian_prior.sample((2, 8, 8), torch.Generator().manual_seed(1))
    assert torch.equal(GaussianPosterior(gaussian_prior, operator, photo).mean(), photo)


@pytest.mark.parametrize("sigma_y", [-0.1, float("nan"), "0.1"])
def test_bad_noise_level(gaussian_prior, sigma_y):
    operator = make_task("pool2", (4, 4))
    with pytest.raises(ValueError, match=r"^sigma_y: got"):
        GaussianPosterior(gaussian_prior, operator, torch.zeros(1, 3, 2, 2), sigma_y=sigma_y)


def test_bad_measurement(gaussian_prior):
    operator = make_task("pool2", (4, 4))
    with pytest.raises(ValueError, match=r"^y: contains NaN"):
        GaussianPosterior(gaussian_prior, operator, torch.full((1, 3, 2, 2), torch.nan))
    with pytest.raises(ValueError, match=r"^y: got"):
        GaussianPosterior(gaussian_prior, operator, torch.zeros(1, 4, 2, 2))
