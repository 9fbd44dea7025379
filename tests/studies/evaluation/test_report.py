"""From made-up scores to the table, the page, the command and the figure."""

import io

import numpy as np
from PIL import Image

from deqir_lite.studies.evaluation.pictures import Pictures
from deqir_lite.studies.evaluation.report import blocks, page, reproducing_command, terminal_report
from deqir_lite.studies.evaluation.results import Results
from deqir_lite.studies.evaluation.settings import SIZES, TIMESTEPS, Setting


def page_of(made_up, figure=None):
    return " ".join(page(made_up.results, Pictures(made_up.results.folder), figure=figure).split())


def test_dashes_for_what_has_not_been_run(made_up):
    made_up("sr2", 128, 20, 0.5, "a.png", None)
    (block,) = blocks(made_up.results)
    assert block.title == "128 × 128 pixels, simpler methods alone"
    assert block.rows == [
        ["sr2", "1 × –", "15.00", "18.00 bicubic", "20.00", "19.00", "–", "–"],
    ]
    assert terminal_report(made_up.results).startswith(f"{block.title}\ntask")
    assert terminal_report(Results(made_up.results.folder, {})) == "Nothing has been run."
    for words in ("Precision", "power law", "seeds 0", "sampler loses", "exact posterior"):
        assert words not in page_of(made_up)


def test_goals(made_up):
    made_up("sr2", 128, 20, 0.5, "a.png", 21.2)  # bicubic + 3.2, TV + 1.2: met
    made_up("sr4", 128, 20, 0.5, "a.png", 20.2)  # bicubic + 2.2: enough, but TV + 0.2 of 0.3
    made_up("inpaint-text", 128, 20, 0.5, "a.png", 18.5, baseline=20.5)
    made_up("sensing", 128, 20, 0.5, "a.png", 21.0)  # only the two reference methods
    made_up("sr8", 128, 20, 0.5, "a.png", 21.0, single=True)
    made_up("colorization", 256, 20, 0.5, "a.png", 18.5)
    made_up("sr2", 64, 20, 0.5, "a.png", 1.0)
    large, small, largest = blocks(made_up.results)
    assert {row[0]: row[-1] for row in large.rows} == {
        "sr2": "met, by 0.50",
        "sr4": "missed: 0.10 below TV + 0.3",
        "inpaint-text": "missed: 3.00 below biharmonic + 1; 1.50 below TV; 0.50 below Gaussian",
        "sensing": "met, by 1.00",
        "sr8": "–",
    }
    assert (large.met, large.judged) == (2, 4)
    assert "colorization" in large.not_run
    assert small.header[-1] == "mean"  # goals are for 128 pixels
    assert largest.rows[0][-1] == "missed: 0.50 below grey + 1"
    assert "2 of 4 tasks reach all their goals." in terminal_report(made_up.results)
    text = page_of(made_up)
    assert "2 of 4 tasks reach all their goals. Not run here: " in text
    assert "0 of 1 tasks reach all their goals." in text


def test_the_page_is_made_of_whole_tables(made_up):
    made_up("sr2", 128, 20, 0.85, "a.png", 22.0, walked=17.5)
    made_up("colorization", 64, 20, 0.85, "a.png", 22.0)
    text = page(made_up.results, Pictures(made_up.results.folder), figure="picture.png")
    assert text.startswith("## Restoration\n")
    assert "\n\n\n" not in text
    assert "{" not in text
    tables = [part for part in text.split("\n\n") if part.startswith("|")]
    assert len(tables) == 3
    for table in tables:
        assert len({line.count("|") for line in table.splitlines()}) == 1
    assert f"\n```sh\n{reproducing_command(made_up.results)}\n```\n" in text
    assert "](picture.png)" in text
    assert "![" not in page_of(made_up)


def test_what_was_not_run_and_what_lacks_photos(made_up):
    for size in SIZES:
        for steps in TIMESTEPS:
            if (size, steps) not in ((256, 50), (64, 50)):
                made_up("sr2", size, steps, 1.0, "a.png", 30.0)
    text = page_of(made_up)
    assert "were not run: 64 pixels with T = 50, 256 pixels with T = 50." in text
    assert "A row of fewer than 2 photos lacks those" in text
    made_up.results.settings["photos"] = {"a.png": "1"}
    for size in (64, 256):
        made_up("sr2", size, 50, 1.0, "a.png", 30.0)
    assert "were not run" not in page_of(made_up)
    assert "A row of fewer" not in page_of(made_up)


def test_what_a_single_sample_lacks(made_up):
    made_up.results.settings["seeds"] = 8
    made_up("sr4", 64, 20, 1.0, "a.png", 30.0)
    made_up("sr8", 64, 20, 1.0, "a.png", 30.0)
    made_up.results.samples[Setting("sr8", 64, 20, 1.0), "a.png"]["single"]["psnr"] = [29.5, 29.5]
    text = page_of(made_up)
    assert "10 log₁₀ 2 = 3.01 dB" in text
    assert "(2 / (1 + 1/8)) = 2.50 dB" in text
    assert '"one" is 0.50 to 2.00 dB below "mean"' in text


def test_what_the_sampler_loses(made_up):
    made_up("sr2", 128, 20, 0.5, "a.png", 22.0, walked=17.5)  # the posterior mean itself has 19
    text = page_of(made_up)
    assert "### What the sampler loses" in text
    assert "| sr2 | 20 | 0.5 | 19.00 | 17.50 | -1.50 |" in text
    assert "10 log₁₀(1 + 1/2) = 1.76 dB" in text
    assert "positive difference" not in text
    made_up("colorization", 128, 20, 1.0, "a.png", 22.0, walked=19.25)
    assert "A positive difference is no contradiction" in page_of(made_up)


def test_conventions(made_up):
    made_up("sr2", 64, 20, 1.0, "a.png", 30.0)
    text = page_of(made_up)
    for fact in ("seed 0.", "seeds 0, 1, ...", "power law of exponent 3.", "network: x.", "a.png, ",
                 "smoothed 60 times", "Device: D.", "Versions: p 1.", "none of them used to train",
                 ):  # fmt: skip
        assert fact in text, fact
    made_up.results.context = {"photos": "my photos"}
    text = page_of(made_up)
    assert "Photos: a.png, b.png; cropped" in text
    for claim in ("none of them used", "Device", "Versions"):
        assert claim not in text


def test_reproducing_command(made_up):
    made_up("sr2", 64, 20, 0.3, "a.png", 22.0)
    made_up("sr4", 64, 100, 0.6, "a.png", 22.0)
    made_up.results.context["photos"] = "my photos"
    assert reproducing_command(made_up.results) == (
        "deqir-lite study evaluation --prior photo64 --photos 'my photos' --tasks sr2,sr4 "
        "--sizes 64 --timesteps 20,100 --eta 0.3,0.6 --seeds 2 --dtype x"
    )


def test_reproducing_command_with_the_options_that_were_not_default(made_up):
    made_up("inpaint-box", 64, 20, 1.0, "a.png", 22.0)
    made_up.results.settings |= {"all_seeds": True, "spacing": 1.5}
    assert reproducing_command(made_up.results) == (
        "deqir-lite study evaluation --prior photo64 --tasks inpaint-box --sizes 64 --timesteps 20 "
        "--spacing 1.5 --seeds 2 --dtype x --all-seeds"
    )


def test_the_figure_shows_the_most_important_rows(made_up):
    pictures = Pictures(made_up.results.folder)
    assert pictures.figure() is None
    for size, level in ((64, 0), (128, 200)):
        row = np.full((5, size, size, 3), level, dtype=np.uint8)
        pictures.rows[Setting("sr2", size, 20, 0.5)] = row
    picture = Image.open(io.BytesIO(pictures.figure())).convert("RGB")
    assert picture.width == 5 * 128 + 6 * 8
    shown = {colour: n for n, colour in picture.getcolors()}
    assert shown[200, 200, 200] >= 5 * 128 * 128
    assert picture.getpixel((0, 0)) == (255, 255, 255)
    assert "At 128 pixels, T = 20, eta = 0.5." in " ".join(
        page(made_up.results, pictures, figure="x.png").split()
    )
