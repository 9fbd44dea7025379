"""Recipes side by side: the same photos and time for each."""

import json

import pytest
import torch

from deqir_lite.training.comparison import compare_recipes, main, named_recipes
from deqir_lite.training.comparison_report import comparison_summary, comparison_table
from deqir_lite.training.photos import load_photos
from deqir_lite.training.recipe import Recipe
from deqir_lite.training.trainer import Trainer
from deqir_lite.training.validation import LEVELS
from deqir_lite.training.variants import CHANGES, change_in_words

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
        assert set(row) == {
            "change", "steps", "params", "warmup", "loss", *(f"psnr_t{level}" for level in LEVELS)
        }  # fmt: skip
        assert row["steps"] == 3  # the clock's steps take a second each
    assert rows["deep"]["params"] > rows["base"]["params"] > rows["full"]["params"]
    assert len({row["loss"] for row in rows.values()}) == 3
    table = comparison_table(rows).splitlines()
    assert len(table) == 2 + len(recipes)
    assert {line.count("|") for line in table} == {5 + len(LEVELS) + 1}


def test_named_recipes_change_what_they_say():
    recipes = named_recipes("cpu")
    assert list(recipes) == list(CHANGES)
    assert recipes["base"] == Recipe()
    for name, changes in CHANGES.items():
        for key, value in changes.items():
            if key != "dead_leaves":
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
    assert [row["change"] for row in rows.values()] == ["none", "loss of the noise"]
    assert [row["warmup"] for row in rows.values()] == [2, 2]
    assert comparison_table(rows) in capsys.readouterr().out


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        (["--recipes", "bogus"], "recipes: unknown value 'bogus'; known: base, "),
        (["--minutes", "0"], "minutes: got 0.0; expected a number > 0"),
        (["--photos", "nowhere"], "photos: no folder nowhere"),
        (["--device", "foo"], "device: unknown value 'foo'; known: auto, cpu, cuda, mps"),
        (["--out", "gone/c.json"], "out: no folder 'gone' to write 'c.json' in"),
        (["--out", "."], "out: '.' is a folder; expected a file name"),
    ],
)
def test_refusals(photo_folder, tmp_path, monkeypatch, capsys, changed, message):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(Recipe, "for_device", lambda device, **changes: small())
    monkeypatch.setattr(Trainer, "train", None)
    arguments = ["--photos", str(photo_folder), "--minutes", "1", "--device", "cpu", *changed]
    with pytest.raises(SystemExit) as stopped:
        main(arguments)
    assert stopped.value.code == 2
    assert message in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(ValueError, match="recipes: got none"):
        comparison_table({})


def test_a_device_that_is_not_there(photo_folder, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    arguments = ["--photos", str(photo_folder), "--device", "cuda", "--out", str(tmp_path / "c")]
    with pytest.raises(SystemExit):
        main(arguments)
    assert (
        "device: 'cuda' is not available on this machine; use auto or cpu"
        in capsys.readouterr().err
    )


def test_a_stopped_comparison_keeps_the_recipes_it_has(photo_folder, tmp_path, clock):
    clock.stop_after = 3
    out = tmp_path / "comparison.json"
    recipes = {"base": small(), "uniform timesteps": small(low_noise=0.0)}
    with pytest.raises(KeyboardInterrupt):
        compare_recipes(load_photos(photo_folder, 16), recipes, 2 * SECONDS, out=out)
    assert list(json.loads(out.read_text())["recipes"]) == ["base"]


def test_dead_leaves_are_judged_on_the_same_photos(photo_folder, monkeypatch, clock):
    monkeypatch.setattr("deqir_lite.training.data.POOL", 4)
    judged, described = [], []

    class Watched(Trainer):
        def __init__(self, recipe, data):
            judged.append(data.validation)
            described.append(data.describe())
            super().__init__(recipe, data)

    monkeypatch.setattr("deqir_lite.training.comparison.Trainer", Watched)
    recipes = {"base": small(), "dead leaves only": small()}
    rows = compare_recipes(load_photos(photo_folder, 16), recipes, 2 * SECONDS)["recipes"]
    assert torch.equal(*judged)
    assert [d["dead_leaves"] for d in described] == [0.0, 1.0]
    assert [d["training"] for d in described] == [2, 0]
    assert [d["held_out"] for d in described] == [1, 1]
    assert rows["dead leaves only"]["loss"] != rows["base"]["loss"]


ROWS = {
    "base": {"loss": 0.3, "steps": 1220, "psnr_t20": 29.0, "psnr_t750": 14.0},
    "uniform timesteps": {"loss": 0.29, "steps": 1215, "psnr_t20": 28.0, "psnr_t750": 13.0},
    "epsilon weighting": {"loss": 0.336, "steps": 1211, "psnr_t20": 30.0, "psnr_t750": 9.0},
    "full resolution": {"loss": 0.36, "steps": 113, "psnr_t20": 28.0, "psnr_t750": 13.0},
    "wide and shallow": {"loss": 0.3004, "steps": 200, "psnr_t20": 28.0, "psnr_t750": 13.0},
    "deep and narrow": {"loss": 0.4, "steps": 146, "psnr_t20": 28.0, "psnr_t750": 13.0},
    "dead leaves only": {"loss": 0.5, "steps": 1300, "psnr_t20": 28.0, "psnr_t750": 13.0},
}


def test_the_summary_names_the_winners():
    rows = {name: ROWS[name] for name in ("epsilon weighting", "uniform timesteps")}
    assert comparison_summary(rows) == (
        "uniform timesteps has the lowest loss. The best denoiser is: epsilon weighting at t = 20; "
        "uniform timesteps at t = 750."
    )


def test_the_summary_answers_each_question_from_the_losses():
    winners, findings, unfinished = comparison_summary(ROWS).split("\n\n")
    assert winners.startswith("uniform timesteps has the lowest loss.")
    assert findings == (
        "Without pixel-unshuffle the loss is 0.060 higher after the same time (113 steps instead "
        "of 1,220). With uniform timesteps the loss is 0.010 lower after the same time (1,215 "
        "steps instead of 1,220). Trained with the loss of the noise, the loss of v in validation "
        "is 0.036 higher after the same time (1,211 steps instead of 1,220). It denoises better "
        "at t = 20 only. The loss can decide between the two, as both are validated with that of "
        "v; but only base was trained on it. With a wide and shallow network the loss is the same "
        "to three digits after the same time (200 steps instead of 1,220); with a deep and narrow "
        "network the loss is 0.100 higher after the same time (146 steps instead of 1,220). "
        "Trained on dead leaves only, the loss on the same held-out photos is 0.200 higher after "
        "the same time (1,300 steps instead of 1,220)."
    )
    assert unfinished == (
        "Ended within the warm-up of 200 steps: full resolution, deep and narrow. A longer "
        "comparison may rank them otherwise."
    )


def test_the_warm_up_is_that_of_the_row():
    rows = {"base": ROWS["base"] | {"warmup": 1221}, "deep and narrow": ROWS["deep and narrow"]}
    text = comparison_summary(rows)
    assert "Ended within the warm-up of 1221 steps: base." in text
    assert "Ended within the warm-up of 200 steps: deep and narrow." in text
    done = {name: row | {"warmup": 1} for name, row in rows.items()}
    assert "warm-up" not in comparison_summary(done)


@pytest.mark.parametrize(
    ("psnr", "where"),
    [((30.0, 15.0), "at all timesteps"), ((28.0, 13.0), "at no timestep"),
     ((29.0, 15.0), "at t = 750 only")],
)  # fmt: skip
def test_where_the_loss_of_the_noise_denoises_better(psnr, where):
    epsilon = ROWS["epsilon weighting"] | dict(zip(("psnr_t20", "psnr_t750"), psnr, strict=True))
    text = comparison_summary({"base": ROWS["base"], "epsilon weighting": epsilon})
    assert f"It denoises better {where}. The loss can decide" in text


def test_every_change_has_its_words():
    assert {name: change_in_words(name) for name in CHANGES} == {
        "base": "none",
        "uniform timesteps": "timesteps uniform",
        "epsilon weighting": "loss of the noise",
        "full resolution": "no pixel-unshuffle, one level more",
        "wide and shallow": "channels 96, 128, 192",
        "deep and narrow": "2 layers per block, channels 48, 96, 112, 128",
        "dead leaves only": "dead leaves, no photos",
    }
    assert change_in_words("bogus") == ""


def test_words_of_other_changes(monkeypatch):
    changes = {"low_noise": 0.25, "weighting": "v", "patch": 4, "dead_leaves": 0.5,
               "channels": (32, 64, 128, 144, 176)}  # fmt: skip
    monkeypatch.setitem(CHANGES, "other", changes)
    assert change_in_words("other") == (
        "25% of the timesteps towards low noise, loss of v, pixel-unshuffle by 4, 50% dead leaves, "
        "channels 32, 64, 128, 144, 176"
    )
    monkeypatch.setitem(CHANGES, "other", {"crop": 32})
    with pytest.raises(ValueError, match="changes: no words for 'crop'"):
        change_in_words("other")


def test_the_change_in_a_row_comes_before_that_of_its_name():
    row = ROWS["base"] | {"params": 1_000_000}
    table = comparison_table({"base": row | {"change": "so and so"}, "full resolution": row})
    assert "| base | so and so | 1.0 M |" in table
    assert "| full resolution | no pixel-unshuffle, one level more | 1.0 M |" in table
