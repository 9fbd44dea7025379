"""Solves that ask the network at a few steps only."""

import itertools

import pytest
import torch

from deqir_lite.chain import make_chain
from deqir_lite.priors import ModelPrior
from deqir_lite.restoration import restore_interpolated, restore_parallel
from deqir_lite.solvers import ConvergenceWarning, solve_interpolated
from deqir_lite.solvers.interpolated import interpolated_sweeps


def rms(x):
    return float(x.square().mean().sqrt())


@pytest.mark.parametrize("method", ["ddnm", "ddrm", "weighted"])
def test_with_all_steps_as_nodes_it_ends_at_the_chain(
    chain_for, gaussian_prior, sharpening_prior, method
):
    chain = chain_for("inpaint-random", prior=sharpening_prior, num_steps=6, method=method)
    solution = solve_interpolated(chain, gaussian_prior, nodes=6, max_sweeps=7, x0_tolerance=1e-13)
    torch.testing.assert_close(solution.states, chain.sequential(), rtol=0, atol=1e-10)
    assert solution.nfe == 6 * solution.sweeps


def test_under_the_gaussian_prior_one_sweep_says_so(chain_for, gaussian_prior):
    chain = chain_for("sr2", prior=gaussian_prior, num_steps=20, batch=2)
    solution = solve_interpolated(chain, gaussian_prior)
    assert (solution.sweeps, solution.nfe, solution.converged) == (1, 7 * 2, True)
    torch.testing.assert_close(solution.states, chain.sequential(), rtol=0, atol=1e-9)


@pytest.mark.parametrize("task", ["sr2", "inpaint-random", "colorization"])
@pytest.mark.parametrize(("steps", "eta"), [(40, 0.15), (40, 0.0), (60, 0.1)])
def test_it_comes_near_the_chain_with_fewer_evaluations(
    chain_for, gaussian_prior, sharpening_prior, task, steps, eta
):
    chain = chain_for(task, prior=sharpening_prior, num_steps=steps, eta=eta)
    exact = chain.sequential()[-1]
    cheap = solve_interpolated(chain, gaussian_prior)
    assert cheap.converged
    assert cheap.nfe < steps
    assert rms(cheap.x0 - exact) <= 0.02
    nearer = solve_interpolated(chain, gaussian_prior, nodes=2 * steps // 3, x0_tolerance=2e-3)
    assert rms(nearer.x0 - exact) <= 0.5 * rms(cheap.x0 - exact)
    whole = restore_parallel(chain, gaussian=gaussian_prior, start=cheap.states, tolerance=1e-9)
    torch.testing.assert_close(whole.x0, exact, rtol=0, atol=1e-6)


def test_every_image_is_solved_as_it_would_be_alone(chain_for, gaussian_prior, sharpening_prior):
    def model(x_t, t):
        share = (x_t.flatten(1).mean(1) > 0).double()[:, None, None, None]  # harder for some
        eps = gaussian_prior(x_t, t)
        return eps + share * (sharpening_prior(x_t, t) - eps)

    prior = ModelPrior(model, gaussian_prior.schedule)
    options = {"prior": prior, "num_steps": 20, "seed": 3}
    both = chain_for("inpaint-random", batch=2, **options)
    together = solve_interpolated(both, gaussian_prior, x0_tolerance=1e-3, record=("x0",))
    sweeps = []
    for i in range(2):
        alone = make_chain(
            prior,
            both.measurement.operator,
            both.measurement.y[i : i + 1],
            num_steps=20,
            eta=0.15,
            spacing="uniform",
            x_T=both.x_T[i : i + 1],
            noise=both.noise[:][:, i : i + 1],
        )
        single = solve_interpolated(alone, gaussian_prior, x0_tolerance=1e-3)
        sweeps.append(single.sweeps)
        torch.testing.assert_close(together.x0[i : i + 1], single.x0, rtol=0, atol=1e-10)
    assert together.sweeps == max(sweeps)
    torch.testing.assert_close(together.trace.x0[-1], together.x0)


def test_what_did_not_come_to_rest(chain_for, gaussian_prior):
    chain = chain_for("inpaint-random", num_steps=20)
    with pytest.warns(ConvergenceWarning, match="after 2 sweeps: from nodes to nodes x_0 moves"):
        solution = solve_interpolated(chain, gaussian_prior, max_sweeps=2, x0_tolerance=1e-9)
    assert (solution.sweeps, solution.converged, solution.nfe) == (2, False, 15)


def test_a_chain_that_is_cut_is_not_at_rest(chain_for, gaussian_prior, adding_prior):
    """It moves no further, but where the cut holds it, which is not where the chain walks."""
    chain = chain_for("sr2", prior=adding_prior(1.5), num_steps=6)
    solution = solve_interpolated(chain, gaussian_prior, nodes=6, x0_tolerance=1e-9)
    torch.testing.assert_close(solution.x0, chain.sequential()[-1], rtol=0, atol=1e-8)
    with pytest.warns(ConvergenceWarning, match=r"after 10 sweeps: .* is cut, by 5.0e-01 at least"):
        solve_interpolated(chain.with_prior(adding_prior(2.5)), gaussian_prior, nodes=6)


def test_of_a_batch_only_what_is_cut_is_not_at_rest(chain_for, gaussian_prior, adding_prior):
    """The images of a step are side by side, and at all nodes the second one is cut."""
    second = torch.tensor([0.0, 2.5])[:, None, None, None]
    prior = ModelPrior(
        lambda x_t, t: adding_prior(second.repeat(len(t) // 2, 1, 1, 1))(x_t, t),
        gaussian_prior.schedule,
    )
    chain = chain_for("sr2", prior=prior, num_steps=20, batch=2)
    sweeps = itertools.islice(interpolated_sweeps(chain, gaussian_prior), 1, 4)
    *_, (_, _, moved) = sweeps
    assert moved[0] <= 1e-9
    assert 0.1 < moved[1] < 0.6


def test_where_all_is_noise_a_cut_matters_little(chain_for, gaussian_prior):
    """An error of eps is a large one of x_0 there; the walk forgets it."""

    def model(x_t, t):
        return gaussian_prior(x_t, t) + 0.03 * (t > 900)[:, None, None, None]

    prior = ModelPrior(model, gaussian_prior.schedule)
    chain = chain_for("sr2", prior=prior, num_steps=20)
    solution = solve_interpolated(chain, gaussian_prior)
    assert solution.converged
    assert rms(solution.x0 - chain.sequential()[-1]) <= 0.02


def test_bad_input(chain_for, gaussian_prior, nonlinear_prior):
    chain = chain_for("sr2", num_steps=20)
    for options, message in (
        ({"max_sweeps": 0}, "max_sweeps: got 0"),
        ({"x0_tolerance": -1.0}, "x0_tolerance: got -1"),
        ({"record": ("states",)}, "record: unknown value 'states'"),
        ({"nodes": 0}, "nodes: got 0"),
    ):
        with pytest.raises(ValueError, match=message):
            solve_interpolated(chain, gaussian_prior, **options)

    def broken(x_t, t):
        return nonlinear_prior(x_t, t) * torch.where(t < 500, torch.nan, 1.0)[:, None, None, None]

    chain = chain_for("sr2", prior=ModelPrior(broken, gaussian_prior.schedule), num_steps=20)
    with pytest.raises(ValueError, match="predicts NaN or infinity"):
        restore_interpolated(chain, gaussian=gaussian_prior)


def test_an_image_that_diverges_does_not_end_the_others(chain_for, gaussian_prior):
    def model(x_t, t):
        blow_up = (x_t.flatten(1).mean(1) > 0) & (t < 500)
        return gaussian_prior(x_t, t) * torch.where(blow_up, torch.inf, 1.0)[:, None, None, None]

    prior = ModelPrior(model, gaussian_prior.schedule)
    chain = chain_for("sr2", prior=prior, num_steps=20, batch=4, seed=2)
    with pytest.warns(ConvergenceWarning, match="not converged"):
        solution = solve_interpolated(chain, gaussian_prior, x0_tolerance=1e-9)
    exact = chain.sequential()[-1]
    fine = exact.flatten(1).isfinite().all(1)
    assert 0 < int(fine.sum()) < 4
    torch.testing.assert_close(solution.x0[fine], exact[fine], rtol=0, atol=1e-9)
    with pytest.raises(ValueError, match="predicts NaN or infinity"):
        restore_interpolated(chain, gaussian=gaussian_prior)
