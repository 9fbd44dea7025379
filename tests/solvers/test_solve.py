"""Stopping, freezing, traces, warnings."""

import itertools
import math
from dataclasses import replace

import pytest
import torch

from deqir_lite.fixedpoint import FORMS, FixedPointSystem, make_model, x_T_start
from deqir_lite.measurement import Measurement
from deqir_lite.priors import ModelPrior
from deqir_lite.solvers import MIXINGS, Anderson, ConvergenceWarning, Picard, solve
from deqir_lite.solvers.stopping import ErrorEstimate

SOLVERS = [Picard(), *(Anderson(mixing) for mixing in MIXINGS)]


def broken_prior(prior, good_calls):
    """A prior that answers NaN after ``good_calls`` calls."""
    calls = []

    def model(x_t, t):
        calls.append(1)
        return prior(x_t, t) * (1.0 if len(calls) <= good_calls else math.nan)

    return ModelPrior(model, prior.schedule)


@pytest.mark.parametrize("solver", SOLVERS, ids=repr)
def test_the_solution_as_a_start_is_recognised_in_one_sweep(system_for, solver):
    system = system_for("data", batch=2)
    sequential = system.chain.sequential()
    solution = solve(system, solver, sequential, tolerance=1e-10)
    assert solution.converged
    assert solution.sweeps == 1
    assert solution.nfe == 6 * 2
    torch.testing.assert_close(solution.states, sequential, rtol=0, atol=1e-10)


def test_a_start_near_the_solution_needs_fewer_sweeps(system_for, random_start):
    system = system_for("data", num_steps=20)
    near = system.chain.sequential() + 1e-3 * random_start(system)
    cold = solve(system, Anderson(), random_start(system), tolerance=1e-3)
    assert solve(system, Anderson(), near, tolerance=1e-3).sweeps < cold.sweeps


@pytest.mark.parametrize("solver", SOLVERS, ids=repr)
def test_init_and_step_by_hand_are_solve(system_for, random_start, solver):
    system, start = system_for("data", num_steps=8, batch=2), random_start
    start = random_start(system)
    state = solver.init(system, start)
    assert (state.sweeps, state.nfe, state.first) == (0, 0, 0)
    outputs = []
    for _ in range(5):
        state = solver.step(system, state, tolerance=1e-14)
        outputs.append(state.output)
    with pytest.warns(ConvergenceWarning):
        solution = solve(
            system, solver, start, max_sweeps=5, tolerance=1e-14, record=["states", "x0"]
        )
    assert (state.sweeps, state.nfe) == (solution.sweeps, solution.nfe)
    for output, states, x0 in zip(outputs, solution.trace.states, solution.trace.x0, strict=True):
        assert torch.equal(output, states)
        assert torch.equal(output[-1], x0)


@pytest.mark.parametrize("solver", SOLVERS, ids=repr)
def test_x_T_is_that_of_the_chain_whatever_the_start_says(system_for, random_start, solver):
    system = system_for("gaussian")
    start = random_start(system)
    assert not torch.equal(start[0], system.chain.x_T)
    before = start.clone()
    solution = solve(system, solver, start, max_sweeps=60, tolerance=1e-11)
    assert torch.equal(start, before)
    sequential = system.chain.sequential()
    assert (solution.states - sequential).abs().max() <= 1e-9 * sequential.abs().max()


def test_without_convergence_the_best_evaluated_sweep_is_returned_with_a_warning(
    system_for, random_start
):
    solver = Anderson("joint", memory=2)
    system = system_for("noise", num_steps=20, eta=0.85)
    with pytest.warns(ConvergenceWarning, match=r"not converged after 12 sweeps: largest relative"):
        solution = solve(
            system, solver, random_start(system), max_sweeps=12, tolerance=1e-12, record=["states"]
        )
    assert not solution.converged
    assert solution.sweeps == 12
    worst = solution.trace.residual_table().amax(dim=1)
    best = int(worst.argmin())
    assert best < 11, "choose a harder case: here the last sweep is the best one"
    assert torch.equal(solution.states, solution.trace.states[best])


def test_the_warning_points_at_the_caller(system_for, random_start):
    system = system_for("noise")
    with pytest.warns(ConvergenceWarning) as caught:
        solve(system, Picard(), random_start(system), max_sweeps=2, tolerance=0.0)
    assert caught[0].filename == __file__


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("solver", SOLVERS, ids=repr)
@pytest.mark.parametrize("good_calls", [0, 2])
def test_divergence_is_said_and_the_last_finite_states_are_returned(
    system_for, nonlinear_prior, form, solver, good_calls
):
    system = system_for(form, prior=broken_prior(nonlinear_prior, good_calls), size=(16, 8))
    start = 0 * x_T_start(system.chain)
    with pytest.warns(ConvergenceWarning, match="became infinite or NaN: the iteration diverged"):
        solution = solve(system, solver, start, tolerance=0.0)
    assert not solution.converged
    assert solution.sweeps == good_calls + 1
    assert torch.isfinite(solution.states).all()
    assert torch.equal(solution.states[0], system.chain.x_T)
    assert torch.isnan(solution.trace.residuals[-1]).any()


@pytest.mark.parametrize("solver", SOLVERS, ids=repr)
def test_states_of_zeros_are_a_start_like_any_other(system_for, random_start, solver):
    """A residual relative to ||x_s|| = 0 is not infinite, and not a divergence."""
    system = system_for("gaussian")
    solution = solve(system, solver, 0 * random_start(system), max_sweeps=60, tolerance=1e-11)
    assert solution.converged
    assert (solution.trace.residuals[0] == 1).all()
    sequential = system.chain.sequential()
    assert (solution.states - sequential).abs().max() <= 1e-9 * sequential.abs().max()


@pytest.mark.parametrize("solver", [Picard(), Anderson()], ids=repr)
def test_x0_tolerance_stops_at_the_first_sweep_whose_estimate_is_within(
    system_for, random_start, solver
):
    system = system_for("gaussian", num_steps=30)
    start = random_start(system)
    solution = solve(system, solver, start, tolerance=0.0, x0_tolerance=1e-3)
    assert solution.converged
    assert 2 <= solution.sweeps < 30
    estimate, state, errors = ErrorEstimate(), solver.init(system, start), []
    for _ in range(solution.sweeps):
        before = state.states[-1]
        state = solver.step(system, state)
        estimate = estimate.after(before, state.output[-1])
        errors.append(estimate.error.item())
    assert errors[-1] <= 1e-3
    assert min(errors[:-1]) > 1e-3


def test_a_first_correction_within_x0_tolerance_is_enough(system_for, random_start):
    system = system_for("gaussian", num_steps=8)
    assert solve(system, Picard(), random_start(system), x0_tolerance=1e3).sweeps == 1


def test_x0_tolerance_is_refused_where_x0_may_rest_before_it_is_right(system_for, random_start):
    system = system_for("data", num_steps=8)
    with pytest.raises(ValueError, match="x0_tolerance: got a system in the form DataFormModel"):
        solve(system, Picard(), random_start(system), x0_tolerance=0.02)


@pytest.mark.parametrize("solver", [Picard(), Anderson("triangular")], ids=repr)
def test_states_within_tolerance_are_frozen_from_the_noisy_end(system_for, random_start, solver):
    system = system_for("data", num_steps=20, eta=0.5)
    solution = solve(system, solver, random_start(system), tolerance=1e-2, record=["states"])
    first = [*solution.trace.first, 20]
    assert solution.converged
    assert solution.sweeps < 20
    gains = [after - before for before, after in itertools.pairwise(first)]
    assert min(gains) >= 1
    assert max(gains) > 1
    assert solution.nfe == sum(20 - f for f in first[:-1])
    for sweep, frozen in enumerate(first[1:-1], start=1):
        before, after = solution.trace.states[sweep - 1], solution.trace.states[sweep]
        assert torch.equal(before[: frozen + 1], after[: frozen + 1])
        assert not solution.trace.residuals[sweep][:frozen].any()


@pytest.mark.filterwarnings("ignore:not converged")
@pytest.mark.parametrize("solver", SOLVERS, ids=repr)
@pytest.mark.parametrize(
    "options",
    [{"tolerance": 1e-2}, {"tolerance": 0.0, "x0_tolerance": 0.02}, {"max_sweeps": 4}],
    ids=str,
)
def test_an_image_in_a_batch_is_solved_as_it_would_be_alone(
    system_for, gaussian_prior, random_start, solver, options
):
    """Also where one image is ready long before the others: it then stays as it is."""
    form = "gaussian" if "x0_tolerance" in options else "data"
    system = system_for(form, num_steps=10, batch=3, eta=0.5)
    start = random_start(system)
    exact = system.chain.sequential()
    start[:, 0] = exact[:, 0]
    start[:, 1] = exact[:, 1] + 1e-3 * start[:, 1]
    together = solve(system, solver, start, **options)
    sweeps = []
    for image in range(3):
        chain = system.chain
        y = chain.measurement.y[image, None]
        measurement = Measurement(chain.measurement.operator, y)
        alone = replace(
            chain,
            x_T=chain.x_T[image, None],
            noise=chain.noise[:, image, None],
            measurement=measurement,
            consistency=chain.method.consistency(measurement, chain.coefficients, chain.prior),
        )
        single = solve(
            FixedPointSystem(alone, make_model(form, alone, gaussian=gaussian_prior)),
            solver, start[:, image, None], **options,
        )  # fmt: skip
        torch.testing.assert_close(together.states[:, image, None], single.states)
        sweeps.append(single.sweeps)
    assert together.sweeps == max(sweeps)
    assert "max_sweeps" in options or min(sweeps) < max(sweeps)


@pytest.mark.filterwarnings("ignore:not converged")
@pytest.mark.parametrize("solver", SOLVERS, ids=repr)
def test_trace_has_one_entry_for_each_sweep(system_for, random_start, solver):
    system = system_for("data", batch=2)
    start = random_start(system)
    plain = solve(system, solver, start, max_sweeps=4, tolerance=0.0)
    full = solve(system, solver, start, max_sweeps=4, tolerance=0.0, record=("x0", "states"))
    assert plain.trace.x0 == plain.trace.states == []
    assert len(full.trace.x0) == len(full.trace.states) == len(full.trace.weights) == 4
    assert full.trace.states[0].shape == (7, 2, 3, 8, 8)
    table = full.trace.residual_table()
    assert table.shape == (4, 6)
    assert table.dtype == torch.float64
    x = torch.cat([system.chain.x_T[None], start[1:]])
    r = system.residual(x)
    expected = r.flatten(2).norm(dim=2) / x[1:].flatten(2).norm(dim=2)
    torch.testing.assert_close(full.trace.residuals[0], expected)
    torch.testing.assert_close(table[0], expected.amax(1))


def test_max_sweeps_defaults_to_t(system_for, random_start):
    system = system_for("noise", num_steps=5)
    with pytest.warns(ConvergenceWarning, match="after 5 sweeps"):
        solution = solve(system, Anderson("joint", memory=1), random_start(system), tolerance=1e-15)
    assert solution.sweeps == 5


def test_a_chain_of_one_step_needs_one_sweep(system_for, random_start):
    for solver in (Picard(), Anderson()):
        system = system_for("noise", num_steps=1)
        solution = solve(system, solver, random_start(system), tolerance=0.0)
        assert (solution.converged, solution.sweeps, solution.nfe) == (True, 1, 1)
        torch.testing.assert_close(solution.states, system.chain.sequential())


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"max_sweeps": 0}, "max_sweeps: got 0; expected an integer >= 1"),
        ({"max_sweeps": -2}, "max_sweeps: got -2"),
        ({"max_sweeps": 1.5}, "max_sweeps: got 1.5"),
        ({"tolerance": -1e-3}, "tolerance: got -0.001"),
        ({"tolerance": math.nan}, "tolerance: got nan"),
        ({"x0_tolerance": -1.0}, "x0_tolerance: got -1.0"),
        ({"record": ["x1"]}, "record: unknown value 'x1'; known: x0, states"),
    ],
)
def test_bad_arguments(system_for, random_start, options, message):
    system = system_for()
    with pytest.raises(ValueError, match=message):
        solve(system, Picard(), random_start(system), **options)


def test_bad_starts(system_for, random_start):
    system = system_for()
    good = random_start(system)
    with pytest.raises(ValueError, match=r"^start: got shape \(6, .*expected \(7, 1, 3, 8, 8\)"):
        solve(system, Picard(), good[1:])
    with pytest.raises(ValueError, match=r"^start: got shape \(7, 2,"):
        solve(system, Picard(), good.expand(7, 2, 3, 8, 8))
    with pytest.raises(ValueError, match=r"^start: got torch.float32 on cpu; expected"):
        solve(system, Picard(), good.float())
