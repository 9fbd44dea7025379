"""Means, the chosen eta, goals and dashes: from made-up scores to the table."""

import io

import numpy as np
import pytest
from PIL import Image

from deqir_lite.evaluation import (
    GOALS,
    Pictures,
    Results,
    Setting,
    default_eta,
    markdown,
    summarise,
    text_table,
)
from deqir_lite.evaluation.command import reproducing_command
from deqir_lite.evaluation.figure import evaluation_figure
from deqir_lite.evaluation.settings import SIZES, TIMESTEPS
from deqir_lite.evaluation.table import missing_from_goals
from deqir_lite.operators import TASKS

OPTIONS = {"all_seeds": False, "dtype": "x"}


def score(value):
    return {"psnr": value, "ssim": value / 100}


@pytest.fixture
def made_up(tmp_path):
    """(task, size, T, eta, photo, mean, tv=...) -> adds one cell to .results."""
    results = Results(tmp_path, {"photos": {"a.png": "1", "b.png": "2"}, "seeds": 2} | OPTIONS)
    results.context = {"prior": "photo64", "photos": None, "devices": ["D"], "versions": {"p": "1"}}

    def add(task, size, steps, eta, photo, mean, tv=20.0, baseline=18.0):
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

    add.results = results
    return add


def test_means(made_up):
    made_up("sr2", 128, 20, 0.5, "a.png", 22.0)
    made_up("sr2", 128, 20, 0.5, "b.png", 26.0, tv=30.0)
    (line,) = summarise(made_up.results)
    assert (line.photos, line.seeds, line.baseline) == (2, 2, "bicubic")
    assert line.psnr == {
        **{"pinv": 15.0, "baseline": 18.0, "tv": 25.0, "gaussian": 19.0},
        **{"mean": 24.0, "one": 22.0, "walked": None},
    }
    assert line.ssim["mean"] == pytest.approx(0.24)
    assert line.ssim["one"] is None


def test_references_count_only_where_there_are_samples(made_up):
    """Half-way through the photos, all columns are of the same photos."""
    made_up("sr2", 64, 20, 0.5, "a.png", 22.0, tv=20.0)
    made_up("sr2", 64, 20, 0.5, "b.png", None, tv=30.0)
    (line,) = summarise(made_up.results)
    assert line.photos == 1
    assert line.psnr["tv"] == 20.0


def test_the_best_eta_is_chosen_among_those_that_saw_all_photos(made_up):
    for photo, better in (("a.png", 1.0), ("b.png", -0.5)):
        made_up("sr2", 64, 20, 0.5, photo, 22.0)
        made_up("sr2", 64, 20, 0.85, photo, 22.0 + better)
    made_up("sr2", 64, 20, 1.0, "a.png", 30.0)  # the other photo is not done yet
    (line,) = summarise(made_up.results)
    assert line.eta == 0.85
    assert line.psnr["mean"] == 22.25
    assert "0.85 (best of 0.5, 0.85, 1)" in text_table(made_up.results)


def test_goals(made_up):
    made_up("sr2", 128, 20, 0.5, "a.png", 20.5)  # bicubic + 2.5, TV + 0.5: met
    made_up("sr4", 128, 20, 0.5, "a.png", 19.5)  # bicubic + 1.5: enough, but below TV
    made_up("inpaint-text", 128, 20, 0.5, "a.png", 21.0, baseline=20.0)  # + 1.0 of 1.5
    made_up("sensing", 128, 20, 0.5, "a.png", 21.0)  # only the two reference methods
    made_up("sr8", 64, 20, 0.5, "a.png", 1.0)  # goals are for 128 pixels
    rows = {row.split()[0]: row for row in text_table(made_up.results).splitlines() if row}
    assert rows["sr2"].endswith("met, by 0.50")
    assert rows["sr4"].endswith("missed: TV by 0.50")
    assert rows["inpaint-text"].endswith("missed: biharmonic + 1.5 by 0.50")
    assert rows["sensing"].endswith("met, by 1.00")
    assert rows["sr8"].endswith("–")
    sentence = missing_from_goals(made_up.results)
    assert sentence.startswith(
        "At 128 pixels 2 of 4 tasks reach all their goals; missed: sr4 (TV by 0.50), "
        "inpaint-text (biharmonic + 1.5 by 0.50); not run: "
    )
    assert "sr8" in sentence.split("not run")[1]


def test_a_task_is_judged_by_its_better_chain(made_up):
    made_up("sr2", 128, 20, 0.5, "a.png", 19.0)
    assert "missed: sr2 (TV by 1.00; bicubic" in missing_from_goals(made_up.results).replace(
        "bicubic + 1.5 by 0.50; TV by 1.00", "TV by 1.00; bicubic"
    )
    made_up("sr2", 128, 100, 0.5, "a.png", 23.0)
    assert "1 of 1 tasks reach all their goals; not run" in missing_from_goals(made_up.results)


def test_every_goal_is_a_task():
    assert set(GOALS) <= set(TASKS)


def test_dashes_for_what_has_not_been_run(made_up):
    made_up("sr2", 128, 20, 0.5, "a.png", None)
    table = text_table(made_up.results)
    assert "128 × 128 pixels, T = –" in table
    assert table.splitlines()[2].split() == [
        *("sr2", "1", "×", "–", "–", "15.00", "18.00", "bicubic", "20.00", "19.00", "–", "–", "–"),
    ]
    nothing = "No task has been run at 128 pixels, the size of the goals, several times."
    assert nothing in table
    assert text_table(Results(made_up.results.folder, {})) == nothing


def test_one_sample_has_no_mean_and_no_verdict(made_up):
    made_up("sr2", 128, 100, 0.5, "a.png", 23.0)
    entry = made_up.results.samples[Setting("sr2", 128, 100, 0.5), "a.png"]
    entry["single"] = {"psnr": [23.0], "ssim": [None]}
    (line,) = summarise(made_up.results)
    assert (line.seeds, line.psnr["one"], line.psnr["mean"]) == (1, 23.0, None)
    assert line.verdicts == []
    row = text_table(made_up.results).splitlines()[2].split()
    assert row[-3:] == ["23.00", "–", "–"]


def test_what_the_sampler_loses(made_up):
    made_up("sr2", 128, 20, 0.5, "a.png", 22.0)
    assert "the sampler loses" not in markdown(made_up.results, "deqir-lite evaluate")
    entry = made_up.results.samples[Setting("sr2", 128, 20, 0.5), "a.png"]
    entry["gaussian"] = score(17.5)  # the posterior mean itself has 19
    text = markdown(made_up.results, "deqir-lite evaluate")
    assert "### What the sampler loses" in text
    assert "| sr2 | 20 | 0.5 | 19.00 | 17.50 | -1.50 |" in text


def test_markdown(made_up):
    made_up("sr2", 128, 20, 0.85, "a.png", 22.0)
    made_up("colorization", 64, 20, 0.85, "a.png", 22.0)
    text = markdown(made_up.results, "deqir-lite evaluate", "picture.png")
    assert text.startswith("## Restoration\n")
    tables = [line for line in text.splitlines() if line.startswith("|")]
    assert len(tables) == 6
    assert len({row.count("|") for row in tables}) == 1
    assert "none of them used to train" in text
    assert "(picture.png)" in text
    assert missing_from_goals(made_up.results) in text
    assert text.endswith("```sh\ndeqir-lite evaluate\n```\n")
    made_up.results.context["photos"] = "my photos"
    text = markdown(made_up.results, "deqir-lite evaluate")
    assert "none of them used to train" not in text
    assert "![" not in text


def test_no_block_without_a_sample(made_up):
    made_up("sr2", 128, 20, 1.0, "a.png", 30.0)
    made_up("sr2", 64, 100, 1.0, "a.png", 30.0)
    assert [(line.size, line.timesteps) for line in summarise(made_up.results)] == [
        (128, 20),
        (64, 100),
    ]


def test_sizes_and_lengths_that_are_missing_are_named(made_up):
    for size in SIZES:
        for steps in TIMESTEPS:
            if (size, steps) != (256, 100):
                made_up("sr2", size, steps, 1.0, "a.png", 30.0)
    sentence = "Not run: 256 pixels with T = 100."
    assert sentence in markdown(made_up.results, "deqir-lite evaluate")
    made_up("sr2", 256, 100, 1.0, "a.png", 30.0)
    assert "Not run" not in markdown(made_up.results, "deqir-lite evaluate")


def test_stages_with_fewer_photos_are_named(made_up):
    made_up("sr2", 64, 20, 1.0, "a.png", 30.0)
    made_up("sr2", 64, 100, 1.0, "a.png", 30.0)
    made_up("colorization", 64, 20, 1.0, "b.png", 30.0)
    assert "fewer photos" not in markdown(made_up.results, "deqir-lite evaluate")
    made_up("sr2", 64, 20, 1.0, "b.png", 30.0)
    sentence = "Stopped after fewer photos: 64 pixels with T = 100."
    assert sentence in markdown(made_up.results, "deqir-lite evaluate")


def test_reproducing_command(made_up):
    made_up("sr2", 64, 20, 0.3, "a.png", 22.0)
    made_up("sr4", 64, 100, 0.6, "a.png", 22.0)
    made_up.results.context["photos"] = "my photos"
    assert reproducing_command(made_up.results) == (
        "deqir-lite evaluate --prior photo64 --photos 'my photos' --tasks sr2,sr4 --sizes 64 "
        "--timesteps 20,100 --eta 0.3,0.6 --seeds 2 --dtype x"
    )


def test_reproducing_command_with_the_options_that_were_not_default(made_up):
    for steps in (20, 100):
        eta = default_eta("inpaint-box", steps)
        made_up("inpaint-box", 64, steps, eta, "a.png", 22.0)
    made_up.results.settings["all_seeds"] = True
    command = reproducing_command(made_up.results)
    assert "--eta" not in command
    assert command.endswith("--seeds 2 --dtype x --all-seeds")


def test_figure_shows_the_chosen_eta(made_up):
    pictures = Pictures(made_up.results.folder)
    assert evaluation_figure(made_up.results, pictures) is None
    for eta, mean, level in ((0.5, 20.0, 0), (0.85, 22.0, 200)):
        made_up("sr2", 128, 20, eta, "a.png", mean)
        row = np.full((5, 128, 128, 3), level, dtype=np.uint8)
        pictures.rows[Setting("sr2", 128, 20, eta)] = row
    picture = Image.open(io.BytesIO(evaluation_figure(made_up.results, pictures))).convert("RGB")
    assert picture.width == 5 * 128 + 6 * 10
    shown = {colour: n for n, colour in picture.getcolors()}
    assert shown[200, 200, 200] >= 5 * 128 * 128
    assert picture.getpixel((0, 0)) == (255, 255, 255)
