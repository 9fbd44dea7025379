"""Small photos and a comparison of methods on them."""

import pytest
import torch

from deqir_lite import save_image
from deqir_lite.studies.comparison.rows import Row
from deqir_lite.studies.comparison.run import Comparison, restorations
from deqir_lite.studies.comparison.settings import plan
from deqir_lite.studies.evaluation.photos import find_photos


@pytest.fixture
def photos(tmp_path, gaussian_prior):
    """Three photos of 24 x 24 pixels, one in a subfolder and one grey."""
    made = tmp_path / "photos"
    (made / "more").mkdir(parents=True)
    drawn = gaussian_prior.sample((3, 24, 24), torch.Generator().manual_seed(2)).clamp(-1, 1)
    save_image(made / "a.png", drawn[0])
    save_image(made / "more" / "b.png", drawn[1])
    save_image(made / "grey.png", drawn[2].mean(dim=0, keepdim=True))
    return find_photos(made)


@pytest.fixture
def settings():
    """What is done: 3 methods on 2 tasks at 16 pixels, T = 2."""
    methods, tasks = ["pinv", "ddnm", "weighted"], ["sr2", "colorization"]
    return plan(methods, tasks, [16], timesteps=[2], forms=["none", "noise"])


@pytest.fixture
def compare(tmp_path, gaussian_prior, photos, settings):
    """(folder, rank=..., processes=..., seeds=...) -> does a comparison's part."""

    def run(name, *, rank=0, processes=1, seeds=2, **shared):
        folder = tmp_path / name
        folder.mkdir(exist_ok=True)
        known = {"prior": "known", "photos": {p.name: p.digest for p in photos}}
        known |= {"dtype": "float64", "lpips": None} | shared
        device = torch.device("cpu")
        work = Comparison(gaussian_prior, "gaussian", folder, known, device, rank)
        work.run(restorations(settings, photos, seeds=seeds, rank=rank, processes=processes))
        return folder

    return run


@pytest.fixture
def row():
    """(method, photo, psnr=..., ...) -> a row of made-up numbers."""

    def make(method, photo, psnr=20.0, **others):
        values = {
            "method": method, "form": "none", "task": "sr2", "size": 16, "sigma_y": 0.0,
            "timesteps": 2, "spacing": 3.0, "eta": 1.0, "photo": photo, "seed": 0, "psnr": psnr,
        }  # fmt: skip
        return Row(**values | others)

    return make
