"""The study of the weighted step: what it measures, what it keeps, and the file of the book."""

import math
from dataclasses import replace

import pytest

from deqir_lite import load_bundled_photo, make_chain, photo_names, psnr, restore_parallel
from deqir_lite.baselines import simple_answer
from deqir_lite.methods import DDNMNoise, DDPMNoise, ExactNoise
from deqir_lite.operators import TASKS as ALL_TASKS
from deqir_lite.priors import GaussianPosterior, GaussianPrior, power_law_spectrum
from deqir_lite.restoration import pose_problem
from deqir_lite.studies.weighted import (
    COLOURED,
    NOISY,
    PHOTOS,
    STUDY,
    SWEEPS,
    TASKS,
    WeightedRun,
    find,
    measure,
    noise_rule,
    study_runs,
)
from deqir_lite.verification import bent_prior

RUN = WeightedRun(
    "inpaint-random", 0.1, "weighted", 4, "ancestral", samples=2, solved=True, size=16
)


@pytest.fixture(scope="module")
def gaussian():
    return GaussianPrior(power_law_spectrum())


@pytest.fixture(scope="module")
def bent(gaussian):
    """Quick, and not Gaussian."""
    return bent_prior(gaussian)


def test_a_run_is_what_one_would_do_by_hand(gaussian, bent):
    entry = measure(RUN, bent, gaussian, photos=["cat"])
    photo = load_bundled_photo("cat", size=16)
    problem = pose_problem(photo, RUN.task, sigma_y=0.1)
    options = {"method": "weighted", "num_steps": 4, "rule": DDPMNoise(), "sigma_y": 0.1}
    chain = make_chain(bent, problem.operator, problem.y, samples=2, **options)
    samples = chain.sequential()[-1]
    clamped = samples.clamp(-1, 1)
    assert entry.psnr == pytest.approx(psnr(clamped, photo).mean().item())
    assert entry.psnr_mean == pytest.approx(psnr(clamped.mean(0, keepdim=True), photo).item())
    assert entry.spread == pytest.approx(clamped.std(0, correction=0).square().mean().sqrt().item())
    one = make_chain(bent, problem.operator, problem.y, **options)
    assert len(entry.decibel) == len(entry.worst) == SWEEPS + 1
    for sweeps in (1, 2):
        with pytest.warns(UserWarning, match="not converged"):
            solved = restore_parallel(one, max_sweeps=sweeps, gaussian=gaussian, tolerance=0)
        assert entry.decibel[sweeps] == pytest.approx(psnr(solved.x0, samples[:1]).item(), abs=0.1)
    assert len(entry.seconds) == 2


def test_answers_without_a_chain(gaussian, bent):
    photo = load_bundled_photo("cat", size=16)
    problem = pose_problem(photo, "sr2", sigma_y=0.1)
    simple = measure(WeightedRun("sr2", 0.1, "simple", size=16), bent, gaussian, photos=["cat"])
    expected = simple_answer(problem.operator, problem.y)[1].clamp(-1, 1)
    assert simple.psnr == simple.psnr_mean == pytest.approx(psnr(expected, photo).item())
    run = WeightedRun("sr2", 0.1, "gaussian", size=16)
    mean = GaussianPosterior(gaussian, problem.operator, problem.y.double(), sigma_y=0.1).mean()
    found = measure(run, bent, gaussian, photos=["cat"])
    expected = psnr(mean.clamp(-1, 1).float(), photo).item()
    assert found.psnr == pytest.approx(expected, abs=1e-2)
    assert (found.spread, found.decibel, found.seconds) == (0.0, (), ())


def test_rules():
    assert noise_rule(RUN) == DDPMNoise()
    assert noise_rule(replace(RUN, rule="renoise")) == DDNMNoise(1.0)
    assert noise_rule(replace(RUN, rule="exact", share=0.5)) == ExactNoise(0.5)
    with pytest.raises(ValueError, match=r"^rule: unknown value 'best'"):
        noise_rule(replace(RUN, rule="best"))


def test_runs_and_photos():
    runs = study_runs()
    assert len(set(runs)) == len(runs)
    assert set(TASKS) <= set(ALL_TASKS)
    assert sorted(PHOTOS) == sorted(photo_names())
    for name in PHOTOS:
        photo = load_bundled_photo(name, size=32)
        assert (name in COLOURED) == bool((photo.amax(1) - photo.amin(1)).max() > 2 / 127.5)
    assert {(run.task, run.sigma_y) for run in runs if run.sigma_y} == set(NOISY)


def test_a_file_is_read_as_it_was_written(tmp_path, gaussian, bent):
    out, runs = tmp_path / "a.json", [RUN, replace(RUN, method="simple", solved=False)]
    quick = replace(
        STUDY,
        measure=lambda runs, prior: (measure(r, prior, gaussian, photos=["cat"]) for r in runs),
    )
    made = quick.run(out, runs, prior=bent, prior_name="bent")
    read = STUDY.load(out)
    assert [entry.run for entry in read] == runs
    for ours, theirs in zip(made, read, strict=True):
        assert theirs.psnr == pytest.approx(ours.psnr, abs=0.01)
        assert theirs.decibel == pytest.approx(ours.decibel, abs=0.01)
    assert find(read, RUN.task, "weighted", sigma_y=0.1, num_steps=4) == read[0]
    with pytest.raises(KeyError, match="no run with"):
        find(read, RUN.task, "weighted", num_steps=4)
    out.write_text(out.read_text().replace('"psnr": ', '"psnr": "no", "old": ', 1))
    with pytest.raises(ValueError, match="is no weighted study"):
        STUDY.load(out)


def test_the_file_of_the_book_is_whole():
    entries = STUDY.load()
    assert {entry.run for entry in entries} == set(study_runs())
    assert all(math.isfinite(entry.psnr) for entry in entries)
