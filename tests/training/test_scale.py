"""e(t) against the error that it stands for, measured with noise."""

import pytest
import torch

from deqir_lite.training.scale import gaussian_error


@pytest.mark.parametrize("size", [(8, 8), (7, 9), (8, 5)])
def test_the_rms_error_of_the_gaussian_denoiser_on_pictures_that_are_not_gaussian(
    make_fitted_prior, size
):
    prior = make_fitted_prior(8)
    generator = torch.Generator().manual_seed(0)
    crops = torch.rand(5, 3, *size, generator=generator, dtype=torch.float64).round() - 0.4
    crops[:, :, : size[0] // 2] += 0.3
    expected = gaussian_error(prior, crops)
    assert expected.shape == (1000,)
    assert expected.dtype == torch.float64
    for time in (0, 40, 300, 700, 999):
        repeated = crops.repeat(2000, 1, 1, 1)
        t = torch.full((len(repeated),), time)
        signal, noise = prior.schedule.at(t, repeated)
        eps = torch.randn(repeated.shape, generator=generator, dtype=torch.float64)
        x0 = prior.denoise(signal * repeated + noise * eps, t)
        measured = (x0 - repeated).square().mean().sqrt()
        assert measured.item() == pytest.approx(expected[time].item(), rel=0.01), time


def test_pictures_of_the_prior_itself_leave_its_posterior_variance(gaussian_prior):
    crops = gaussian_prior.sample((3000, 8, 8), torch.Generator().manual_seed(0))
    got = gaussian_error(gaussian_prior, crops)
    covariance = gaussian_prior.spectrum.covariance.permute(2, 3, 0, 1)
    variances = torch.linalg.eigvalsh(covariance).flatten()
    a = gaussian_prior.schedule.alpha_bar[:, None]
    expected = (variances * (1 - a) / (a * variances + 1 - a)).mean(1).sqrt()
    torch.testing.assert_close(got, expected, rtol=0.02, atol=0)


def test_many_crops_are_taken_in_parts(gaussian_prior):
    crops = torch.rand(150, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    parts = [gaussian_error(gaussian_prior, part).square() for part in crops.split(50)]
    got = gaussian_error(gaussian_prior, crops)
    torch.testing.assert_close(got, torch.stack(parts).mean(0).sqrt())
