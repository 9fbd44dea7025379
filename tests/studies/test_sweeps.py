"""The study of sweeps: what it measures, what it keeps, and the file that comes with the book."""

import itertools
import json
import math
from dataclasses import replace

import pytest
import torch

from deqir_lite import (
    load_bundled_photo,
    load_gaussian,
    load_prior,
    make_chain,
    psnr,
    restore_parallel,
)
from deqir_lite.fixedpoint import FORMS, STARTS
from deqir_lite.operators import make_task
from deqir_lite.priors import GaussianPrior, power_law_spectrum
from deqir_lite.studies.sweeps import (
    SOLVED,
    STOP,
    STUDY,
    SweepCurve,
    SweepRun,
    default_runs,
    make_run_chain,
    mean_default_sweeps,
    measure,
    study_runs,
)
from deqir_lite.verification import bent_prior

RUN = SweepRun("sr2", "cat", 6, 0.15, "uniform", "data", "picard", "measurement", size=16)


@pytest.fixture(scope="module")
def photos():
    return load_gaussian()


@pytest.fixture(scope="module")
def bent():
    """Quick, and not Gaussian."""
    return bent_prior(GaussianPrior(power_law_spectrum()))


def curve(*values):
    return SweepCurve(RUN, values)


def test_sweeps_to_is_where_the_curve_stays_above():
    assert curve(30.0, 39.9, 40.0, 45.0).sweeps_to(target=40) == 2
    assert curve(30.0, 41.0, 39.0, 45.0).sweeps_to(target=40) == 3
    assert curve(41.0, 42.0).sweeps_to(target=40) == 0
    assert curve(30.0, 39.0).sweeps_to(target=40) is None
    assert curve(30.0, 50.0, 10.0).sweeps_to(target=40) is None
    assert curve(30.0, 39.0).sweeps_to(target=20) == 0


def test_monotone():
    assert curve(1.0, 2.0, 2.0).is_monotone
    assert not curve(1.0, 3.0, 2.0).is_monotone


def test_the_runs_cover_every_combination_once():
    runs = study_runs((10, 20))
    assert len(runs) == len(set(runs))
    assert [run.num_steps for run in runs] == sorted(run.num_steps for run in runs)
    assert len(study_runs((10,))) == 2 * 2 * len(SOLVED)
    started = {
        (run.eta, run.spacing, run.form, run.start)
        for run in runs
        if run.num_steps == 20 and run.solver == "anderson-triangular"
    }
    assert started >= set(itertools.product([0.15, 1.0], ["uniform", "cubic"], FORMS, STARTS))


def test_the_default_runs_are_those_of_a_plain_call(bent, photos):
    (stripes,) = (r for r in default_runs() if (r.task, r.photo) == ("inpaint-stripe", "cat"))
    run = replace(stripes, size=16)
    operator = make_task(run.task, (16, 16))
    chain = make_chain(bent, operator, operator.A(load_bundled_photo("cat", size=16)))
    solution = restore_parallel(chain, tolerance=0.0, record=("x0",))
    expected = [psnr(x0, chain.sequential()[-1]).item() for x0 in solution.trace.x0]
    found = measure(run, bent, photos)
    assert found.psnr[1:] == pytest.approx(expected[: len(found.psnr) - 1], abs=0.01)
    stopped = restore_parallel(chain, x0_tolerance=0.02)
    assert found.stop == (stopped.sweeps, stopped.nfe)


def test_sweeps_of_the_default_runs():
    curves = [SweepCurve(run, (30.0, 41.0)) for run in default_runs()]
    curves[0] = SweepCurve(curves[0].run, (30.0, 31.0, 32.0, 41.0))
    assert mean_default_sweeps(curves) == 1 + 2 / len(curves)
    curves[-1] = SweepCurve(curves[-1].run, (30.0, 31.0))
    assert mean_default_sweeps(curves) == math.inf
    with pytest.raises(KeyError):
        mean_default_sweeps(curves[1:])


def test_a_picard_run_ends_at_the_sequential_sample(bent, photos):
    found = measure(RUN, bent, photos)
    assert found.run == RUN
    assert found.psnr[0] < 40
    assert len(found.psnr) <= RUN.num_steps + 1
    assert found.psnr[-1] >= STOP
    assert all(value < STOP for value in found.psnr[:-1])


def test_the_curve_is_that_of_the_solver(bent, photos):
    run = SweepRun(
        "sr2", "cat", 6, 0.15, "uniform", "noise", "anderson-triangular", "measurement", size=16
    )
    chain = make_run_chain(run, bent)
    solution = restore_parallel(
        chain, form="noise", start="measurement", tolerance=0.0, record=("x0",)
    )
    expected = [psnr(x0, chain.sequential()[-1]).item() for x0 in solution.trace.x0]
    curve = measure(run, bent, photos)
    found = curve.psnr[1:]
    assert len(found) >= 4
    assert found == pytest.approx(expected[: len(found)], abs=1e-6)
    stopped = restore_parallel(chain, form="noise", start="measurement")
    assert curve.stop == (stopped.sweeps, stopped.nfe)


def test_on_its_own_prior_the_gaussian_form_needs_no_sweep_at_all(photos):
    run = SweepRun("sr2", "cat", 6, 0.15, "uniform", "gaussian", "picard", "gaussian", size=16)
    assert measure(run, photos, photos).sweeps_to() == 0
    run = SweepRun("sr2", "cat", 6, 0.15, "uniform", "gaussian", "picard", "x_T", size=16)
    assert measure(run, photos, photos).sweeps_to() == 1


def test_the_allowed_sweeps_are_kept(bent, photos):
    run = SweepRun(
        "sr2", "cat", 6, 0.15, "uniform", "jacobi", "picard", "x_T", size=16, max_sweeps=2
    )
    found = measure(run, bent, photos)
    assert len(found.psnr) == 3
    assert found.sweeps_to() is None
    assert found.stop is None


def test_a_diverged_run_ends_before_the_first_bad_picture(bent, photos):
    sequential = make_run_chain(RUN, bent).sequential()[-1]
    calls = []

    class Failing:
        schedule = bent.schedule

        def __call__(self, x_t, t):
            calls.append(len(x_t))
            return bent(x_t, t) * (math.nan if len(calls) > 1 else 1)

    found = measure(RUN, Failing(), photos, sequential=sequential)
    assert len(found.psnr) == 2
    assert all(math.isfinite(value) for value in found.psnr)


def test_the_file_keeps_two_decimals_of_every_sweep(tmp_path, bent):
    out = tmp_path / "sweeps.json"
    (first,) = STUDY.run(out, [RUN], prior=bent, prior_name="bent")
    (again,) = STUDY.load(out)
    assert again.run == RUN
    assert again.psnr == pytest.approx(first.psnr, abs=0.006)
    assert again.stop == first.stop
    out.write_text(json.dumps({"curves": [vars(RUN) | {"psnr": [], "stop": None}]}))
    with pytest.raises(ValueError, match="no sweeps study"):
        STUDY.load(out)


def test_the_bundled_file_is_complete():
    curves = STUDY.load()
    assert {c.run for c in curves} == set(study_runs())
    assert len(curves) == len(study_runs())
    for c in curves:
        assert all(math.isfinite(value) and value > 0 for value in c.psnr)
        allowed = min(c.run.max_sweeps, c.run.num_steps)
        assert len(c.psnr) == allowed + 1 or (len(c.psnr) <= allowed and c.psnr[-1] >= STOP)
        if c.stop is not None:
            sweeps, evaluations = c.stop
            assert sweeps <= allowed
            assert evaluations <= sum(c.run.num_steps - j for j in range(sweeps))


def test_an_entry_of_the_bundled_file_measured_again(photos):
    wanted = ("inpaint-random", 10, 0.15, "gaussian", "picard")
    stored = next(
        c
        for c in STUDY.load()
        if (c.run.task, c.run.num_steps, c.run.eta, c.run.form, c.run.solver) == wanted
    )
    again = measure(stored.run, load_prior("photo64"), photos)
    assert again.sweeps_to() == stored.sweeps_to()
    assert again.stop == stored.stop
    assert torch.tensor(again.psnr[:3]).allclose(torch.tensor(stored.psnr[:3]), atol=0.5)
