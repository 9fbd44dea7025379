"""Solves in a window of steps that slides on."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from deqir_lite.fixedpoint import FixedPointSystem, Sweep, make_model
from deqir_lite.priors import ModelPrior
from deqir_lite.restoration import SolveOptions
from deqir_lite.restoration.sampling import solve_chain
from deqir_lite.solvers import ConvergenceWarning, solve_sliding
from deqir_lite.solvers.sliding import _resting


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


@pytest.mark.parametrize("method", ["ddnm", "weighted", "ddrm", "pigdm"])
def test_with_every_kind_of_method(chain_for, gaussian_prior, method):
    eta = {} if method in ("ddnm", "weighted") else {"eta": None}
    chain = chain_for("inpaint-random", num_steps=10, method=method, **eta)
    options = SolveOptions(window=4, tolerance=1e-12, gaussian=gaussian_prior)
    solution = solve_chain(chain, options)
    torch.testing.assert_close(solution.x0, chain.sequential()[-1], rtol=0, atol=1e-9)
    assert solution.nfe <= 4 * solution.sweeps


@pytest.mark.parametrize("window", [1, 3, 5])
@pytest.mark.parametrize("returns_from", ["state", "x0"])
def test_steps_that_go_back_to_more_noise(chain_for, gaussian_prior, window, returns_from):
    """Those to a state do not ask the network, and are not counted."""
    way = f"ddnm:returns=2x2:returns_from={returns_from}"
    chain = chain_for("inpaint-random", num_steps=8, method=way)
    assert (chain.asking_steps() < chain.num_steps) == (returns_from == "state")
    options = SolveOptions(window=window, tolerance=1e-12, gaussian=gaussian_prior)
    solution = solve_chain(chain, options)
    torch.testing.assert_close(solution.x0, chain.sequential()[-1], rtol=0, atol=1e-9)
    if window == 1:  # the walk
        assert solution.nfe == chain.asking_steps()


def test_whatever_the_solver_a_window_is_swept_plainly(chain_for, gaussian_prior):
    """What slides in has no history to mix. Who names another solver than the usual one is told."""
    chain, how = chain_for("sr2", num_steps=8), {"window": 3, "gaussian": gaussian_prior}
    plain = solve_chain(chain, SolveOptions(solver="picard", **how))
    with pytest.warns(UserWarning, match="solver: got 'anderson-joint'; a window that slides is"):
        joint = solve_chain(chain, SolveOptions(solver="anderson-joint", **how))
    assert torch.equal(joint.x0, plain.x0)
    assert torch.equal(solve_chain(chain, SolveOptions(**how)).x0, plain.x0)
    with pytest.raises(ValueError, match="solver: unknown value 'bogus'"):
        solve_chain(chain, SolveOptions(solver="bogus", **how))


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
    chain = chain_for("sr2", prior=gaussian_prior, num_steps=18, batch=2)
    solution = solve_chain(chain, SolveOptions(window=5, gaussian=gaussian_prior))
    assert (solution.sweeps, solution.nfe) == (4, 18 * 2)
    assert solution.trace.first == [0, 5, 10, 15]
    torch.testing.assert_close(solution.x0, chain.sequential()[-1], rtol=0, atol=1e-9)


def test_residuals_stand_where_their_states_are(chain_for, gaussian_prior):
    chain = chain_for("sr2", num_steps=9)
    trace = solve_chain(chain, SolveOptions(window=3, gaussian=gaussian_prior)).trace
    for first, row in zip(trace.first, trace.residual_table(), strict=True):
        assert set(row.nonzero().flatten().tolist()) <= set(range(first, first + 3))
        assert row[first] > 0


def test_from_the_states_of_an_earlier_solve(chain_for, gaussian_prior, nonlinear_prior):
    chain = chain_for("sr2", num_steps=9)
    options = SolveOptions(
        window=3, start=chain.sequential(), tolerance=1e-9, gaussian=gaussian_prior
    )
    solution = solve_chain(chain, options)
    assert (solution.sweeps, solution.nfe) == (3, 9)


@pytest.mark.parametrize("options", [{"tolerance": 1e-10}, {"x0_tolerance": 0.02}])
def test_a_window_waits_for_every_image(chain_for, gaussian_prior, options):
    """One of them is under the Gaussian prior, where one sweep suffices, the other is not."""

    def model(x_t, t):
        signal, noise = gaussian_prior.schedule.at(t, x_t)
        guess = gaussian_prior.denoise(x_t, t)
        bent = torch.tensor([0.0, 1.0]).double().repeat(len(t) // 2)[:, None, None, None]
        rest = bent * signal**2 * torch.tanh(2 * guess.roll((1, 2), dims=(-2, -1)))
        return gaussian_prior(x_t, t) - rest * signal / noise

    prior = ModelPrior(model, gaussian_prior.schedule)
    chain = chain_for("sr2", prior=prior, num_steps=20, batch=2)
    solution = solve_chain(chain, SolveOptions(window=6, gaussian=gaussian_prior, **options))
    wrong = (solution.x0 - chain.sequential()[-1]).flatten(1).square().mean(1).sqrt()
    assert wrong.max() <= 0.02
    assert solution.sweeps > 4


@pytest.mark.parametrize("batch", [1, 2])
def test_what_is_cut_does_not_rest(chain_for, gaussian_prior, adding_prior, batch):
    """The sweeps would stand still where the cut holds them, which is not where the chain walks;
    of a batch, that of one image is cut."""
    added = torch.tensor([3.0, 0.0])[:batch, None, None, None]
    prior = ModelPrior(
        lambda x_t, t: adding_prior(added.repeat(len(t) // batch, 1, 1, 1))(x_t, t),
        gaussian_prior.schedule,
    )
    chain = chain_for("inpaint-random", prior=prior, num_steps=8, eta=1.0, batch=batch)
    options = SolveOptions(window=4, x0_tolerance=0.02, gaussian=gaussian_prior)
    solution = solve_chain(chain, options)
    wrong = (solution.x0 - chain.sequential()[-1]).flatten(1).square().mean(1).sqrt()
    assert wrong.max() <= 0.02


def test_a_state_behind_one_that_moves_does_not_rest():
    """Only what is at rest with all states before it is passed."""
    states = torch.zeros(5, 1, 3, 2, 2)
    for moves, passed in (
        ([0.5, 0.01, 0.5, 0.0], 1),
        ([0.0, 0.01, 0.0, 0.0], 4),
        ([0.0, 0.01, 0.5, 0.0], 2),
    ):
        output = states.clone()
        output[1:] = torch.tensor(moves).reshape(4, 1, 1, 1, 1)
        sweep = Sweep(output, output[1:], torch.zeros(1))
        residual = torch.ones(4, 1).double()
        assert _resting(states, sweep, residual, 1e-3, 0.02) == passed
    at_rest = torch.tensor([1.0, 0.0, 0.0, 1.0]).double()[:, None]
    assert _resting(states, Sweep(states + 1, states[1:], torch.zeros(1)), at_rest, 1e-3, 0.0) == 1
    small = torch.tensor([0.0, 1e-4, 1.0, 0.0]).double()[:, None]
    assert _resting(states, Sweep(states + 1, states[1:], torch.zeros(1)), small, 1e-3, 0.0) == 2


@pytest.mark.parametrize(("steps", "passed"), [(5, 0.02), (8, 0.02), (16, 0.01), (32, 0.005)])
def test_the_longer_the_chain_the_less_a_window_lets_pass(
    chain_for, gaussian_prior, monkeypatch, steps, passed
):
    """What is missing in passed states adds up."""
    seen = []

    def resting(*given):
        seen.append(given[-1])
        return _resting(*given)

    monkeypatch.setattr("deqir_lite.solvers.sliding._resting", resting)
    options = SolveOptions(window=4, x0_tolerance=0.02, gaussian=gaussian_prior)
    solve_chain(chain_for("sr2", num_steps=steps), options)
    assert set(seen) == {passed}


def test_without_convergence_it_says_where_the_window_is(chain_for, gaussian_prior):
    """And what the network sees there."""
    chain = chain_for("sr2", num_steps=9)
    for start in ("gaussian", "x_T"):
        how = {"start": start, "gaussian": gaussian_prior}
        options = SolveOptions(window=3, max_sweeps=2, tolerance=1e-12, **how)
        message = "after 2 sweeps: the window of 3 steps came to step 2 of 9"
        with pytest.warns(ConvergenceWarning, match=message):
            solution = solve_chain(chain, options)
        assert (solution.sweeps, solution.nfe, solution.converged) == (2, 7, False)
        assert rms(solution.x0 - chain.sequential()[-1]) < 0.6
        m = chain.measurement
        torch.testing.assert_close(m.operator.A(solution.x0), m.y, rtol=0, atol=1e-9)


def test_the_last_state_of_each_window_is_recorded(chain_for, gaussian_prior):
    chain = chain_for("sr2", num_steps=6)
    options = SolveOptions(window=2, gaussian=gaussian_prior)
    solution = solve_chain(chain, options, record=("x0",))
    assert len(solution.trace.x0) == solution.sweeps
    assert torch.equal(solution.trace.x0[-1], solution.x0)


@pytest.mark.parametrize("window", [1, 2, 5])
def test_predictions_that_are_not_finite(chain_for, gaussian_prior, window):
    """In the last step only; without a watch, too, it did not converge."""

    def model(x_t, t):
        return gaussian_prior(x_t, t).masked_fill((t == 0)[:, None, None, None], torch.nan)

    prior = ModelPrior(model, gaussian_prior.schedule)
    chain = chain_for("sr2", prior=prior, num_steps=6)
    with pytest.raises(ValueError, match="NaN"):
        solve_chain(chain, SolveOptions(window=window, gaussian=gaussian_prior))
    system = FixedPointSystem(chain, make_model("gaussian", chain, gaussian=gaussian_prior))
    walker = chain.with_prior(gaussian_prior).sequential()
    with pytest.warns(ConvergenceWarning, match="; the iteration diverged"):
        solution = solve_sliding(
            system, lambda first, last, x: walker[first : last + 1], window=window
        )
    assert not solution.converged


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"window": 0}, "window: got 0; expected an integer >= 1"),
        ({"window": 2, "max_sweeps": 0}, "max_sweeps: got 0; expected an integer >= 1"),
        ({"window": 2, "tolerance": -1.0}, "tolerance: got -1.0"),
        (
            {"window": 2, "start": torch.zeros(8, 1, 3, 8, 8).double()},
            r"start: got shape \(8, .*expected \(7, 1, 3, 8, 8\)",
        ),
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
    with pytest.raises(ValueError, match="record: got 'states'; with a window only 'x0' is there"):
        solve_chain(chain, options, record=("states",))
