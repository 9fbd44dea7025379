"""Mixtures against autograd, torch.distributions and numerical integration."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.distributions import Categorical, MixtureSameFamily, MultivariateNormal

from deqir_lite.priors import GaussianMixturePrior, GaussianPrior, Prior


def distribution(prior, t=None):
    """The density of x_t (of x_0 without t), from torch.distributions."""
    alpha_bar = 1.0 if t is None else float(prior.schedule.alpha_bar[t])
    eye = torch.eye(prior.means.shape[1]).double()
    covariances = alpha_bar * prior.covariances() + (1 - alpha_bar) * eye
    components = MultivariateNormal(alpha_bar**0.5 * prior.means, covariances)
    return MixtureSameFamily(Categorical(prior.weights), components)


def moments(points, weights):
    """Mean and covariance of weighted points (n, 2)."""
    weights = weights / weights.sum()
    mean = weights @ points
    centred = points - mean
    return mean, (weights[:, None] * centred).T @ centred


@given(st.integers(0, 999), st.floats(-4, 4), st.floats(-4, 4))
def test_density_and_score_of_the_noisy_mixture(mixture_prior, t, a, b):
    x = torch.tensor([[a, b]], dtype=torch.float64, requires_grad=True)
    times = torch.tensor([t])
    log_density = mixture_prior.log_density(x, times)
    torch.testing.assert_close(log_density, distribution(mixture_prior, t).log_prob(x))
    (score,) = torch.autograd.grad(log_density.sum(), x)
    level = (1 - mixture_prior.schedule.alpha_bar[t]).sqrt()
    torch.testing.assert_close(mixture_prior(x, times), -level * score, rtol=1e-8, atol=1e-9)


def test_noise_keeps_shape_and_dtype(mixture_prior):
    assert isinstance(mixture_prior, Prior)
    x, t = torch.randn(5, 1, 2, 1), torch.full((5,), 300)
    eps = mixture_prior(x, t)
    assert eps.shape == x.shape
    assert eps.dtype == torch.float32
    assert (eps.double() - mixture_prior(x.double(), t)).abs().max() < 1e-5


def test_far_from_all_components_the_score_stays_finite(mixture_prior):
    assert torch.isfinite(mixture_prior(torch.full((1, 2), 1e3), torch.tensor([0]))).all()


def test_samples_follow_the_density(mixture_prior):
    draws = mixture_prior.sample(40000, torch.Generator().manual_seed(0))
    mean = mixture_prior.weights @ mixture_prior.means
    torch.testing.assert_close(draws.mean(0), mean, rtol=0, atol=0.02)
    means = mixture_prior.means
    squares = mixture_prior.covariances() + means[:, :, None] * means[:, None]
    second = torch.einsum("k,kij->ij", mixture_prior.weights, squares)
    torch.testing.assert_close(draws.T @ draws / len(draws), second, rtol=0, atol=0.03)


@pytest.mark.parametrize("sigma_y", [0.15, 0.6])
def test_posterior_is_that_of_numerical_integration(mixture_prior, sigma_y):
    matrix, y = torch.tensor([[1.0, -0.5]]).double(), torch.tensor([0.3]).double()
    axis = torch.linspace(-7, 7, 801).double()
    points = torch.cartesian_prod(axis, axis)
    likelihood = -((points @ matrix[0] - y) ** 2) / (2 * sigma_y**2)
    weights = (distribution(mixture_prior).log_prob(points) + likelihood).exp()
    mean, covariance = moments(points, weights)
    check_posterior(mixture_prior, matrix, y, sigma_y, mean, covariance)


def test_posterior_without_noise_is_the_density_along_a_line(mixture_prior):
    matrix, y = torch.tensor([[1.0, -0.5]]).double(), torch.tensor([0.3]).double()
    along = torch.tensor([0.5, 1.0]).double()
    points = torch.tensor([0.3, 0.0]) + torch.linspace(-8, 8, 20001).double()[:, None] * along
    weights = distribution(mixture_prior).log_prob(points).exp()
    mean, covariance = moments(points, weights)
    check_posterior(mixture_prior, matrix, y, 0.0, mean, covariance)
    _, means, covariances = mixture_prior.posterior(matrix, y)
    torch.testing.assert_close(means @ matrix[0], y.expand(len(means)))
    across = covariances @ matrix[0]
    torch.testing.assert_close(across, torch.zeros_like(across))


def check_posterior(prior, matrix, y, sigma_y, mean, covariance):
    shares, means, covariances = prior.posterior(matrix, y, sigma_y=sigma_y)
    torch.testing.assert_close(shares @ means, mean, rtol=0, atol=1e-6)
    assert torch.isclose(shares.sum(), torch.tensor(1.0).double())
    second = covariances + means[:, :, None] * means[:, None]
    got = torch.einsum("k,kij->ij", shares, second) - torch.outer(mean, mean)
    torch.testing.assert_close(got, covariance, rtol=0, atol=1e-6)


def test_one_component_is_the_gaussian_photo_prior(make_fitted_prior, dense_covariance):
    gaussian = make_fitted_prior(4)
    mixture = GaussianMixturePrior(
        torch.ones(1),
        gaussian.spectrum.mean.repeat_interleave(16)[None],
        dense_covariance(gaussian.spectrum)[None],
    )
    x = torch.randn(3, 3, 4, 4, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    t = torch.tensor([0, 300, 999])
    assert isinstance(gaussian, GaussianPrior)
    torch.testing.assert_close(mixture(x, t), gaussian(x, t), rtol=1e-7, atol=1e-8)


def test_weights_are_normalised(mixture_prior):
    prior = GaussianMixturePrior(
        10 * mixture_prior.weights, mixture_prior.means, mixture_prior.covariances()
    )
    torch.testing.assert_close(prior.weights, mixture_prior.weights)


W, M, C = torch.ones(2) / 2, torch.zeros(2, 2), torch.eye(2).expand(2, 2, 2)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((W, M[0], C), "expected (K,), (K, d), (K, d, d)"),
        ((W[:1], M, C), "expected (K,), (K, d), (K, d, d)"),
        ((W, M, C[:1]), "expected (K,), (K, d), (K, d, d)"),
        ((W[:0], M[:0], C[:0]), "expected (K,), (K, d), (K, d, d)"),
        ((W - 0.5, M, C), "weights: expected positive"),
        ((W, M * torch.nan, C), "means: contains NaN"),
        ((W, M, -C), "covariances: expected symmetric positive definite"),
        ((W, M, C + torch.tensor([[0.0, 0.5], [0, 0]])), "covariances: expected symmetric"),
    ],
)
def test_bad_mixtures(arguments, message):
    with pytest.raises(ValueError) as error:  # noqa: PT011 (compared below)
        GaussianMixturePrior(*arguments)
    assert message in str(error.value)


def test_points_of_another_dimension(mixture_prior):
    for function in (mixture_prior, mixture_prior.log_density):
        with pytest.raises(ValueError, match=r"^x_t: got shape \(4, 3\).* 2 entries each"):
            function(torch.zeros(4, 3), torch.zeros(4, dtype=torch.int64))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda p: p.posterior(torch.zeros(1, 3), torch.zeros(1)), "expected (p, 2) and (p,)"),
        (lambda p: p.posterior(torch.zeros(2), torch.zeros(2)), "expected (p, 2) and (p,)"),
        (lambda p: p.posterior(torch.eye(2), torch.zeros(1)), "expected (p, 2) and (p,)"),
        (lambda p: p.posterior(torch.eye(2), torch.zeros(2), sigma_y=-0.1), "sigma_y: got -0.1"),
        (
            lambda p: p.posterior(torch.eye(2), torch.tensor([0.0, torch.inf])),
            "y: contains NaN or infinity",
        ),
        (
            lambda p: p.posterior(torch.ones(2, 2), torch.zeros(2)),
            "matrix: its rows are linearly dependent",
        ),
    ],
)
def test_bad_measurements(mixture_prior, call, message):
    with pytest.raises(ValueError) as error:  # noqa: PT011 (compared below)
        call(mixture_prior)
    assert message in str(error.value)


@given(st.floats(-4, 4), st.floats(-4, 4))
def test_responsibilities_are_bayes_rule_over_the_components(mixture_prior, a, b):
    x = torch.tensor([[a, b]], dtype=torch.float64)
    joint = distribution(mixture_prior).component_distribution.log_prob(x[:, None])
    expected = (joint + mixture_prior.weights.log()).softmax(dim=1)
    torch.testing.assert_close(mixture_prior.responsibilities(x), expected)
