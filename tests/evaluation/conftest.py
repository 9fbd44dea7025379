"""A small evaluation: two tiny photos, the Gaussian prior, chains of a few steps."""

import pytest
import torch

from deqir_lite import save_image
from deqir_lite.evaluation import (
    Evaluation,
    Pictures,
    Results,
    find_photos,
    plan,
    scoring,
    tv_restoration,
)


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
    return plan(["colorization", "sr2"], [16], [3, 4], [0.5])


@pytest.fixture
def make_evaluation(tmp_path, gaussian_prior, photo_folder, monkeypatch):
    """(options...) -> an Evaluation with 3 seeds in float64, results in tmp_path / name.

    TV takes 2 steps instead of 60: here only its place in the results counts.
    """
    monkeypatch.setattr(scoring, "tv_restoration", lambda op, y: tv_restoration(op, y, (0.1, 0.1)))

    def make(name="results", prior=gaussian_prior, batch=4, **shared):
        folder = tmp_path / name
        folder.mkdir(exist_ok=True)
        photos = find_photos(photo_folder)
        known = {"photos": {p.name: p.digest for p in photos}, "seeds": 3, "all_seeds": False}
        shared = known | {"dtype": "f"} | shared
        return Evaluation(
            prior=prior,
            photos=photos,
            results=Results.resume(folder, shared),
            pictures=Pictures(folder),
            seeds=3,
            batch=batch,
            device=torch.device("cpu"),
            dtype=torch.float64,
        )

    return make
