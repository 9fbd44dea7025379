"""Sizes that were not run and photos that do not count are named, complete runs are not."""

from deqir_lite.evaluation.coverage import has_all_photos, not_all_photos, not_run
from deqir_lite.evaluation.settings import SIZES, TIMESTEPS
from deqir_lite.evaluation.summary import summarise


def run_on(made_up, photos, task, size=64, steps=20):
    for photo in photos:
        made_up(task, size, steps, 1.0, photo, 30.0)


def test_sizes_and_lengths_that_are_missing_are_named(made_up):
    for size in SIZES:
        for steps in TIMESTEPS:
            if (size, steps) != (256, 50):
                run_on(made_up, ["a.png"], "sr2", size, steps)
    assert not_run(made_up.results) == "These were not run: 256 pixels with T = 50."
    run_on(made_up, ["a.png"], "sr2", 256, 50)
    assert not_run(made_up.results) == ""


def test_a_stage_that_was_stopped(made_up):
    """Each photo was computed at this size: none is too small for it."""
    run_on(made_up, ["a.png", "b.png"], "sr2")
    run_on(made_up, ["a.png"], "sr2", steps=100)
    assert not_all_photos(made_up.results) == [
        "The run was stopped before all photos were done: 64 pixels with T = 100."
    ]
    run_on(made_up, ["b.png"], "sr2", steps=100)
    assert not_all_photos(made_up.results) == []


def test_all_stages_with_equally_few_photos(made_up):
    made_up.results.settings["photos"]["c.png"] = "3"
    run_on(made_up, ["a.png", "b.png"], "sr2")
    (sentence,) = not_all_photos(made_up.results)
    assert sentence.startswith("Not all 3 photos count here: 64 pixels with T = 20. The others are")
    assert "or the run was stopped" in sentence


def test_a_photo_that_may_be_too_small(made_up):
    """It was computed at a smaller size, at this one for no task."""
    run_on(made_up, ["a.png", "b.png"], "sr2", size=64)
    run_on(made_up, ["a.png"], "sr2", size=256)
    (sentence,) = not_all_photos(made_up.results)
    assert sentence.startswith("Not all 2 photos count here: 256 pixels with T = 20.")
    assert "smaller than this" in sentence


def test_references_alone_count_their_photos(made_up):
    made_up("sr2", 64, 20, 1.0, "a.png", None)
    (sentence,) = not_all_photos(made_up.results)
    assert "count here: 64 pixels. The" in sentence


def test_colour_is_judged_on_the_photos_known_to_be_coloured(made_up):
    run_on(made_up, ["a.png"], "colorization")
    assert not_all_photos(made_up.results)  # b.png may be grey, or not yet done
    run_on(made_up, ["a.png", "b.png"], "sr2")
    assert not_all_photos(made_up.results) == []
    run_on(made_up, ["b.png"], "old-photo", size=64)
    assert [line.task for line in summarise(made_up.results) if line.photos == 1] == [
        *("colorization", "old-photo"),
    ]
    assert not any(
        has_all_photos(made_up.results, line)
        for line in summarise(made_up.results)
        if line.photos == 1
    )
    assert "was stopped before all photos" in not_all_photos(made_up.results)[0]
