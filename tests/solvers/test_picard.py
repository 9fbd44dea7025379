"""Picard: sweep j makes the first j states exact, from any start."""

import pytest
import torch

from deqir_lite.fixedpoint import FORMS
from deqir_lite.solvers import Anderson, Picard, solve


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("eta", [0.0, 0.85])
@pytest.mark.parametrize("task", ["sr2", "deblur-gaussian", "inpaint-random", "colorization"])
def test_the_staircase(system_for, random_start, task, eta, form):
    system = system_for(form, task=task, eta=eta, num_steps=8)
    sequential = system.chain.sequential()
    scale = sequential.abs().max()
    solution = solve(system, Picard(), random_start(system), tolerance=0.0, record=["states"])
    assert solution.converged
    assert solution.sweeps == 8
    for j, states in enumerate(solution.trace.states, start=1):
        assert (states[: j + 1] - sequential[: j + 1]).abs().max() <= 1e-12 * scale
    assert (solution.states - sequential).abs().max() <= 1e-12 * scale
    assert torch.equal(solution.x0, solution.states[-1])


def test_without_freezing_the_next_states_are_still_wrong(system_for, random_start):
    """The staircase is sharp: what sweep j has not reached is not exact by accident."""
    system = system_for("data", num_steps=8)
    sequential = system.chain.sequential()
    solution = solve(system, Picard(), random_start(system), tolerance=0.0, record=["states"])
    for j, states in enumerate(solution.trace.states[:-1], start=1):
        assert (states[j + 1] - sequential[j + 1]).abs().max() > 1e-9


@pytest.mark.parametrize("batch", [1, 3])
def test_each_sweep_costs_one_call_for_the_unsolved_states(system_for, random_start, batch):
    """T (T + 1) / 2 network evaluations per image in all."""
    calls = []
    system = system_for("jacobi", num_steps=7, batch=batch)
    prior = system.chain.prior
    object.__setattr__(system.chain, "prior", lambda x, t: calls.append(len(x)) or prior(x, t))
    solution = solve(system, Picard(), random_start(system), tolerance=0.0)
    assert calls == [n * batch for n in (7, 6, 5, 4, 3, 2, 1)]
    assert solution.nfe == sum(calls) == 28 * batch
    assert solution.trace.first == [0, 1, 2, 3, 4, 5, 6]


def test_plain_sweeps_have_no_mixing_weights(system_for, random_start):
    system = system_for("data")
    assert set(solve(system, Picard(), random_start(system)).trace.weights) == {None}


@pytest.mark.parametrize("solver", [Picard(), Anderson()])
def test_no_step_after_the_last(solver, system_for):
    system = system_for(num_steps=4)
    state = solver.init(system, system.chain.sequential())
    state = solver.step(system, state, tolerance=1.0)
    with pytest.raises(ValueError, match=r"state: all \d+ states are solved; no sweep is left"):
        solver.step(system, state)
