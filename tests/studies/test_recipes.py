"""Recipes side by side: the same photos and time for each."""

import json
import time

import pytest
import torch

from deqir_lite.studies.recipes import CHANGES, compare_recipes, named_recipes
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
    for row in rows.values():
        assert set(row) == {
            "change", "steps", "crops", "params", "warmup", "loss",
            *(f"psnr_t{level}" for level in LEVELS),
        }  # fmt: skip
        assert row["crops"] == 12
        assert row["steps"] == 3  # the clock's steps take a second each
    assert rows["deep"]["params"] > rows["base"]["params"] > rows["full"]["params"]
    assert len({row["loss"] for row in rows.values()}) == 3


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


def test_a_stopped_comparison_keeps_the_recipes_it_has_and_goes_on(photos, tmp_path, clock):
    clock.stop_after = 3
    out = tmp_path / "comparison.json"
    recipes = {"base": small(), "half uniform": small(low_noise=0.5)}
    with pytest.raises(KeyboardInterrupt):
        compare_recipes(photos, recipes, 2 * SECONDS, out=out)
    kept = json.loads(out.read_text())["recipes"]
    assert list(kept) == ["base"]
    clock.stop_after, before = None, clock.steps
    whole = compare_recipes(photos, recipes, 2 * SECONDS, out=out)["recipes"]
    assert list(whole) == ["base", "half uniform"]
    assert whole["base"] == kept["base"]
    assert clock.steps == before + 2


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ('{"minutes": 5, "hardware": "a slide rule", "recipes": {}}', "was made in 5 minutes on a"),
        ('{"minutes": 5}', "is no comparison of recipes"),
        ("5", "is no comparison of recipes"),
        ("", "is no comparison of recipes"),
    ],
)
def test_only_what_compares_is_gone_on_with(photos, tmp_path, content, message):
    out = tmp_path / "comparison.json"
    out.write_text(content)
    with pytest.raises(ValueError, match=message) as error:
        compare_recipes(photos, {"base": small()}, SECONDS, out=out)
    assert "\n" not in str(error.value)
    assert out.read_text() == content


def test_on_a_cpu_the_time_is_that_of_the_training_alone(photos, monkeypatch):
    """Other programs may have the processor meanwhile."""
    clocks = []

    def train(self, minutes, show_progress, clock):
        clocks.append(clock)
        self.save()

    monkeypatch.setattr(Trainer, "train", train)
    compare_recipes(photos, {"base": small()}, 1.0)
    assert clocks == [time.thread_time]
