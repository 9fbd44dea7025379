"""From made-up scores to the table, the command and the figure."""

import io

import numpy as np
from PIL import Image

from deqir_lite.evaluation import (
    Pictures,
    Results,
    Setting,
    markdown,
    summarise,
    text_table,
)
from deqir_lite.evaluation.command import reproducing_command
from deqir_lite.evaluation.figure import evaluation_figure
from deqir_lite.evaluation.verdicts import goals_reached


def test_dashes_for_what_has_not_been_run(made_up):
    made_up("sr2", 128, 20, 0.5, "a.png", None)
    table = text_table(made_up.results)
    assert "128 × 128 pixels, T = –" in table
    assert table.splitlines()[2].split() == [
        *("sr2", "1", "×", "–", "–", "15.00", "18.00", "bicubic", "20.00", "19.00", "–", "–", "–"),
    ]
    nothing = "No task has been run at 128 pixels, the size of the goals, with several seeds."
    assert nothing in table
    assert text_table(Results(made_up.results.folder, {})) == nothing


def test_one_sample_has_no_mean_and_no_verdict(made_up):
    made_up("sr2", 128, 100, 0.5, "a.png", 23.0, single=True)
    (line,) = summarise(made_up.results)
    assert (line.seeds, line.psnr["one"], line.psnr["mean"]) == (1, 23.0, None)
    assert line.verdicts == []
    row = text_table(made_up.results).splitlines()[2].split()
    assert row[-3:] == ["23.00", "–", "–"]


def test_several_etas_are_listed(made_up):
    for eta in (0.5, 0.85, 1.0):
        made_up("sr2", 64, 20, eta, "a.png", 22.0 - (eta - 0.85) ** 2)
    assert "0.85 (best of 0.5, 0.85, 1)" in text_table(made_up.results)


def test_markdown(made_up):
    made_up("sr2", 128, 20, 0.85, "a.png", 22.0)
    made_up("colorization", 64, 20, 0.85, "a.png", 22.0)
    text = markdown(made_up.results, "deqir-lite evaluate", "picture.png")
    assert text.startswith("## Restoration\n")
    tables = [line for line in text.splitlines() if line.startswith("|")]
    assert len(tables) == 6
    assert len({row.count("|") for row in tables[:3]}) == 1
    assert "(picture.png)" in text
    assert goals_reached(made_up.results) in text
    assert text.endswith("```sh\ndeqir-lite evaluate\n```\n")
    assert "\n\n\n" not in text
    assert "![" not in markdown(made_up.results, "deqir-lite evaluate")


def test_goals_have_a_column_at_their_size_only(made_up):
    made_up("sr2", 128, 20, 0.85, "a.png", 22.0)
    made_up("sr2", 64, 20, 0.85, "a.png", 22.0)
    text = markdown(made_up.results, "deqir-lite evaluate")
    large, small = text.split("### ")[1:3]
    assert large.startswith("128")
    assert "| mean | goal at 128 |\n" in large
    assert small.startswith("64")
    assert "| one | mean |\n" in small


def test_what_the_sampler_loses(made_up):
    made_up("sr2", 128, 20, 0.5, "a.png", 22.0)
    assert "the sampler loses" not in markdown(made_up.results, "deqir-lite evaluate")
    made_up("sr2", 128, 20, 0.5, "a.png", 22.0, walked=17.5)  # the posterior mean itself has 19
    text = markdown(made_up.results, "deqir-lite evaluate")
    assert "### What the sampler loses" in text
    assert "| sr2 | 20 | 0.5 | 19.00 | 17.50 | -1.50 |" in text
    assert "positive difference" not in text
    made_up("colorization", 128, 20, 1.0, "a.png", 22.0, walked=19.25)
    text = markdown(made_up.results, "deqir-lite evaluate")
    assert "A positive difference (colorization)" in text


def test_the_picture_is_described_where_it_is_kept(made_up):
    made_up("sr2", 128, 20, 0.5, "a.png", 22.0)
    made_up("colorization", 128, 20, 0.5, "b.png", 22.0)
    assert "This is" not in markdown(made_up.results, "deqir-lite evaluate", "picture.png")
    row = np.zeros((5, 2, 2, 3), dtype=np.uint8)
    np.savez(made_up.results.folder / "evaluation-pictures.npz", **{"sr2 128 20 0.5": row})
    text = markdown(made_up.results, "deqir-lite evaluate", "picture.png")
    assert "This is b.png at 128 pixels, restored with chains of T = 20 steps." in text


def test_reproducing_command(made_up):
    made_up("sr2", 64, 20, 0.3, "a.png", 22.0)
    made_up("sr4", 64, 100, 0.6, "a.png", 22.0)
    made_up.results.context["photos"] = "my photos"
    assert reproducing_command(made_up.results) == (
        "deqir-lite evaluate --prior photo64 --photos 'my photos' --tasks sr2,sr4 --sizes 64 "
        "--timesteps 20,100 --eta 0.3,0.6 --seeds 2 --dtype x"
    )


def test_reproducing_command_with_the_options_that_were_not_default(made_up):
    made_up("inpaint-box", 64, 20, 1.0, "a.png", 22.0)
    made_up.results.settings["all_seeds"] = True
    command = reproducing_command(made_up.results)
    assert "--eta" not in command
    assert "--spacing" not in command
    assert command.endswith("--seeds 2 --dtype x --all-seeds")
    made_up.results.settings["spacing"] = 1.5
    assert "--timesteps 20 --spacing 1.5 --seeds 2" in reproducing_command(made_up.results)


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
