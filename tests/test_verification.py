"""The verification: complete, honest about what fails, and not satisfied by accident."""

import itertools
import json
import math

import pytest
import torch

from deqir_lite import TASKS, verification
from deqir_lite._json import to_json
from deqir_lite.fixedpoint import FixedPointSystem, JacobiModel, NoiseFormModel
from deqir_lite.priors import GaussianPrior, power_law_spectrum
from deqir_lite.solvers import SOLVERS
from deqir_lite.verification import (
    ETAS,
    VERIFIED_FORMS,
    Comparison,
    bent_prior,
    summary,
    verification_chain,
    verify,
)


def test_every_combination_is_compared_and_agrees():
    tasks = ["sr2", "old-photo"]
    results = verify(tasks, num_steps=6)
    found = [(r.task, r.eta, r.form, r.solver) for r in results]
    assert found == list(itertools.product(tasks, ETAS, VERIFIED_FORMS, SOLVERS))
    assert all(r.passed for r in results)
    for result in results:
        if result.solver == "picard":
            assert result.sweeps <= 6
        assert result.nfe >= result.sweeps


def test_by_default_everything_is_verified():
    results = verify(num_steps=1, size=16)
    covered = {(r.task, r.eta, r.form) for r in results}
    assert covered >= set(
        itertools.product(TASKS, [0.0, 0.15, 0.85], ["noise", "data", "gaussian:kept=0.6"])
    )


@pytest.mark.parametrize("task", TASKS)
def test_every_task_at_two_steps(task):
    results = verify([task], etas=(0.15,), solvers=("picard",), num_steps=2)
    assert [r.form for r in results] == list(VERIFIED_FORMS)
    assert all(r.passed for r in results)


def test_a_chosen_part():
    results = verify(
        iter(["sr2"]), etas=(1.0,), forms=("jacobi",), solvers=("picard",), num_steps=3, size=8
    )
    assert [(r.form, r.eta, r.sweeps, r.passed) for r in results] == [("jacobi", 1.0, 3, True)]


@pytest.mark.parametrize("offset", [2e-10, 1.0, math.nan, math.inf])
def test_a_wrong_residual_is_caught(monkeypatch, offset):
    whole = FixedPointSystem.residual

    def wrong(*arguments, **options):
        return whole(*arguments, **options) + offset

    monkeypatch.setattr(FixedPointSystem, "residual", wrong)
    results = verify(["pool2"], etas=(0.15,), num_steps=4, size=8)
    assert not any(r.passed for r in results)
    assert not any(math.isnan(r.error) for r in results)
    content = json.loads(to_json(summary(results)), parse_constant=pytest.fail)
    assert content["passed"] is False
    assert content["max_error"] == max(r.error for r in results) > 1e-10


def test_a_nan_counts_as_infinite(monkeypatch):
    whole = verification.restore_parallel

    def broken(*arguments, **options):
        solution = whole(*arguments, **options)
        solution.states[1, 0, 0, 0, 0] = math.nan
        return solution

    monkeypatch.setattr(verification, "restore_parallel", broken)
    results = verify(
        ["pool2"], etas=(0.15,), forms=("data",), solvers=("picard",), num_steps=4, size=8
    )
    assert [(r.error, r.passed) for r in results] == [(math.inf, False)]
    content = json.loads(to_json(summary(results)), parse_constant=pytest.fail)
    assert content["max_error"] == content["comparisons"][0]["error"] == "inf"


def test_a_sweep_that_takes_part_of_a_step_is_caught(monkeypatch):
    monkeypatch.setattr(JacobiModel, "correction", lambda self, residual, first=0: 0.9 * residual)
    results = verify(
        ["pool2"], etas=(0.15,), forms=("jacobi",), solvers=("picard",), num_steps=4, size=8
    )
    assert not results[0].passed


def test_any_linear_model_has_the_same_fixed_point(monkeypatch):
    """What the verification cannot see: other coefficients, as the docstring says."""
    whole = NoiseFormModel.correction

    def other(self, residual, first=0):
        return residual + 1.1 * (whole(self, residual, first) - residual)

    monkeypatch.setattr(NoiseFormModel, "correction", other)
    results = verify(["pool2"], etas=(0.15,), forms=("noise",), num_steps=4, size=8)
    assert all(r.passed for r in results)


def test_bad_arguments_are_refused_before_any_solve(monkeypatch):
    monkeypatch.setattr(verification, "restore_parallel", lambda *a, **o: pytest.fail("solved"))
    with pytest.raises(ValueError, match="task: unknown value 'bogus'; known: sr2"):
        verify(["sr2", "bogus"])
    with pytest.raises(ValueError, match="12x12"):
        verify(["sr2", "sr8"], size=12)
    with pytest.raises(ValueError, match="eta: got 1.5"):
        verify(["sr2"], etas=(0.15, 1.5))
    with pytest.raises(ValueError, match="num_steps: got 0"):
        verify(["sr2"], num_steps=0)


def test_the_prior_is_neither_linear_nor_separable_nor_a_denoiser():
    prior = bent_prior(GaussianPrior(power_law_spectrum()))
    generator = torch.Generator().manual_seed(0)
    x, z = torch.randn(2, 1, 3, 8, 8, generator=generator, dtype=torch.float64)
    t = torch.tensor([500])
    assert float((prior(x + z, t) - prior(x, t) - prior(z, t)).abs().max()) > 0.05
    moved = x.clone()
    moved[..., 4, 4] += 1
    changed = (prior(moved, t) - prior(x, t)).abs().amax(1)[0]
    assert int((changed > 1e-6).sum()) > 32


def test_chains_are_in_float64_and_can_be_made_again():
    (chain, gaussian), (again, _) = (
        verification_chain("sr2", 0.85, num_steps=5, size=8) for _ in range(2)
    )
    assert chain.x_T.dtype == chain.noise.dtype == torch.float64
    assert chain.num_steps == 5
    assert torch.equal(chain.x_T, again.x_T)
    assert torch.equal(chain.measurement.pinv_y, again.measurement.pinv_y)
    assert torch.equal(chain.prior.schedule.alpha_bar, gaussian.schedule.alpha_bar)


def test_passed_is_within_the_tolerance():
    def passed(error):
        return Comparison("sr2", 0.0, "noise", "picard", error, 1, 1).passed

    assert passed(1e-10)
    assert not any(map(passed, (1.01e-10, math.inf, math.nan)))


@pytest.mark.parametrize(
    ("task", "sigma_y", "eta"),
    [  # all pairs of two of them
        *[("inpaint-random", 0.0, 0.15), ("inpaint-random", 0.1, 1.0)],
        *[("sr2", 0.0, 1.0), ("sr2", 0.1, 0.15)],
        *[("deblur-gaussian", 0.0, 0.15), ("deblur-gaussian", 0.1, 1.0)],
        *[("colorization", 0.0, 1.0), ("colorization", 0.1, 0.15)],
    ],
)
def test_the_weighted_step_with_and_without_noise(task, sigma_y, eta):
    case = {"method": "weighted", "sigma_y": sigma_y, "num_steps": 4, "size": 8}
    results = verify([task], etas=(eta,), solvers=("picard", "anderson-triangular"), **case)
    assert all(r.passed for r in results), max(r.error for r in results)


def test_bad_methods_and_noise():
    with pytest.raises(ValueError, match=r"method: unknown value 'magic'; known: ddnm, .*weighted"):
        verify(["sr2"], method="magic")
    with pytest.raises(ValueError, match="sigma_y: got -1"):
        verify(["sr2"], sigma_y=-1)
