"""A small evaluation: two tiny photos, the Gaussian prior, chains of a few steps."""

import pytest
import torch

from deqir_lite import save_image
from deqir_lite.studies.evaluation import references
from deqir_lite.studies.evaluation.photos import find_photos
from deqir_lite.studies.evaluation.pictures import Pictures
from deqir_lite.studies.evaluation.references import tv_restoration
from deqir_lite.studies.evaluation.results import Results
from deqir_lite.studies.evaluation.run import Evaluation
from deqir_lite.studies.evaluation.settings import Setting, plan


@pytest.fixture
def photo_folder(tmp_path, gaussian_prior):
    """Two photos of 24x24 pixels in colour, and a grey one."""
    made = tmp_path / "photos"
    made.mkdir()
    drawn = gaussian_prior.sample((3, 24, 24), torch.Generator().manual_seed(2)).clamp(-1, 1)
    save_image(made / "a.png", drawn[0])
    save_image(made / "b.jpg", drawn[1])
    save_image(made / "grey.png", drawn[2].mean(dim=0, keepdim=True))
    return made


@pytest.fixture
def settings():
    """Two tasks at 16 pixels with two chains; colorization leaves the grey photo out."""
    return plan(["colorization", "sr2"], [16], [3, 4], eta=[0.5])


@pytest.fixture
def make_evaluation(tmp_path, gaussian_prior, photo_folder, monkeypatch):
    """(options...) -> an Evaluation with 3 seeds in float64, results in tmp_path / name.

    TV takes 2 steps instead of 60: here only its place in the results counts.
    """
    monkeypatch.setattr(
        references, "tv_restoration", lambda *y: tv_restoration(*y, weights=(0.1, 0.1))
    )

    def make(name="results", prior=gaussian_prior, batch=4, **shared):
        folder = tmp_path / name
        folder.mkdir(exist_ok=True)
        photos = find_photos(photo_folder)
        known = {"prior": "known", "seeds": 3, "all_seeds": False}
        known["photos"] = {p.name: p.digest for p in photos}
        shared = known | {"dtype": "float64", "spacing": 3.0} | shared
        return Evaluation(
            prior=prior,
            photos=photos,
            results=Results.resume(folder, shared),
            pictures=Pictures(folder),
            batch=batch,
            device=torch.device("cpu"),
        )

    return make


def score(value):
    return {"psnr": value, "ssim": value / 100}


@pytest.fixture
def made_up(tmp_path):
    """(task, size, T, eta, photo, mean, tv=...) -> adds one cell to .results.

    ``mean`` None adds no samples; ``single`` a single one; ``walked`` those of the known prior.
    """
    results = Results(tmp_path, {"photos": {"a.png": "1", "b.png": "2"}, "seeds": 2})
    results.settings |= {"all_seeds": False, "dtype": "x", "spacing": 3.0}
    results.context = {"prior": "photo64", "photos": None, "devices": ["D"], "versions": {"p": "1"}}

    def add(task, size, steps, eta, photo, mean, tv=20.0, baseline=18.0, single=False, walked=None):
        results.references[task, size, photo] = {
            "pinv": score(15.0),
            "baseline": score(baseline),
            "tv": score(tv),
            "gaussian": score(19.0),
        }
        if mean is not None:
            results.samples[Setting(task, size, steps, eta), photo] = {
                "single": {"psnr": [mean - 3, mean - 1], "ssim": [None, None]},
                "mean": score(mean),
                "seconds": 1.0,
            }
            entry = results.samples[Setting(task, size, steps, eta), photo]
            if single:
                entry["single"] = {"psnr": [mean], "ssim": [None]}
            if walked is not None:
                entry["gaussian"] = score(walked)

    add.results = results
    return add
