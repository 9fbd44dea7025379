"""The study of posteriors: what theory says of the methods' draws, and the file of the book."""

import math
from dataclasses import replace
from functools import cache, partial

import pytest
import torch

from deqir_lite.chain import make_chain
from deqir_lite.methods import (
    METHODS,
    DDNMNoise,
    DDPMNoise,
    DiffPIRNoise,
    ExactNoise,
    MMPSConsistency,
)
from deqir_lite.priors import (
    GaussianMixturePrior,
    GaussianPosterior,
    GaussianPrior,
    power_law_spectrum,
)
from deqir_lite.studies.known_posterior import DISTANCE, PRIORS, UNDECIDED, pose
from deqir_lite.studies.posterior import (
    EXACT,
    LONG,
    NOISE,
    STUDY,
    TASKS,
    PosteriorError,
    PosteriorRun,
    compare,
    measure,
    method_of,
    study_runs,
)

GAUSSIAN = GaussianPrior(power_law_spectrum(size=8))
RUN = PosteriorRun("gaussian", "inpaint-random", 0.0, "ddnm", "renoise", 5, photos=2)


@cache
def known(prior, task, sigma_y):
    return pose(GAUSSIAN, prior, task, sigma_y, RUN.photos)


def errors(prior, task, sigma_y, method, rule="own", num_steps=5):
    run = replace(
        RUN, prior=prior, task=task, sigma_y=sigma_y, method=method, rule=rule, num_steps=num_steps
    )
    return measure(run, known(prior, task, sigma_y))


def chance(task, sigma_y):
    """What the variance ratio and n bias^2, with the mean 1 each, have at most by chance beyond:
    four deviations of the sums of squares that they are under a Gaussian posterior."""
    values = torch.linalg.eigvalsh(known("gaussian", task, sigma_y)[0].covariances[0]).clamp(min=0)
    deviation = (2 / RUN.photos) ** 0.5 * float(values.norm() / values.sum())
    return 4 * deviation / (RUN.draws - 1) ** 0.5, 4 * deviation


def is_right(error, task, sigma_y):
    return error.bias_over_chance**2 < 1 + chance(task, sigma_y)[1]


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("sigma_y", NOISE)
def test_the_known_mean_and_draws_are_those_of_the_gaussian_posterior(task, sigma_y):
    for posed in known("gaussian", task, sigma_y):
        other = GaussianPosterior(GAUSSIAN, posed.operator, posed.y, sigma_y=sigma_y)
        torch.testing.assert_close(posed.mean, other.mean().flatten(), rtol=0, atol=1e-7)
    error = errors("gaussian", task, sigma_y, EXACT)
    assert is_right(error, task, sigma_y)
    assert abs(error.variance - 1) < chance(task, sigma_y)[0]
    assert error.components == 0


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("sigma_y", NOISE)
def test_the_weighted_step_has_the_mean_and_with_the_exact_rule_the_spread(task, sigma_y):
    for rule in ("exact", "ancestral", "renoise"):
        error = errors("gaussian", task, sigma_y, "weighted", rule)
        assert is_right(error, task, sigma_y), rule
        off = error.variance - 1
        if rule == "exact":
            assert abs(off) < chance(task, sigma_y)[0]
        else:
            assert off < -chance(task, sigma_y)[0], rule


def test_mmps_has_the_mean_where_its_solve_ends():
    """Three iterations do where A sees little, and not where it sees half of the pixels."""
    assert is_right(errors("gaussian", "sr4", 0.1, "mmps"), "sr4", 0.1)
    posed, case = known("gaussian", "inpaint-random", 0.0), ("inpaint-random", 0.0)
    assert not is_right(errors("gaussian", *case, "mmps"), *case)
    step = partial(MMPSConsistency, iterations=40)
    y = torch.cat([one.y for one in posed]).repeat_interleave(RUN.draws, dim=0)
    method = replace(METHODS["mmps"], consistency=step)
    prior, operator = posed[0].prior, posed[0].operator
    chain = make_chain(prior, operator, y, method=method, num_steps=3)
    assert is_right(compare(RUN, chain.sequential()[-1].detach(), posed), *case)


def test_ddnm_has_not_the_mean():
    """It fills what A does not see without a look at what A does, and takes noise for the photo."""
    for sigma_y in NOISE:
        error = errors("gaussian", "inpaint-random", sigma_y, "ddnm", "renoise")
        assert error.bias_over_chance > 3


def test_the_mixture_has_the_moments_of_the_gaussian_and_two_modes():
    one, two = (PRIORS[name](GAUSSIAN, 8) for name in ("gaussian", "mixture"))
    apart = two.means - one.means
    covariance = torch.einsum("k,ki,kj->ij", two.weights, apart, apart) + two.covariances()[0]
    torch.testing.assert_close(two.weights @ two.means, one.means[0])
    torch.testing.assert_close(covariance, one.covariances()[0])
    step = two.means[0] - two.means[1]
    within = two.covariances()[1]
    assert float(step @ torch.linalg.solve(within, step)) == pytest.approx(DISTANCE**2)


@pytest.mark.parametrize("task", TASKS)
def test_of_the_mixture_every_component_is_likely_and_draws_have_their_weights(task):
    error = errors("mixture", task, 0.1, EXACT)
    assert error.components < 4 * 0.5 / RUN.draws**0.5
    for posed in known("mixture", task, 0.1):
        assert float(posed.weights.min()) >= UNDECIDED
        assert float(posed.weights.sum()) == pytest.approx(1)
        draws = posed.draw(4000, torch.Generator().manual_seed(3))
        assert float(draws.var(dim=0).sum()) == pytest.approx(posed.variance, rel=0.1)


def test_methods_are_as_published_and_unclamped():
    for method, own in METHODS.items():
        run = replace(RUN, method=method, rule="own")
        found = method_of(run, GAUSSIAN)
        assert (found.num_steps, found.returns) == (own.num_steps, own.returns)
        assert method == "diffpir" or found.rule == own.rule
    for rule, spacing, eta in (("renoise", "cubic", 1), ("even", "uniform", 0.85),
                               ("paper", "uniform", 0.15)):  # fmt: skip
        found = method_of(replace(RUN, rule=rule), GAUSSIAN)
        assert (found.spacing, found.rule) == (spacing, DDNMNoise(eta))
    diffpir = replace(RUN, method="diffpir")
    assert method_of(replace(diffpir, rule="own"), GAUSSIAN).rule == DiffPIRNoise(1.0)
    assert method_of(replace(diffpir, rule="ancestral"), GAUSSIAN).rule == DDPMNoise()
    assert method_of(replace(RUN, method="weighted", rule="exact"), GAUSSIAN).rule == ExactNoise()
    for field, value in (("method", "best"), ("rule", "some")):
        with pytest.raises(ValueError, match=rf"^{field}: unknown value '{value}'"):
            method_of(replace(RUN, **{field: value}), GAUSSIAN)
    with pytest.raises(ValueError, match=r"^prior: unknown value 'third'"):
        pose(GAUSSIAN, "third", "sr4", 0.0)


@pytest.mark.parametrize("method", ["diffpir", "repaint", "ilvr", "dps"])
def test_photos_beyond_the_range_are_not_clamped(method):
    """The priors are linear: a brighter mean and a brighter y make all draws brighter."""
    posed, run = known("gaussian", "sr4", 0.0), replace(RUN, task="sr4", method=method, rule="own")
    own = posed[0].prior
    prior = GaussianMixturePrior(own.weights, own.means + 3, own.covariances())
    bright = [replace(one, prior=prior, y=one.y + 3, means=one.means + 3) for one in posed]
    usual, moved = measure(run, posed), measure(run, bright)
    assert moved.variance == pytest.approx(usual.variance, rel=0.05)
    assert moved.bias == pytest.approx(usual.bias, rel=0.3, abs=0.05)


def test_runs():
    runs = study_runs()
    assert len(set(runs)) == len(runs)
    assert {run.method for run in runs} == {EXACT, *METHODS}
    assert {run.task for run in runs if run.method == "ilvr"} == {"sr4"}
    assert {m: METHODS[m].num_steps for m in LONG} == LONG
    assert {run.prior for run in runs if run.num_steps > 100} == {"gaussian"}
    assert {run.method for run in study_runs(["dps"])} == {"dps"}


def test_the_file_keeps_four_digits(tmp_path):
    out, runs = tmp_path / "a.json", [replace(RUN, method=EXACT, rule="own"), RUN]
    made = STUDY.run(out, runs, prior=GAUSSIAN)
    read = STUDY.load(out)
    assert [entry.run for entry in read] == runs
    for ours, theirs in zip(made, read, strict=True):
        assert (theirs.bias, theirs.variance) == pytest.approx((ours.bias, ours.variance), rel=1e-3)
    assert made[1] == measure(RUN, known("gaussian", RUN.task, RUN.sigma_y))
    assert PosteriorError(RUN, 0.5, 1.0, 0.0).bias_over_chance == 0.5 * math.sqrt(64)
    out.write_text(out.read_text().replace('"bias": ', '"bias": "no", "old": ', 1))
    with pytest.raises(ValueError, match="is no posterior study"):
        STUDY.load(out)


def test_the_file_of_the_book_is_whole_and_says_what_theory_says():
    entries = {entry.run: entry for entry in STUDY.load()}
    assert set(entries) == set(study_runs())
    assert len(STUDY.load()) == len(entries)
    for entry in entries.values():
        run = entry.run
        if run.method == EXACT or (run.prior, run.rule) == ("gaussian", "exact"):
            assert entry.bias_over_chance < 1.5
            assert entry.variance == pytest.approx(1, abs=0.05)
        if (run.prior, run.method) == ("gaussian", "weighted"):
            assert entry.bias_over_chance < 1.5
        if run.method == "ddnm" and run.task == "inpaint-random":
            assert entry.bias_over_chance > 2
