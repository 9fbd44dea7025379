"""Fitting the Gaussian photo prior to a folder."""

import pytest
import torch

from deqir_lite.priors import GaussianPrior, PhotoSpectrum
from deqir_lite.priors.files import SPECTRUM_FILE
from deqir_lite.training.statistics import fit_photo_spectrum


def test_fit_writes_a_spectrum_that_loads_and_a_card(photo_folder, tmp_path):
    out = tmp_path / "new" / "gaussian"
    spectrum = fit_photo_spectrum(photo_folder, out, crops=300, size=16, data_note="Waves, CC0.")
    assert {p.name for p in out.iterdir()} == {SPECTRUM_FILE, "README.md"}
    loaded = PhotoSpectrum.load(out / SPECTRUM_FILE)
    torch.testing.assert_close(loaded.covariance, spectrum.covariance, rtol=1e-6, atol=1e-9)
    card = (out / "README.md").read_text()
    for fact in ("300 crops of 16x16", "3 photos", SPECTRUM_FILE, "Waves, CC0."):
        assert fact in card
    draw = GaussianPrior(loaded).sample((1, 24, 8), torch.Generator().manual_seed(0))
    assert torch.isfinite(draw).all()
    assert 0.1 < draw.std() < 1.5


def test_fit_depends_on_its_seed_only(photo_folder, tmp_path):
    fits = [
        fit_photo_spectrum(photo_folder, tmp_path / str(i), crops=100, size=16, seed=seed)
        for i, seed in enumerate((0, 0, 1))
    ]
    assert torch.equal(fits[0].covariance, fits[1].covariance)
    assert not torch.equal(fits[0].covariance, fits[2].covariance)


def test_refusals_write_nothing(photo_folder, tmp_path):
    out = tmp_path / "gaussian"
    with pytest.raises(ValueError, match="crops: got 10; expected an integer >= 100"):
        fit_photo_spectrum(photo_folder, out, crops=10)
    with pytest.raises(FileNotFoundError, match="photos: no folder"):
        fit_photo_spectrum(tmp_path / "gone", out, crops=100)
    with (
        pytest.warns(UserWarning, match="skipped 3"),
        pytest.raises(ValueError, match="no usable photo of at least 64x64"),
    ):
        fit_photo_spectrum(photo_folder, out, crops=100)
    assert not out.exists()
