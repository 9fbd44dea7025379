"""Goals that are met and missed, in the table and in the sentences under it."""

from deqir_lite.evaluation import text_table
from deqir_lite.evaluation.verdicts import goals_reached
from deqir_lite.operators import TASKS


def test_goals(made_up):
    made_up("sr2", 128, 20, 0.5, "a.png", 21.2)  # bicubic + 3.2, TV + 1.2: met
    made_up("sr4", 128, 20, 0.5, "a.png", 20.2)  # bicubic + 2.2: enough, but TV + 0.2 of 0.3
    made_up("inpaint-text", 128, 20, 0.5, "a.png", 21.0, baseline=20.5)  # + 0.5 of 1
    made_up("sensing", 128, 20, 0.5, "a.png", 21.0)  # only the two reference methods
    made_up("sr8", 64, 20, 0.5, "a.png", 1.0)  # goals are for 128 pixels
    rows = {row.split()[0]: row for row in text_table(made_up.results).splitlines() if row}
    assert rows["sr2"].endswith("met, by 0.50")
    assert rows["sr4"].endswith("missed: 0.10 below TV + 0.3")
    assert rows["inpaint-text"].endswith("missed: 0.50 below biharmonic + 1")
    assert rows["sensing"].endswith("met, by 1.00")
    first, met, missed, unknown = goals_reached(made_up.results).split("\n\n")
    assert first.startswith(
        "At 128 pixels 2 of 4 tasks reach all their goals. Each is judged by the mean of 2 "
        "samples, with T = 20."
    )
    assert met == "Met: sr2 (T = 20, by 0.50 dB); sensing (T = 20, by 1.00 dB)."
    assert missed == (
        "Missed: sr4 (T = 20: 0.10 dB below TV + 0.3); "
        "inpaint-text (T = 20: 0.50 dB below biharmonic + 1)."
    )
    assert unknown.startswith("Not run: ")
    assert "sr8" in unknown


def test_several_misses_of_one_task(made_up):
    made_up("sr2", 128, 20, 0.5, "a.png", 18.5)
    assert (
        "sr2 (T = 20: 1.40 dB below bicubic + 1.9, 2.20 dB below TV + 0.7, "
        "0.50 dB below Gaussian)" in goals_reached(made_up.results)
    )
    assert "Met:" not in goals_reached(made_up.results)


def test_a_task_is_judged_by_its_better_chain(made_up):
    made_up("sr2", 128, 20, 0.5, "a.png", 19.0)
    made_up("sr2", 128, 100, 0.5, "a.png", 23.0)
    made_up("sr4", 128, 20, 0.5, "a.png", 23.0)
    made_up("sr4", 128, 100, 0.5, "a.png", 23.0, single=True)
    text = goals_reached(made_up.results)
    assert "2 of 2 tasks reach all their goals" in text
    assert "with the chain length that does best" in text
    assert "Judged at T = 20 alone, the only length with several samples: sr4." in text
    assert "Met: sr2 (T = 100, by 2.30 dB); sr4 (T = 20, by 2.70 dB)." in text


def test_a_chain_on_fewer_photos_does_not_replace_one_on_all(made_up):
    made_up("sr2", 128, 20, 0.5, "a.png", 19.0)
    made_up("sr2", 128, 20, 0.5, "b.png", 19.0)
    made_up("sr2", 128, 100, 0.5, "a.png", 23.0)
    assert "0 of 1 tasks" in goals_reached(made_up.results)
    assert "Not all photos" not in goals_reached(made_up.results)


def test_verdicts_on_few_photos_say_so(made_up):
    made_up("sr2", 128, 20, 0.5, "a.png", 23.0)
    assert "Not all photos are done, or large enough, for any of them." in goals_reached(
        made_up.results
    )
    for photo in ("a.png", "b.png"):
        made_up("sr4", 128, 20, 0.5, photo, 23.0)
    assert "Not all photos are done, or large enough, for sr2." in goals_reached(made_up.results)


def test_one_sample_is_not_judged_but_was_run(made_up):
    made_up("sr2", 128, 20, 0.5, "a.png", 23.0, single=True)
    made_up("sr2", 128, 100, 0.5, "a.png", 23.0, single=True)
    nothing, single = goals_reached(made_up.results).split("\n\n")
    assert nothing.startswith("No task has been run at 128 pixels")
    assert single == "One sample only, not judged: sr2."
    made_up("sr4", 128, 20, 0.5, "a.png", 23.0)
    made_up("sr8", 128, 20, 0.5, "a.png", None)
    *_, single, unknown = goals_reached(made_up.results).split("\n\n")
    assert single == "One sample only, not judged: sr2."
    names = unknown.removeprefix("Not run: ").removesuffix(".").split(", ")
    assert set(names) == set(TASKS) - {"sr2", "sr4"}


def test_a_goal_at_another_size_follows_by_itself(made_up):
    made_up("colorization", 128, 20, 1.0, "a.png", 21.0)
    made_up("sr2", 256, 20, 1.0, "a.png", 23.0)
    assert "other sizes" not in goals_reached(made_up.results)
    made_up("colorization", 256, 20, 1.0, "a.png", 19.5)
    made_up("colorization", 256, 50, 1.0, "a.png", 18.5)
    first, *_, last = goals_reached(made_up.results).split("\n\n")
    assert first.startswith("At 128 pixels 1 of 1 tasks")
    assert last == (
        "Goals at other sizes, in dB: colorization at 256 pixels with T = 20, met, by 0.50; "
        "colorization at 256 pixels with T = 50, missed: 0.50 below grey + 1."
    )
