"""The photos of an evaluation, and which prior it is."""

import pytest
import torch

from deqir_lite.evaluation import Pictures, Setting, find_photos, prior_digest
from deqir_lite.operators import make_task
from deqir_lite.priors import GaussianPrior, ModelPrior, power_law_spectrum
from deqir_lite.priors.network import NetworkPrior
from deqir_lite.schedule import linear_schedule


def test_photos(photo_folder):
    (photo_folder / "broken.png").write_bytes(b"no photo")
    (photo_folder / "notes.txt").write_text("no photo either")
    with pytest.warns(UserWarning, match="photos: skipped 1 unreadable files, such as broken.png"):
        photos = find_photos(photo_folder)
    assert [(p.name, p.coloured) for p in photos] == [
        *(("a.png", True), ("b.jpg", True), ("grey.png", False)),
    ]
    assert len({p.digest for p in photos}) == 3
    assert photos[0].load(16).shape == (1, 3, 16, 16)


def test_no_photos(tmp_path):
    with pytest.raises(FileNotFoundError, match="photos: no folder"):
        find_photos(tmp_path / "none")
    with pytest.raises(ValueError, match="photos: .* holds no readable photo"):
        find_photos(tmp_path)


def test_pictures_round_trip(tmp_path):
    setting = Setting("sr2", 16, 5, 0.85)
    truth = torch.rand(1, 3, 16, 16, dtype=torch.float64) * 2 - 1
    pictures = Pictures(tmp_path)
    pictures.keep(setting, make_task("sr2", (16, 16)), truth, 0 * truth / 0, truth)
    again = Pictures(tmp_path)
    assert list(again.rows) == [setting]
    assert (again.rows[setting] == pictures.rows[setting]).all()
    assert (again.rows[setting][0] == again.rows[setting][4]).all()
    again.path.write_bytes(b"damaged")
    assert Pictures(tmp_path).rows == {}


def test_prior_digest(make_unet):
    def network(seed=0, **options):
        return NetworkPrior(make_unet(seed=seed), linear_schedule(), **options)

    def function(x_t, t):
        return x_t

    digest = prior_digest(network(), "a name")
    assert digest == prior_digest(network(dtype="float64", max_batch=3), "another name")
    spectra = [power_law_spectrum(size=8), power_law_spectrum(size=8)]
    spectra[1].covariance[0, 0] *= 2
    others = [
        prior_digest(network(seed=1), ""),
        prior_digest(network(prediction_type="v_prediction"), ""),
        *(prior_digest(GaussianPrior(spectrum), "") for spectrum in spectra),
        prior_digest(GaussianPrior(spectra[0], linear_schedule(500)), ""),
        *(prior_digest(ModelPrior(function, linear_schedule()), name) for name in "ab"),
    ]
    assert len({digest, *others}) == 8
