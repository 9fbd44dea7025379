"""The Gaussian photo prior against dense Gaussians, by autograd and by sampling."""

import pytest
import torch

from deqir_lite.priors import GaussianPrior, Prior, predict_x0
from deqir_lite.schedule import cosine_schedule


def randn(*shape, seed=0, dtype=torch.float64):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=dtype)


@pytest.mark.parametrize("size", [4, 5, 6])
def test_noise_is_minus_the_scaled_score_of_the_dense_gaussian(
    make_fitted_prior, dense_covariance, size
):
    """eps(x_t) = -sqrt(1 - abar) grad log N(x_t; sqrt(abar) mean, abar Lam + 1 - abar)."""
    prior = make_fitted_prior(6)
    if size != 6:  # the covariance of another size, odd ones too
        covariance = _full(prior.spectrum.at_size(size, size), size)
        prior = GaussianPrior(type(prior.spectrum)(prior.spectrum.mean, covariance))
    covariance = dense_covariance(prior.spectrum)
    assert isinstance(prior, Prior)
    x = randn(3, 3, size, size).requires_grad_()
    t = torch.tensor([0, 200, 999])
    alpha_bar = prior.schedule.alpha_bar[t]
    log_density = 0
    for i in range(3):
        mean = prior.spectrum.mean.repeat_interleave(size * size)
        noisy = alpha_bar[i] * covariance + (1 - alpha_bar[i]) * torch.eye(3 * size * size).double()
        gaussian = torch.distributions.MultivariateNormal(alpha_bar[i].sqrt() * mean, noisy)
        log_density = log_density + gaussian.log_prob(x[i].flatten())
    (score,) = torch.autograd.grad(log_density, x)
    expected = -(1 - alpha_bar).sqrt()[:, None, None, None] * score
    torch.testing.assert_close(prior(x.detach(), t), expected, rtol=1e-8, atol=1e-8)


def _full(half, size):
    """The whole table from its rfft half: S(-f) = S(f) for real, symmetric covariances."""
    full = torch.zeros(3, 3, size, size, dtype=half.dtype)
    for y in range(size):
        for x in range(size):
            source = (y, x) if x <= size // 2 else (-y % size, size - x)
            full[..., y, x] = half[..., source[0], source[1]]
    return full


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_is_that_of_float32_rounded_once(gaussian_prior, dtype):
    x, t = randn(2, 3, 8, 6).to(dtype), torch.tensor([3, 800])
    for answer in (gaussian_prior, gaussian_prior.denoise):
        assert torch.equal(answer(x, t), answer(x.float(), t).to(dtype))


def test_covariance_is_that_of_the_table(make_fitted_prior, dense, dense_covariance):
    prior = make_fitted_prior(6)
    expected = dense_covariance(prior.spectrum)
    torch.testing.assert_close(dense(prior.covariance, (3, 6, 6)), expected)
    root = dense(lambda v: prior.covariance(v, power=0.5), (3, 6, 6))
    torch.testing.assert_close(root @ root, expected)


@pytest.mark.parametrize("size", [(6, 6), (4, 7)])
def test_wiener_is_the_jacobian_of_the_x0_prediction(make_fitted_prior, dense, size):
    prior, t = make_fitted_prior(6), torch.tensor([400])

    def x0(x):
        times = t.expand(len(x))
        signal, noise = prior.schedule.at(times, x)
        return predict_x0(x, prior(x, times), signal, noise)

    x = randn(1, 3, *size)
    jacobian = torch.func.jacrev(x0)(x).reshape(3 * size[0] * size[1], -1)
    alpha_bar = float(prior.schedule.alpha_bar[400])
    torch.testing.assert_close(dense(lambda v: prior.wiener(v, alpha_bar), (3, *size)), jacobian)


def test_samples_have_the_mean_and_the_covariance(make_fitted_prior, dense_covariance):
    prior = make_fitted_prior(4)
    draws = prior.sample((40000, 4, 4), torch.Generator().manual_seed(0)).flatten(1)
    assert draws.dtype == torch.float64
    expected = dense_covariance(prior.spectrum)
    assert (torch.cov(draws.T) - expected).norm() / expected.norm() < 0.03
    mean = prior.spectrum.mean.repeat_interleave(16)
    torch.testing.assert_close(draws.mean(0), mean, rtol=0, atol=0.02)


def test_float32_stays_close_to_float64(make_fitted_prior):
    prior, t = make_fitted_prior(6), torch.tensor([0, 500])
    x = randn(2, 3, 8, 6)
    single = prior(x.float(), t)
    assert single.dtype == torch.float32
    exact = prior(x, t)
    assert (single.double() - exact).abs().max() < 1e-6 * exact.abs().max()


def test_follows_its_schedule(make_fitted_prior):
    spectrum, t = make_fitted_prior(6).spectrum, torch.tensor([300])
    cosine = GaussianPrior(spectrum, schedule=cosine_schedule())
    assert not torch.allclose(
        cosine(randn(1, 3, 6, 6), t), GaussianPrior(spectrum)(randn(1, 3, 6, 6), t)
    )


def test_first_use_under_inference_mode_does_not_spoil_gradients(make_fitted_prior):
    prior, t = GaussianPrior(make_fitted_prior(6).spectrum), torch.tensor([300])
    with torch.inference_mode():
        prior(randn(1, 3, 6, 6), t)
    x = randn(1, 3, 6, 6).requires_grad_()
    prior(x, t).sum().backward()
    assert x.grad is not None


@pytest.mark.parametrize("transform", [torch.func.jvp, torch.func.vjp])
def test_first_use_inside_a_function_transform_leaves_nothing_behind(make_fitted_prior, transform):
    spectrum, t, x = make_fitted_prior(6).spectrum, torch.tensor([300]), randn(1, 3, 6, 6)
    prior = GaussianPrior(spectrum, schedule=cosine_schedule())
    transform(lambda v: prior(v, t), *([(x,), (x,)] if transform is torch.func.jvp else [x]))
    assert torch.equal(prior(x, t), GaussianPrior(spectrum, schedule=cosine_schedule())(x, t))


@pytest.mark.parametrize("shape", [(1, 1, 6, 6), (6, 6), (1, 4, 6, 6)])
def test_images_of_another_shape(make_fitted_prior, shape):
    with pytest.raises(ValueError, match=r"^x: got shape .*expected \(\.\.\., 3, H, W\)$"):
        make_fitted_prior(6).covariance(torch.zeros(shape))
