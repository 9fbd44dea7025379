"""Recipes side by side: the same photos and time for each."""

import json

import pytest

from deqir_lite.training.comparison import CHANGES, compare_recipes, main, named_recipes
from deqir_lite.training.photos import load_photos
from deqir_lite.training.recipe import Recipe
from deqir_lite.training.tables import comparison_summary, comparison_table
from deqir_lite.training.validation import LEVELS

SECONDS = 1 / 60


def small(**changes):
    return Recipe(channels=(16, 32), crop=16, batch=4, warmup=2, **changes)


def test_each_recipe_gets_the_same_time(photo_folder, clock):
    recipes = {"base": small(), "full": small(patch=1), "deep": small(layers_per_block=2)}
    result = compare_recipes(load_photos(photo_folder, 16), recipes, 3 * SECONDS)
    rows = result["recipes"]
    assert list(rows) == list(recipes)
    assert result["minutes"] == 3 * SECONDS
    assert "thread" in result["hardware"]
    for row in rows.values():
        assert set(row) == {"steps", "params", "loss", *(f"psnr_t{level}" for level in LEVELS)}
        assert row["steps"] == 3  # the clock's steps take a second each
    assert rows["deep"]["params"] > rows["base"]["params"] > rows["full"]["params"]
    assert len({row["loss"] for row in rows.values()}) == 3
    table = comparison_table(rows).splitlines()
    assert len(table) == 2 + len(recipes)
    assert {line.count("|") for line in table} == {4 + len(LEVELS) + 1}


def test_named_recipes_change_what_they_say():
    recipes = named_recipes("cpu")
    assert list(recipes) == list(CHANGES)
    assert recipes["base"] == Recipe()
    for name, changes in CHANGES.items():
        for key, value in changes.items():
            assert getattr(recipes[name], key) == value
    # comparable networks: none has twice the parameters of another
    sizes = [sum(p.numel() for p in r.build_unet().parameters()) for r in recipes.values()]
    assert max(sizes) < 2 * min(sizes)
    assert named_recipes("cuda", ["base"]) == {"base": Recipe.for_device("cuda")}


def test_command_writes_json_and_prints_the_table(
    photo_folder, tmp_path, monkeypatch, clock, capsys
):
    monkeypatch.setattr(Recipe, "for_device", lambda device, **changes: small(**changes))
    out = tmp_path / "comparison.json"
    arguments = ["--photos", str(photo_folder), "--minutes", str(2 * SECONDS), "--device", "cpu",
                 "--out", str(out), "--recipes", "base", "epsilon weighting"]  # fmt: skip
    main(arguments)
    rows = json.loads(out.read_text())["recipes"]
    assert list(rows) == ["base", "epsilon weighting"]
    assert comparison_table(rows) in capsys.readouterr().out


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        (["--recipes", "bogus"], "recipes: unknown value 'bogus'; known: base, "),
        (["--minutes", "0"], "minutes: got 0.0; expected a number > 0"),
        (["--photos", "nowhere"], "photos: no folder nowhere"),
    ],
)
def test_refusals(photo_folder, tmp_path, monkeypatch, capsys, changed, message):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(Recipe, "for_device", lambda device, **changes: small())
    arguments = ["--photos", str(photo_folder), "--minutes", "1", "--device", "cpu", *changed]
    with pytest.raises(SystemExit) as stopped:
        main(arguments)
    assert stopped.value.code == 2
    assert message in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(ValueError, match="recipes: got none"):
        comparison_table({})


def test_the_summary_names_the_winners():
    rows = {
        "base": {"loss": 0.3, "psnr_t20": 29.0, "psnr_t750": 14.0},
        "deep": {"loss": 0.4, "psnr_t20": 30.0, "psnr_t750": 13.0},
    }
    assert comparison_summary(rows) == (
        "The lowest loss has: base. The best denoiser is: deep at t = 20; base at t = 750."
    )
