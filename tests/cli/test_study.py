"""``deqir-lite study``: which runs, into which file, with errors in one line."""

import pytest
import torch

from deqir_lite import save_image
from deqir_lite.studies import inversion, steps, sweeps
from deqir_lite.studies.study import Study


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


def test_what_cannot_be_written_or_is_unknown(refused, folder, tmp_path):
    nowhere = folder / "no" / "a.json"
    refused("study", "sweeps", "--out", nowhere, message="out: no folder")
    recipes = "study", "recipes", "--photos", tmp_path, "--out"
    refused(*recipes, nowhere, message="out: no folder")
    refused(*recipes, folder / "a.json", "--recipe", "best", message="recipes: unknown value")


def test_recipes(run, folder, monkeypatch, tmp_path):
    given = {}

    def compare(photos, recipes, minutes, **options):
        given.update(photos=photos, recipes=list(recipes), minutes=minutes, **options)
        return {"recipes": {"base": {"loss": 0.125, "steps": 1200}}}

    monkeypatch.setattr("deqir_lite.training.comparison.compare_recipes", compare)
    monkeypatch.setattr("deqir_lite.training.photos.load_photos", lambda *_, **__: ["photo"])
    out = folder / "a.json"
    options = "--out", out, "--recipe", "base", "--minutes", 2, "--device", "cpu"
    result = run("study", "recipes", "--photos", tmp_path, *options)
    assert result.exit_code == 0, result.output
    assert (given["photos"], given["recipes"]) == (["photo"], ["base"])
    assert (given["minutes"], given["out"], str(given["device"])) == (2, out, "cpu")
    assert result.stdout == "base: loss 0.1250 after 1,200 steps\n"
