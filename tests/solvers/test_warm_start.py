"""A start that is the solution of a nearby problem: consistent in itself, but for another x_T."""

import pytest

from deqir_lite.solvers import SOLVERS, make_solver, solve


@pytest.mark.parametrize("name", SOLVERS)
@pytest.mark.parametrize("form", ["noise", "data", "gaussian"])
def test_a_trajectory_of_another_x_t_is_no_solution(system_for, form, name):
    """All its residuals but the first are zero, which must not be taken for convergence."""
    system = system_for(form, num_steps=8)
    other = system.chain.with_x_T(0.5 * system.chain.x_T).sequential()
    solution = solve(system, make_solver(name), other, max_sweeps=80, tolerance=1e-10)
    assert solution.converged
    expected = system.chain.sequential()
    assert (solution.states - expected).abs().max() <= 1e-6 * expected.abs().max()
    assert solution.sweeps > 2


@pytest.mark.parametrize("name", ["picard", "anderson-triangular"])
def test_its_own_solution_needs_one_sweep(system_for, name):
    system = system_for("noise", num_steps=8)
    start = system.chain.sequential()
    assert solve(system, make_solver(name), start, tolerance=1e-8).sweeps == 1
