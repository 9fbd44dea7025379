"""The table of colour covariances: sizes, fits, files."""

import stat

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import save_file

from deqir_lite.priors import GaussianPrior, PhotoSpectrum, fit_spectrum, power_law_spectrum


def test_at_its_own_size_the_table_returns_itself(make_fitted_prior):
    for size in (6, 8):
        table = make_fitted_prior(size).spectrum
        half = table.covariance[..., : size // 2 + 1]
        torch.testing.assert_close(table.at_size(size, size), half, rtol=1e-12, atol=0)


def test_a_frequency_keeps_its_covariance_at_another_size(make_fitted_prior):
    table = make_fitted_prior(8).spectrum
    half = table.covariance[..., :5]
    fy, fx = torch.meshgrid(torch.fft.fftfreq(8), torch.arange(5) / 8, indexing="ij")
    fine = (fy**2 + fx**2) > 0.03  # nearer to zero the floor of the power law differs
    for factors in [(2, 2), (1, 2), (3, 1)]:
        resized = table.at_size(8 * factors[0], 8 * factors[1])
        same = resized[..., :: factors[0], :: factors[1]]
        torch.testing.assert_close(same[..., fine], half[..., fine], rtol=0.08, atol=0)


@given(st.integers(1, 21), st.integers(1, 21), st.sampled_from([5, 8]))
def test_covariance_at_any_size_is_one_of_real_images(height, width, size):
    """Positive semidefinite, and the same at f and -f: then it acts as a symmetric matrix."""
    prior = PRIORS[size]
    table = prior.spectrum.at_size(height, width)
    assert table.shape == (3, 3, height, width // 2 + 1)
    matrices = table.permute(2, 3, 0, 1)
    assert torch.linalg.eigvalsh(matrices).min() >= -1e-12 * matrices.abs().max()
    generator = torch.Generator().manual_seed(height + 100 * width)
    u, v = torch.randn(2, 1, 3, height, width, generator=generator, dtype=torch.float64)
    left, right = (u * prior.covariance(v)).sum(), (v * prior.covariance(u)).sum()
    torch.testing.assert_close(left, right, rtol=1e-9, atol=1e-9)
    assert (v * prior.covariance(v)).sum() >= 0


def test_power_law():
    spectrum = power_law_spectrum(exponent=2.0, deviation=0.3, color_correlation=0.5, size=32)
    table = spectrum.covariance
    assert torch.equal(spectrum.mean, torch.zeros(3).double())
    # the variance of a pixel is the mean over all frequencies
    torch.testing.assert_close(table[1, 1].mean(), torch.tensor(0.09).double())
    torch.testing.assert_close(table[0, 2], 0.5 * table[1, 1])
    ratio = table[0, 0, 0, 4] / table[0, 0, 0, 8]
    assert abs(ratio - 4) < 0.05
    white = power_law_spectrum(exponent=0, size=8).covariance
    torch.testing.assert_close(white[0, 0], torch.full((8, 8), 0.25).double())
    torch.testing.assert_close(table, table.transpose(-1, -2))


def test_fit_recovers_the_spectrum_that_photos_were_drawn_from():
    true = power_law_spectrum(deviation=0.2, color_correlation=0.6, size=8)
    true = PhotoSpectrum(torch.tensor([0.3, 0.0, -0.2]).double(), true.covariance)
    generator = torch.Generator().manual_seed(0)
    fitted = fit_spectrum(GaussianPrior(true).sample((8000, 8, 8), generator))
    scale = true.covariance[0, 0]
    error = (fitted.covariance - true.covariance) / scale
    assert error.abs().max() < 0.08
    assert error.square().mean().sqrt() < 0.02
    torch.testing.assert_close(fitted.mean, true.mean, rtol=0, atol=0.02)


def test_fit_is_the_same_for_mirrored_photos():
    photos = torch.randn(5, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(
        fit_spectrum(photos).covariance, fit_spectrum(photos.flip(-1)).covariance
    )


def test_saved_file_is_read_back_and_ordinary(tmp_path, make_fitted_prior):
    spectrum = make_fitted_prior(6).spectrum
    path = tmp_path / "spectrum.safetensors"
    spectrum.save(path)
    loaded = PhotoSpectrum.load(str(path))
    assert torch.equal(loaded.mean, spectrum.mean)
    assert loaded.covariance.dtype == torch.float64
    torch.testing.assert_close(loaded.covariance, spectrum.covariance, rtol=1e-6, atol=1e-9)
    ordinary = tmp_path / "ordinary"
    ordinary.write_bytes(b"")
    assert stat.S_IMODE(path.stat().st_mode) == stat.S_IMODE(ordinary.stat().st_mode)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["ordinary", "spectrum.safetensors"]


def test_missing_and_corrupt_files(tmp_path, make_fitted_prior):
    path = tmp_path / "spectrum.safetensors"
    with pytest.raises(FileNotFoundError, match=r"^spectrum: no file .*spectrum\.safetensors"):
        PhotoSpectrum.load(path)
    make_fitted_prior(6).spectrum.save(path)
    whole = path.read_bytes()
    mean, table = torch.zeros(3), torch.zeros(3, 3, 4, 4)
    contents = [b"", b"text", whole[:-1], whole[:20]]
    tensors = [
        {"mean": mean},
        {"mean": mean[:2], "covariance": table},
        {"mean": mean, "covariance": table[..., :3].contiguous()},
        {"mean": mean, "covariance": table * torch.nan},
    ]
    for damage in [*contents, *tensors]:
        if isinstance(damage, bytes):
            path.write_bytes(damage)
        else:
            save_file(damage, path)
        with pytest.raises(ValueError, match=r"^spectrum: [^\n]* is corrupt [^\n]*$"):
            PhotoSpectrum.load(path)


@pytest.mark.parametrize(
    "photos",
    [
        torch.zeros(3, 8, 8),
        torch.zeros(2, 1, 8, 8),
        torch.zeros(2, 3, 8, 6),
        torch.zeros(2, 3, 7, 7),
        torch.zeros(0, 3, 8, 8),
        torch.zeros(2, 3, 8, 8, dtype=torch.uint8),
        torch.full((2, 3, 8, 8), torch.nan),
    ],
)
def test_fit_refuses(photos):
    with pytest.raises(ValueError, match=r"^photos: [^\n]*$"):
        fit_spectrum(photos)


@pytest.mark.parametrize(
    "argument",
    [{"exponent": -1}, {"deviation": 0}, {"color_correlation": 1.5}, {"size": 0}, {"size": 2.0}],
)
def test_power_law_refuses(argument):
    with pytest.raises(ValueError, match=rf"^{next(iter(argument))}: got"):
        power_law_spectrum(**argument)


def _fitted(size):
    generator = torch.Generator().manual_seed(size)
    table = torch.randn(3, 3, size, size, generator=generator, dtype=torch.float64)
    table = torch.einsum("ikhw,jkhw->ijhw", table, table)
    table = table + torch.roll(table.flip(-1, -2), (1, 1), (-2, -1))  # as for real photos
    return GaussianPrior(PhotoSpectrum(torch.zeros(3).double(), table))


PRIORS = {size: _fitted(size) for size in (5, 8)}
