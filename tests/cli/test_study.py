"""``deqir-lite study``: which runs, into which file, with errors in one line."""

import json

import pytest
import torch

from deqir_lite import load_bundled_photo, save_image
from deqir_lite.studies import inversion, posterior, released, steps, sweeps, weighted
from deqir_lite.studies.study import Study
from deqir_lite.training.card import recipes_compared
from deqir_lite.training.recipe import Recipe
from deqir_lite.training.trainer import Trainer


@pytest.fixture
def asked(monkeypatch):
    """(name, file, runs) of every study that was asked for; none is run."""
    seen = []
    monkeypatch.setattr(
        Study, "run", lambda self, out, runs, **_: seen.append((self.name, out, list(runs)))
    )
    return seen


def test_sweeps(run, asked, folder):
    out = folder / "a.json"
    assert run("study", "sweeps", "--out", out).exit_code == 0
    assert run("study", "sweeps", "--out", out, "--steps", 10, "--steps", 50).exit_code == 0
    lengths = (sweeps.STEPS, (10, 50))
    assert asked == [("sweeps", out, sweeps.study_runs(length)) for length in lengths]


def test_inversion(run, asked, folder):
    out = folder / "a.json"
    assert run("study", "inversion", "--out", out).exit_code == 0
    assert run("study", "inversion", "--out", out, "--photo", "cat").exit_code == 0
    photos = (None, ["cat"])
    assert asked == [("inversion", out, inversion.study_runs(photos=some)) for some in photos]


def test_steps(run, asked, folder, refused, gaussian_prior, tmp_path):
    own, out = tmp_path / "own", folder / "a.json"
    own.mkdir()
    drawn = gaussian_prior.sample((2, 64, 64), torch.Generator().manual_seed(2)).clamp(-1, 1)
    for name, photo in zip("ab", drawn, strict=True):
        save_image(own / f"{name}.png", photo)
    refused("study", "steps", "--photos", own, "--out", out, message="2 colour photos")
    assert run("study", "steps", "--photos", own, "--out", out, "--count", 2).exit_code == 0
    assert asked == [("steps", out, steps.study_runs(["a.png", "b.png"]))]


def test_weighted(run, asked, folder, refused):
    out = folder / "a.json"
    assert run("study", "weighted", "--out", out).exit_code == 0
    assert run("study", "weighted", "--out", out, "--task", "sr4").exit_code == 0
    tasks = (weighted.TASKS, ["sr4"])
    assert asked == [("weighted", out, weighted.study_runs(some)) for some in tasks]
    refused("study", "weighted", "--out", out, "--task", "sr3", message="task: unknown value 'sr3'")


def test_released(run, asked, folder, refused):
    out = folder / "a.json"
    assert run("study", "released", "--out", out).exit_code == 0
    assert run("study", "released", "--out", out, "--task", "sr4").exit_code == 0
    tasks = (released.TASKS, ["sr4"])
    assert asked == [("released", out, released.study_runs(some)) for some in tasks]
    refused("study", "released", "--out", out, "--task", "sr3", message="task: unknown value 'sr3'")


def test_posterior(run, asked, folder, refused):
    out = folder / "a.json"
    assert run("study", "posterior", "--out", out).exit_code == 0
    assert run("study", "posterior", "--out", out, "--method", "ddrm").exit_code == 0
    methods = (posterior.SAMPLERS, ["ddrm"])
    assert asked == [("posterior", out, posterior.study_runs(some)) for some in methods]
    wrong = "study", "posterior", "--out", out, "--method", "DDRM"
    refused(*wrong, message="method: unknown value 'DDRM'")


def test_what_cannot_be_written_or_is_unknown(refused, folder, tmp_path):
    nowhere = folder / "no" / "a.json"
    refused("study", "sweeps", "--out", nowhere, message="out: no folder")
    recipes = "study", "recipes", "--photos", tmp_path, "--out"
    refused(*recipes, nowhere, message="out: no folder")
    refused(*recipes, folder / "a.json", "--recipe", "best", message="recipes: unknown value")


@pytest.fixture
def photo_folder(tmp_path):
    """Three photos that are large enough for crops of 16 pixels."""
    made = tmp_path / "photos"
    made.mkdir()
    for name in ("cat", "coffee", "astronaut"):
        save_image(made / f"{name}.png", load_bundled_photo(name, size=32))
    return made


@pytest.fixture
def tiny(monkeypatch):
    """Recipes of small networks, trained for as good as no time."""
    shape = {"channels": (8, 16), "blocks": 1, "crop": 16, "final_crop": 16, "batch": 4}
    monkeypatch.setattr(Recipe, "for_device", lambda device, **changes: Recipe(**shape))


def test_recipes(run, folder, photo_folder, tiny):
    out = folder / "a.json"
    options = "--out", out, "--recipe", "base", "--minutes", 1e-4, "--device", "cpu"
    result = run("study", "recipes", "--photos", photo_folder, *options)
    assert result.exit_code == 0, result.output
    written = json.loads(out.read_text())
    assert list(written["recipes"]) == ["base"]
    assert result.stdout == recipes_compared(written)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        (["--recipe", "bogus"], "recipes: unknown value 'bogus'; known: base, "),
        (["--minutes", "0"], "minutes: got 0.0; expected a number > 0"),
        (["--photos", "nowhere"], "photos: no folder 'nowhere'"),
        (["--device", "foo"], "device: unknown value 'foo'; known: auto, cpu, cuda, mps"),
        (["--out", "gone/c.json"], "out: no folder 'gone' to write 'c.json' in"),
        (["--out", "."], "out: '.' is a folder; expected a file name"),
    ],
)
def test_refused_comparisons(refused, photo_folder, tiny, monkeypatch, tmp_path, changed, message):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(Trainer, "train", None)
    usual = "study", "recipes", "--photos", photo_folder, "--minutes", 1, "--device", "cpu"
    refused(*usual, *changed, message=message)
