"""Recipes side by side: the same photos and time for each."""

import json

import pytest
import torch

from deqir_lite.studies.recipes import (
    CHANGES,
    ROUNDS,
    compare_recipes,
    measure_paces,
    named_recipes,
)
from deqir_lite.training.data import TrainingData
from deqir_lite.training.recipe import Recipe
from deqir_lite.training.trainer import Trainer
from deqir_lite.training.validation import LEVELS

SECONDS = 1 / 60


@pytest.fixture
def photos():
    """Three uint8 photos, large enough for the crops."""
    generator = torch.Generator().manual_seed(0)
    sizes = [(3, 40, 32), (3, 24, 48), (3, 32, 32)]
    return [torch.randint(256, s, generator=generator, dtype=torch.uint8) for s in sizes]


def small(**changes):
    tiny = {"channels": (8, 16), "blocks": 1, "crop": 16, "final_crop": 16, "batch": 4, "warmup": 2}
    return Recipe(**tiny | changes)


def test_each_recipe_gets_the_same_time(photos, clock):
    recipes = {"base": small(), "full": small(patch=1), "deep": small(blocks=2)}
    result = compare_recipes(photos, recipes, 3 * SECONDS)
    rows = result["recipes"]
    assert list(rows) == list(recipes)
    assert result["minutes"] == 3 * SECONDS
    assert "thread" in result["hardware"]
    assert result["seconds_per_step"] == {name: {"16": 1.0} for name in recipes}
    for row in rows.values():
        assert set(row) == {
            "change", "steps", "crops", "params", "warmup", "loss",
            *(f"psnr_t{level}" for level in LEVELS),
        }  # fmt: skip
        assert row["crops"] == 12
        assert row["steps"] == 3  # the clock's steps take a second each
    assert rows["deep"]["params"] > rows["base"]["params"] > rows["full"]["params"]
    assert len({row["loss"] for row in rows.values()}) == 3


def test_a_recipe_gets_the_steps_that_its_pace_fits_into_the_time(photos, monkeypatch, tmp_path):
    """Whatever else the machine computes meanwhile; steps of larger crops cost what they cost."""
    paces = {"base": {"16": 1.0}, "fast": {"16": 0.5}, "large": {"16": 1.0, "24": 2.0}}
    monkeypatch.setattr(
        "deqir_lite.studies.recipes.measure_paces", lambda new: {name: paces[name] for name in new}
    )
    recipes = {"base": small(), "fast": small(), "large": small(final_crop=24)}
    out = tmp_path / "comparison.json"
    rows = compare_recipes(photos, recipes, 16 * SECONDS, out=out)["recipes"]
    # 12 seconds at the first size, and the last quarter's 4 at the other
    assert {name: row["steps"] for name, row in rows.items()} == {
        "base": 16, "fast": 32, "large": 12 + 2
    }  # fmt: skip
    assert json.loads(out.read_text())["seconds_per_step"] == paces


def test_paces_are_measured_in_turns(photos, clock):
    """So that another program slows all recipes alike."""
    turns = []

    class Recorded(Trainer):
        def train_step(self, progress):
            turns.append((self.recipe.blocks, self.recipe.crops(progress)[1]))
            super().train_step(progress)

    data = TrainingData(photos, 16, final_size=24)
    trainers = {
        "base": Recorded(small(), data),
        "deep": Recorded(small(blocks=2, final_crop=24), data),
    }
    assert measure_paces(trainers) == {"base": {"16": 1.0}, "deep": {"16": 1.0, "24": 1.0}}
    assert turns == [(1, 16), (2, 16), (2, 24)] * (1 + ROUNDS)


def test_steps_of_the_same_work_have_the_same_pace(photos, monkeypatch):
    ticks = iter(2.0**n for n in range(200))  # each step takes longer than the one before
    monkeypatch.setattr("deqir_lite.studies.recipes.time.thread_time", lambda: next(ticks))
    data = TrainingData(photos, 16)
    recipes = {"a": small(), "b": small(low_noise=0.5, muon_lr=1e-3), "deep": small(blocks=2)}
    paces = measure_paces({name: Trainer(recipe, data) for name, recipe in recipes.items()})
    assert paces["a"] == paces["b"] != paces["deep"]


def test_named_recipes_change_what_they_say():
    recipes = named_recipes("cpu")
    assert list(recipes) == list(CHANGES)
    assert recipes["base"] == Recipe()
    for name, (_, changes) in CHANGES.items():
        for key, value in changes.items():
            assert getattr(recipes[name], key) == value
    # comparable networks: none has twice the parameters of another
    sizes = [sum(p.numel() for p in r.build_network().parameters()) for r in recipes.values()]
    assert max(sizes) < 2 * min(sizes)
    assert named_recipes("cuda", names=["base"]) == {"base": Recipe.for_device("cuda")}


def test_a_stopped_comparison_keeps_the_recipes_it_has_and_goes_on(photos, tmp_path, monkeypatch):
    out = tmp_path / "comparison.json"
    recipes = {"base": small(), "half uniform": small(low_noise=0.5)}
    train = Trainer.train

    def stopped(self, *arguments, **options):
        if self.recipe.low_noise == 0.5:
            raise KeyboardInterrupt
        train(self, *arguments, **options)

    monkeypatch.setattr(Trainer, "train", stopped)
    with pytest.raises(KeyboardInterrupt):
        compare_recipes(photos, recipes, SECONDS, out=out)
    monkeypatch.setattr(Trainer, "train", train)
    kept = json.loads(out.read_text())
    assert list(kept["recipes"]) == ["base"]
    assert list(kept["seconds_per_step"]) == list(recipes)
    whole = compare_recipes(photos, recipes, SECONDS, out=out)
    assert list(whole["recipes"]) == list(recipes)
    assert whole["recipes"]["base"] == kept["recipes"]["base"]
    assert whole["seconds_per_step"] == kept["seconds_per_step"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (
            '{"minutes": 5, "hardware": "a slide rule", "seconds_per_step": {}, "recipes": {}}',
            "was made in 5 minutes on a",
        ),
        ('{"minutes": 5}', r"^out: .*comparison\.json: hardware is missing"),
        ("5", r"^out: .*comparison\.json holds no JSON object"),
        ("", r"^out: .*comparison\.json is not valid JSON"),
    ],
)
def test_only_what_compares_is_gone_on_with(photos, tmp_path, content, message):
    out = tmp_path / "comparison.json"
    out.write_text(content)
    with pytest.raises(ValueError, match=message) as error:
        compare_recipes(photos, {"base": small()}, SECONDS, out=out)
    assert "\n" not in str(error.value)
    assert out.read_text() == content
