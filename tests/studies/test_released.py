"""The study of the released code: what it measures, what it keeps, and the file of the book."""

import math
from dataclasses import replace

import pytest

from deqir_lite import load_bundled_photo, load_prior, make_chain, psnr, restore_parallel
from deqir_lite.methods import ReleasedNoise
from deqir_lite.operators import gaussian_blur, make_task
from deqir_lite.operators.blur import ReleasedBlur
from deqir_lite.priors import GaussianPrior, power_law_spectrum
from deqir_lite.solvers import ReleasedAnderson
from deqir_lite.studies.comparison.paper import PAPER
from deqir_lite.studies.released import (
    BLURS,
    COLOURED,
    DDNM,
    PHOTOS,
    STUDY,
    TASKS,
    WAYS,
    ReleasedRun,
    make_run_chain,
    measure,
    study_runs,
)
from deqir_lite.verification import bent_prior

RUN = ReleasedRun("sr2", "cat", "fresh", sweeps=3, num_steps=6, size=16)


@pytest.fixture(scope="module")
def bent():
    """Quick, and not Gaussian."""
    return bent_prior(GaussianPrior(power_law_spectrum()))


@pytest.fixture(scope="module")
def photo():
    return load_bundled_photo("cat", size=16)


@pytest.mark.parametrize(
    ("way", "nw", "solver"),
    [("quiet", 0.0, ReleasedAnderson()), ("fresh", 0.15, ReleasedAnderson()),
     ("plain", 0.15, "picard")],
)  # fmt: skip
def test_a_run_is_what_one_would_do_by_hand(bent, photo, way, nw, solver):
    found = measure(replace(RUN, way=way), bent)
    operator = make_task("sr2", (16, 16))
    rule, grid = ReleasedNoise(nw, 0.15), {"num_steps": 6, "spacing": "uniform"}
    chain = make_chain(bent, operator, operator.A(photo), rule=rule, **grid)
    walked = chain.sequential()[-1]
    with pytest.warns(UserWarning, match="not converged"):
        solved = restore_parallel(
            chain, form="noise", start="x_T", solver=solver, max_sweeps=3, tolerance=0,
            record=("x0",),
        )  # fmt: skip
    expected = [psnr(x0, walked).item() for x0 in solved.trace.x0]
    assert found.near == pytest.approx(expected, abs=1e-3)
    last = solved.trace.x0[-1].clamp(-1, 1)
    assert found.psnr == pytest.approx(psnr(last, photo).item(), abs=1e-3)
    assert found.walked == pytest.approx(psnr(walked.clamp(-1, 1), photo).item())


def test_fewer_sweeps_are_the_beginning_of_more(bent):
    """So that a few of them tell whether the file comes back."""
    longest = measure(replace(RUN, sweeps=5), bent).near
    for sweeps in (1, 3):
        assert measure(replace(RUN, sweeps=sweeps), bent).near == longest[:sweeps]


def test_ddnm_is_walked_as_published(bent, photo):
    found = measure(replace(RUN, way=DDNM), bent)
    operator = make_task("sr2", (16, 16))
    chain = make_chain(bent, operator, operator.A(photo), method="ddnm+")
    assert chain.num_steps == 100
    expected = psnr(chain.sequential()[-1].clamp(-1, 1), photo).item()
    assert found.near == ()
    assert found.psnr == found.walked == pytest.approx(expected)


@pytest.mark.parametrize("way", [DDNM, *WAYS])
def test_blurs_are_the_released_ones(bent, photo, way):
    for task in BLURS:
        run = replace(RUN, task=task, way=way)
        assert isinstance(make_run_chain(run, photo, bent).measurement.operator, ReleasedBlur)
    run = replace(RUN, task="deblur-gaussian", way=way)
    released = gaussian_blur(kernel="released").A(photo)
    assert make_run_chain(run, photo, bent).measurement.y.equal(released)


def test_unknown_ways_and_no_sweeps_are_refused(bent):
    with pytest.raises(ValueError, match="^way: unknown value 'best'"):
        measure(replace(RUN, way="best"), bent)
    with pytest.raises(ValueError, match="^sweeps: got 0"):
        measure(replace(RUN, sweeps=0), bent)


def test_runs():
    runs = study_runs()
    assert len(set(runs)) == len(runs)
    assert len(runs) == (len(WAYS) + 1) * ((len(TASKS) - 1) * len(PHOTOS) + len(COLOURED))
    assert {task for table in PAPER[:3] for task in table.tasks} <= set(TASKS)
    assert {run.task for run in study_runs(["sr4"])} == {"sr4"}


def test_a_file_is_read_as_it_was_written(tmp_path, bent):
    out, runs = tmp_path / "a.json", [RUN, replace(RUN, way=DDNM)]
    made = STUDY.run(out, runs, prior=bent, prior_name="bent")
    read = STUDY.load(out)
    assert [entry.run for entry in read] == runs
    for ours, theirs in zip(made, read, strict=True):
        assert theirs.near == pytest.approx(ours.near, abs=0.006)
        assert (theirs.psnr, theirs.walked) == pytest.approx((ours.psnr, ours.walked), abs=0.001)
    out.write_text(out.read_text().replace('"sweeps": 3', '"sweeps": 2'))
    with pytest.raises(ValueError, match=r"near: got 3 numbers; expected 2; it is no released"):
        STUDY.load(out)


def test_the_file_of_the_book_is_whole():
    entries = STUDY.load()
    assert {entry.run for entry in entries} == set(study_runs())
    assert len(entries) == len(study_runs())
    for entry in entries:
        assert all(map(math.isfinite, (*entry.near, entry.psnr, entry.walked)))


def test_an_entry_of_the_file_measured_again():
    stored = next(e for e in STUDY.load() if e.run == ReleasedRun("sr4", "cat", "fresh"))
    again = measure(replace(stored.run, sweeps=3), load_prior("photo64"))
    assert again.near == pytest.approx(stored.near[:3], abs=0.1)
    assert again.walked == pytest.approx(stored.walked, abs=0.01)
