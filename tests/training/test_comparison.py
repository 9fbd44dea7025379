"""Recipes side by side: the same photos and time for each."""

import json
import time

import pytest
import torch

from deqir_lite.training import comparison_report
from deqir_lite.training.comparison import compare_recipes, main, named_recipes
from deqir_lite.training.comparison_report import comparison_summary, comparison_table
from deqir_lite.training.photos import load_photos
from deqir_lite.training.recipe import Recipe
from deqir_lite.training.trainer import Trainer
from deqir_lite.training.validation import LEVELS
from deqir_lite.training.variants import CHANGES, change_in_words

SECONDS = 1 / 60


def small(**changes):
    tiny = {"channels": (8, 16), "blocks": 1, "crop": 16, "final_crop": 16, "batch": 4, "warmup": 2}
    return Recipe(**tiny | changes)


def test_each_recipe_gets_the_same_time(photo_folder, clock):
    recipes = {"base": small(), "full": small(patch=1), "deep": small(blocks=2)}
    result = compare_recipes(load_photos(photo_folder, 16), recipes, 3 * SECONDS)
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
    table = comparison_table(rows).splitlines()
    assert len(table) == 2 + len(recipes)
    assert {line.count("|") for line in table} == {6 + len(LEVELS) + 1}


def test_named_recipes_change_what_they_say():
    recipes = named_recipes("cpu")
    assert list(recipes) == list(CHANGES)
    assert recipes["base"] == Recipe()
    for name, changes in CHANGES.items():
        for key, value in changes.items():
            assert getattr(recipes[name], key) == value
    # comparable networks: none has twice the parameters of another
    sizes = [sum(p.numel() for p in r.build_network().parameters()) for r in recipes.values()]
    assert max(sizes) < 2 * min(sizes)
    assert named_recipes("cuda", ["base"]) == {"base": Recipe.for_device("cuda")}


def test_command_writes_json_and_prints_the_table(
    photo_folder, tmp_path, monkeypatch, clock, capsys
):
    monkeypatch.setattr(Recipe, "for_device", lambda device, **changes: small(**changes))
    out = tmp_path / "comparison.json"
    arguments = ["--photos", str(photo_folder), "--minutes", str(2 * SECONDS), "--device", "cpu",
                 "--out", str(out), "--recipes", "base", "deep"]  # fmt: skip
    main(arguments)
    rows = json.loads(out.read_text())["recipes"]
    assert list(rows) == ["base", "deep"]
    assert [row["change"] for row in rows.values()] == ["none", change_in_words("deep")]
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


def test_a_stopped_comparison_keeps_the_recipes_it_has_and_goes_on(photo_folder, tmp_path, clock):
    clock.stop_after = 3
    out = tmp_path / "comparison.json"
    recipes = {"base": small(), "half uniform": small(low_noise=0.5)}
    photos = load_photos(photo_folder, 16)
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
def test_only_what_compares_is_gone_on_with(photo_folder, tmp_path, content, message):
    out = tmp_path / "comparison.json"
    out.write_text(content)
    with pytest.raises(ValueError, match=message) as error:
        compare_recipes(load_photos(photo_folder, 16), {"base": small()}, SECONDS, out=out)
    assert "\n" not in str(error.value)
    assert out.read_text() == content


def test_on_a_cpu_the_time_is_that_of_the_training_alone(photo_folder, monkeypatch):
    """Other programs may have the processor meanwhile."""
    clocks = []

    def train(self, minutes, show_progress, clock):
        clocks.append(clock)
        self.save()

    monkeypatch.setattr(Trainer, "train", train)
    compare_recipes(load_photos(photo_folder, 16), {"base": small()}, 1.0)
    assert clocks == [time.thread_time]


ROWS = {
    "base": {"loss": 0.3, "steps": 1220, "psnr_t20": 29.0, "psnr_t750": 14.0},
    "wide": {"loss": 0.3004, "steps": 199, "psnr_t20": 28.0, "psnr_t750": 13.0},
    "deep": {"loss": 0.4, "steps": 146, "psnr_t20": 28.0, "psnr_t750": 13.0},
    "full resolution": {"loss": 0.36, "steps": 213, "psnr_t20": 28.0, "psnr_t750": 13.0},
    "large batch": {"loss": 0.336, "steps": 611, "psnr_t20": 30.0, "psnr_t750": 9.0},
    "low rate": {"loss": 0.31, "steps": 1221, "psnr_t20": 28.0, "psnr_t750": 13.0},
    "high rate": {"loss": 0.302, "steps": 1222, "psnr_t20": 28.0, "psnr_t750": 13.0},
    "half uniform": {"loss": 0.29, "steps": 1215, "psnr_t20": 28.0, "psnr_t750": 13.0},
    "large crops": {"loss": 0.5, "steps": 1300, "psnr_t20": 28.0, "psnr_t750": 13.0},
}


def test_the_summary_names_the_winners():
    rows = {name: ROWS[name] for name in ("large batch", "half uniform")}
    assert comparison_summary(rows) == (
        "half uniform has the lowest loss. The best denoiser is: large batch at t = 20; "
        "half uniform at t = 750."
    )


def test_the_summary_answers_each_question_from_the_losses():
    winners, findings, unfinished = comparison_summary(ROWS).split("\n\n")
    assert winners.startswith("half uniform has the lowest loss.")
    assert findings == (
        "With a wider network the loss is the same to three digits after the same time (199 steps "
        "instead of 1,220); with a deeper network the loss is 0.100 higher after the same time "
        "(146 steps instead of 1,220). Without pixel-unshuffle the loss is 0.060 higher after the "
        "same time (213 steps instead of 1,220). With a larger batch the loss is 0.036 higher "
        "after the same time (611 steps instead of 1,220). With half of Muon's rate the loss is "
        "0.010 higher after the same time (1,221 steps instead of 1,220); with twice the rate it "
        "is 0.002 higher after the same time (1,222 steps instead of 1,220). With half of the "
        "timesteps drawn uniformly the loss is 0.010 lower after the same time (1,215 steps "
        "instead of 1,220). With larger crops in the decay the loss is 0.200 higher after the same "
        "time (1,300 steps instead of 1,220)."
    )
    assert unfinished == (
        "Ended within the warm-up of 200 steps: wide, deep. A longer comparison may rank them "
        "otherwise."
    )


def test_every_change_answers_a_question():
    asked = {name for question in comparison_report._QUESTIONS for name in question}
    assert asked == set(CHANGES) - {"base"}


def test_the_warm_up_is_that_of_the_row():
    rows = {"base": ROWS["base"] | {"warmup": 1221}, "deep": ROWS["deep"]}
    text = comparison_summary(rows)
    assert "Ended within the warm-up of 1221 steps: base." in text
    assert "Ended within the warm-up of 200 steps: deep." in text
    done = {name: row | {"warmup": 1} for name, row in rows.items()}
    assert "warm-up" not in comparison_summary(done)


def test_every_change_has_its_words():
    assert {name: change_in_words(name) for name in CHANGES} == {
        "base": "none",
        "wide": "channels 64, 128, 144, 160",
        "deep": "3 blocks per level, channels 48, 96, 112, 160",
        "full resolution": "no pixel-unshuffle, channels 16, 48, 96, 128, 224",
        "large batch": "batch 64, Muon's rate 0.004",
        "low rate": "Muon's rate 0.0015",
        "high rate": "Muon's rate 0.006",
        "half uniform": "50% of the timesteps towards low noise",
        "large crops": "crops of 96 x 96 pixels in the decay",
    }
    assert change_in_words("bogus") == ""


def test_the_change_in_a_row_comes_before_that_of_its_name():
    row = ROWS["base"] | {"params": 1_000_000, "crops": 39_040}
    table = comparison_table({"base": row | {"change": "so and so"}, "full resolution": row})
    assert "| base | so and so | 1.0 M |" in table
    assert (
        "| full resolution | no pixel-unshuffle, channels 16, 48, 96, 128, 224 | 1.0 M |" in table
    )
    assert "| 1,220 | 39,040 | 0.3000 |" in table
