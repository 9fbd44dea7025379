"""Means and the chosen eta: from made-up scores to the lines of the table."""

import pytest

from deqir_lite.evaluation import Setting, summarise
from deqir_lite.evaluation.summary import first_stage


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
    assert line.etas == (0.5, 0.85, 1.0)


def test_no_block_without_a_sample(made_up):
    made_up("sr2", 128, 20, 1.0, "a.png", 30.0)
    made_up("sr2", 64, 100, 1.0, "a.png", 30.0)
    assert [(line.size, line.timesteps) for line in summarise(made_up.results)] == [
        (128, 20),
        (64, 100),
    ]


def test_the_size_of_the_goals_and_the_short_chain_come_first():
    settings = [Setting("sr2", size, steps, 1.0) for size in (256, 64, 128) for steps in (100, 20)]
    assert first_stage(settings) == (128, 20)
    assert first_stage(s for s in settings if s.timesteps == 100 or s.size == 256) == (128, 100)
