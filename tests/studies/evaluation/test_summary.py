"""Means over photos: from made-up scores to the lines of the table."""

from deqir_lite.studies.evaluation.settings import Setting
from deqir_lite.studies.evaluation.summary import summarise


def test_means(made_up):
    made_up("sr2", 128, 20, 0.5, "a.png", 22.0)
    made_up("sr2", 128, 20, 0.5, "b.png", 26.0, tv=30.0)
    (line,) = summarise(made_up.results)
    assert (line.photos, line.seeds, line.baseline) == (2, 2, "bicubic")
    assert line.psnr == {
        **{"pinv": 15.0, "baseline": 18.0, "tv": 25.0, "gaussian": 19.0},
        **{"mean": 24.0, "one": 22.0, "walked": None},
    }


def test_references_count_only_where_there_are_samples(made_up):
    """Half-way through the photos, all columns are of the same photos."""
    made_up("sr2", 64, 20, 0.5, "a.png", 22.0, tv=20.0)
    made_up("sr2", 64, 20, 0.5, "b.png", None, tv=30.0)
    (line,) = summarise(made_up.results)
    assert line.photos == 1
    assert line.psnr["tv"] == 20.0


def test_one_sample_has_no_mean_and_no_verdict(made_up):
    made_up("sr2", 128, 50, 0.5, "a.png", 23.0, single=True)
    (line,) = summarise(made_up.results)
    assert (line.seeds, line.psnr["one"], line.psnr["mean"]) == (1, 23.0, None)
    assert line.verdicts == []


def test_the_size_of_the_goals_and_the_short_chain_come_first(made_up):
    stages = [(size, steps) for size in (256, 64, 128) for steps in (50, 20)]
    for size, steps in stages:
        made_up("sr8", size, steps, 1.0, "a.png", 30.0)
        made_up("sr2", size, steps, 1.0, "a.png", 30.0)
    made_up("sr2", 128, 20, 0.5, "a.png", 30.0)
    made_up("sr4", 128, 20, 1.0, "a.png", None)
    settings = [line.setting for line in summarise(made_up.results)]
    assert settings[:3] == [
        Setting("sr2", 128, 20, 0.5),
        Setting("sr2", 128, 20, 1.0),
        Setting("sr8", 128, 20, 1.0),
    ]
    assert list(dict.fromkeys(s[1:3] for s in settings)) == [
        *((128, 20), (64, 20), (128, 50), (64, 50), (256, 20), (256, 50), (128, 0)),
    ]
