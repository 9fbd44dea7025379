"""Solves in a window of steps that slides on."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from deqir_lite.fixedpoint import make_start
from deqir_lite.priors import ModelPrior
from deqir_lite.restoration import SolveOptions
from deqir_lite.restoration.sampling import solve_chain
from deqir_lite.solvers import ConvergenceWarning


def rms(x):
    return float(x.square().mean().sqrt())


@given(
    steps=st.integers(2, 9),
    window=st.integers(1, 9),
    eta=st.sampled_from([0.0, 0.15, 0.85, 1.0]),
    spacing=st.sampled_from(["uniform", "cubic"]),
    task=st.sampled_from(["sr2", "inpaint-random", "deblur-gaussian"]),
    form=st.sampled_from(["gaussian:kept=0.6", "gaussian", "noise", "data", "jacobi"]),
    start=st.sampled_from(["gaussian", "measurement", "x_T"]),
)
def test_it_ends_at_the_sequential_sample(
    chain_for, gaussian_prior, steps, window, eta, spacing, task, form, start
):
    """To rounding after as many sweeps as there are steps, at most."""
    chain = chain_for(task, num_steps=steps, eta=eta, spacing=spacing)
    options = SolveOptions(
        window=window, form=form, start=start, tolerance=1e-12, gaussian=gaussian_prior
    )
    solution = solve_chain(chain, options)
    exact = chain.sequential()
    torch.testing.assert_close(solution.x0, exact[-1], rtol=0, atol=1e-9)
    assert solution.converged
    assert solution.sweeps <= steps
    assert solution.nfe <= solution.sweeps * window
    if window < steps:
        assert torch.equal(solution.states[0], chain.x_T)
        assert len(solution.states) == 2
        assert solution.trace.residual_table().shape == (solution.sweeps, steps)


@pytest.mark.parametrize("method", ["ddnm", "weighted", "repaint", "ddrm", "pigdm"])
def test_with_every_kind_of_method(chain_for, gaussian_prior, method):
    """Those that go back to more noise ask the network in some of their steps only."""
    eta = {} if method in ("ddnm", "weighted") else {"eta": None}
    chain = chain_for("inpaint-random", num_steps=10, method=method, **eta)
    options = SolveOptions(window=4, tolerance=1e-12, gaussian=gaussian_prior)
    solution = solve_chain(chain, options)
    torch.testing.assert_close(solution.x0, chain.sequential()[-1], rtol=0, atol=1e-9)
    assert solution.nfe <= 4 * solution.sweeps


@pytest.mark.parametrize("mixing", ["joint", "per-timestep", "triangular"])
def test_with_every_solver(chain_for, gaussian_prior, sharpening_prior, mixing):
    """Without the staircase several sweeps are mixed before the window moves."""
    chain = chain_for("sr2", prior=sharpening_prior, num_steps=8)
    how = {"solver": f"anderson-{mixing}", "gaussian": gaussian_prior}
    options = SolveOptions(window=3, tolerance=1e-11, max_sweeps=60, **how)
    solution = solve_chain(chain, options)
    assert solution.converged
    torch.testing.assert_close(solution.x0, chain.sequential()[-1], rtol=0, atol=1e-8)
    mixed = [weights for weights in solution.trace.weights if weights is not None]
    assert bool(mixed) == (mixing != "triangular")


@pytest.mark.parametrize("eta", [0.15, 1.0])
def test_it_moves_on_where_a_sweep_moves_little(chain_for, gaussian_prior, sharpening_prior, eta):
    """Fewer evaluations than over the whole chain, in more sweeps, and x_0 as near as asked for."""
    chain = chain_for("inpaint-random", prior=sharpening_prior, num_steps=40, eta=eta)
    options = {"gaussian": gaussian_prior, "x0_tolerance": 0.02}
    whole = solve_chain(chain, SolveOptions(**options))
    slid = solve_chain(chain, SolveOptions(window=6, **options))
    assert rms(slid.x0 - chain.sequential()[-1]) <= 0.02
    assert whole.sweeps < slid.sweeps < 40 / 2
    assert slid.nfe < whole.nfe
    assert slid.nfe <= 2 * 40


def test_under_the_gaussian_prior_every_window_rests_at_once(chain_for, gaussian_prior):
    """Its start is its walk, also where it begins in the middle of the chain."""
    chain = chain_for("sr2", prior=gaussian_prior, num_steps=20, batch=2)
    solution = solve_chain(chain, SolveOptions(window=5, gaussian=gaussian_prior))
    assert (solution.sweeps, solution.nfe) == (4, 20 * 2)
    torch.testing.assert_close(solution.x0, chain.sequential()[-1], rtol=0, atol=1e-9)


def test_from_the_states_of_an_earlier_solve(chain_for, gaussian_prior, nonlinear_prior):
    chain = chain_for("sr2", num_steps=9)
    options = SolveOptions(
        window=3, start=chain.sequential(), tolerance=1e-9, gaussian=gaussian_prior
    )
    solution = solve_chain(chain, options)
    assert (solution.sweeps, solution.nfe) == (3, 9)


def test_a_window_waits_for_every_image(chain_for, gaussian_prior, sharpening_prior):
    """One of them is under the Gaussian prior, where one sweep suffices, the other is not."""

    def model(x_t, t):
        eps = gaussian_prior(x_t, t)
        bent = torch.tensor([0.0, 1.0]).double().repeat(len(t) // 2)[:, None, None, None]
        return eps + bent * (sharpening_prior(x_t, t) - eps)

    prior = ModelPrior(model, gaussian_prior.schedule)
    chain = chain_for("sr2", prior=prior, num_steps=12, batch=2)
    options = SolveOptions(window=4, tolerance=1e-10, gaussian=gaussian_prior)
    solution = solve_chain(chain, options)
    torch.testing.assert_close(solution.x0, chain.sequential()[-1], rtol=0, atol=1e-8)
    assert solution.sweeps > 3


def test_what_is_cut_does_not_rest(chain_for, gaussian_prior, adding_prior):
    """The sweeps would stand still where the cut holds them, which is not where the chain walks."""
    chain = chain_for("sr2", prior=adding_prior(3.0), num_steps=8)
    options = SolveOptions(window=4, x0_tolerance=0.02, gaussian=gaussian_prior)
    solution = solve_chain(chain, options)
    assert rms(solution.x0 - chain.sequential()[-1]) <= 0.02


def test_without_convergence_it_says_where_the_window_is(chain_for, gaussian_prior):
    chain = chain_for("sr2", num_steps=9)
    options = SolveOptions(window=3, max_sweeps=2, tolerance=1e-12, gaussian=gaussian_prior)
    message = "after 2 sweeps: the window of 3 steps came to step 2 of 9"
    with pytest.warns(ConvergenceWarning, match=message):
        solution = solve_chain(chain, options)
    assert (solution.sweeps, solution.nfe, solution.converged) == (2, 6, False)
    assert rms(solution.x0 - chain.sequential()[-1]) < 0.5
    start = make_start("gaussian", chain, gaussian=gaussian_prior)
    assert rms(solution.x0 - start[-1]) > 0


def test_the_last_state_of_each_window_is_recorded(chain_for, gaussian_prior):
    chain = chain_for("sr2", num_steps=6)
    options = SolveOptions(window=2, gaussian=gaussian_prior)
    solution = solve_chain(chain, options, record=("x0",))
    assert len(solution.trace.x0) == solution.sweeps
    assert torch.equal(solution.trace.x0[-1], solution.x0)


def test_predictions_that_are_not_finite(chain_for, gaussian_prior):
    """In the second window only: x_T is asked before."""

    def model(x_t, t):
        late = (t < 500)[:, None, None, None]
        return gaussian_prior(x_t, t).masked_fill(late, torch.nan)

    chain = chain_for("sr2", prior=ModelPrior(model, gaussian_prior.schedule), num_steps=8)
    with pytest.raises(ValueError, match="NaN"):
        solve_chain(chain, SolveOptions(window=2, gaussian=gaussian_prior))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"window": 0}, "window: got 0; expected an integer >= 1"),
        ({"window": 2, "max_sweeps": 0}, "max_sweeps: got 0; expected an integer >= 1"),
        ({"window": 2, "tolerance": -1.0}, "tolerance: got -1.0"),
        ({"window": 2, "x0_tolerance": -1.0}, "x0_tolerance: got -1.0"),
        (
            {"window": 2, "x0_tolerance": 0.1, "form": "noise"},
            "x0_tolerance: got a system in the form NoiseFormModel",
        ),
    ],
)
def test_bad_arguments(chain_for, gaussian_prior, options, message):
    with pytest.raises(ValueError, match=message):
        solve_chain(chain_for("sr2"), SolveOptions(gaussian=gaussian_prior, **options))


def test_states_of_all_steps_are_not_there_to_be_recorded(chain_for, gaussian_prior):
    chain, options = chain_for("sr2"), SolveOptions(window=2, gaussian=gaussian_prior)
    with pytest.raises(ValueError, match="record: unknown value 'states'; known: x0"):
        solve_chain(chain, options, record=("states",))
