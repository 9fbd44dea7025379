"""A prior whose difference from a Gaussian one is cut."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from deqir_lite.fixedpoint import (
    Cut,
    CutPrior,
    FixedPointSystem,
    gaussian_start,
    make_model,
    x_T_start,
)
from deqir_lite.fixedpoint.cut import BOUND, CLEAR
from deqir_lite.priors import GaussianPrior
from deqir_lite.priors.base import predict_x0
from deqir_lite.restoration import SolveOptions
from deqir_lite.schedule import cosine_schedule
from deqir_lite.solvers import Anderson, Picard, solve


@given(size=st.floats(-9, 9), bound=st.floats(0, 5), t=st.integers(0, 999))
def test_what_is_added_is_at_most_the_bound(gaussian_prior, adding_prior, size, bound, t):
    x_t, t = torch.randn(2, 3, 8, 8).double(), torch.full((2,), t)
    prior = CutPrior(adding_prior(size), gaussian_prior, bound=bound)
    signal, noise = gaussian_prior.schedule.at(t, x_t)
    added = predict_x0(x_t, prior(x_t, t), signal, noise)
    added = added - predict_x0(x_t, gaussian_prior(x_t, t), signal, noise)
    expected = min(max(size, -bound), bound)
    torch.testing.assert_close(added, torch.full_like(added, expected), rtol=0, atol=1e-6)
    cut = signal[:, 0, 0, 0] * abs(size - expected)
    torch.testing.assert_close(prior.cut, cut, rtol=0, atol=1e-6)


def test_every_image_has_its_own_cut(gaussian_prior, adding_prior):
    size = torch.tensor([0.5, 5.0, torch.inf])[:, None, None, None]
    prior = CutPrior(adding_prior(size), gaussian_prior)
    eps = prior(torch.zeros(3, 3, 8, 8).double(), torch.full((3,), 500))
    assert eps[:2].isfinite().all()
    assert not eps[2].isfinite().any()  # a network that breaks is not mended
    signal, _ = gaussian_prior.schedule.at(torch.tensor([500]), eps)
    cut = torch.tensor([0.0, 5 - BOUND]).double() * signal.flatten()
    torch.testing.assert_close(prior.cut[:2], cut)
    assert not prior.cut[2].isfinite()


def test_a_chain_that_is_not_cut_is_the_chain(chain_for, gaussian_prior, sharpening_prior):
    chain = chain_for("sr2", prior=sharpening_prior, num_steps=10)
    walked = chain.with_prior(CutPrior(sharpening_prior, gaussian_prior)).sequential()
    torch.testing.assert_close(walked, chain.sequential(), rtol=0, atol=1e-10)
    under = CutPrior(sharpening_prior, gaussian_prior, bound=0.0)
    torch.testing.assert_close(
        chain.with_prior(under).sequential(), chain.with_prior(gaussian_prior).sequential()
    )


def test_bad_input(gaussian_prior):
    with pytest.raises(ValueError, match="bound: got -1"):
        CutPrior(gaussian_prior, gaussian_prior, bound=-1.0)


@pytest.fixture(scope="session")
def distrusting_for(chain_for, gaussian_prior, sharpening_prior):
    """The Gaussian form of a chain whose network says what is not believed nearly everywhere."""

    def make(task="sr2", bound=0.01, prior=sharpening_prior, **options):
        chain = chain_for(task, prior=prior, **options)
        model = make_model("gaussian:kept=0.6", chain, gaussian=gaussian_prior)
        return FixedPointSystem(chain, model, cut=Cut(gaussian_prior, bound=bound))

    return make


@given(
    task=st.sampled_from(["sr2", "inpaint-random", "colorization"]),
    steps=st.integers(1, 8),
    eta=st.floats(0, 1),
    bound=st.sampled_from([0.0, 0.01, 0.3]),
    seed=st.integers(0, 99),
)
@pytest.mark.parametrize("solver", [Picard(), Anderson()], ids=repr)
def test_whatever_is_cut_the_chain_is_reached(
    distrusting_for, solver, task, steps, eta, bound, seed
):
    """After T sweeps at most: what is said about solved states is believed."""
    system = distrusting_for(task, bound, num_steps=steps, eta=eta, seed=seed, batch=2)
    solution = solve(system, solver, x_T_start(system.chain), tolerance=1e-13)
    assert solution.converged
    walk = system.chain.sequential()
    torch.testing.assert_close(solution.states, walk, rtol=0, atol=1e-10)


def test_the_residual_is_that_of_the_chain_whatever_is_cut(distrusting_for):
    system = distrusting_for()
    states = torch.randn(7, 1, 3, 8, 8, dtype=torch.float64)
    sweep, whole = system.sweep(states), FixedPointSystem(system.chain, system.model)
    assert torch.equal(sweep.residual, whole.sweep(states).residual)
    assert torch.equal(system(states), whole(states))  # F itself believes everything
    assert not torch.allclose(sweep.output[2:], system(states)[2:], atol=1e-3)
    assert float(sweep.cut) > 0
    torch.testing.assert_close(sweep.output[1], system(states)[1])  # x_T is solved


def test_an_image_is_cut_where_it_is_not_solved(distrusting_for, adding_prior):
    """And says the most that was taken from one of its states, weighed as in a cut prior."""
    system = distrusting_for(bound=1.0, prior=adding_prior(3.0), batch=3)
    states = torch.randn(7, 3, 3, 8, 8, dtype=torch.float64)
    active = torch.ones(6, 3, 1, 1, 1, dtype=torch.bool)
    active[:4, 1] = active[:, 2] = False
    cut = system.sweep(states, active=active).cut
    roots = system.chain.coefficients.source.sqrt()
    expected = torch.stack([roots[-1] * 2, roots[-1] * 2, 0 * roots[0]])
    torch.testing.assert_close(cut, expected.to(cut))
    active[4, 1] = False
    assert not system.sweep(states, active=active).cut[1]


def test_what_is_within_the_bound_is_not_touched(distrusting_for):
    system = distrusting_for(bound=100.0)
    states = torch.randn(7, 1, 3, 8, 8, dtype=torch.float64)
    assert torch.equal(system.sweep(states).output, system(states))
    assert not system.sweep(states).cut.any()


def test_steps_that_ask_nothing_are_not_cut(distrusting_for):
    """On a chain that goes back to more noise, the states that are asked about are fewer."""
    system = distrusting_for(num_steps=8, returns=(2, 2))
    assert system.chain.asking_steps() < system.chain.num_steps
    assert system.sweep(x_T_start(system.chain)).cut.all()
    solution = solve(system, Anderson(), x_T_start(system.chain), tolerance=1e-13)
    walk = system.chain.sequential()
    torch.testing.assert_close(solution.states, walk, rtol=0, atol=1e-10)


def test_an_image_that_is_cut_is_not_done(distrusting_for, adding_prior, gaussian_prior):
    """Though its x_0 rests, and the estimate of its error would end the solve at once."""
    for bound, sweeps in ((100.0, 1), (1.0, 6)):
        system = distrusting_for(bound=bound, prior=adding_prior(3.0), num_steps=6)
        start = gaussian_start(system.chain, gaussian_prior)
        solution = solve(system, Picard(), start, x0_tolerance=1.5, from_gaussian=True)
        assert solution.sweeps == sweeps


@pytest.mark.parametrize("form", ["gaussian", "gaussian:kept=0.6"])
@pytest.mark.parametrize("options", [{}, {"x0_tolerance": 1e-3}], ids=["residual", "x_0"])
def test_a_solved_chain_stays_where_it_is(distrusting_for, gaussian_prior, form, options):
    """However much of its walk is cut; the other image of the batch is still to be solved."""
    chain = distrusting_for(batch=2).chain
    model = make_model(form, chain, gaussian=gaussian_prior)
    system = FixedPointSystem(chain, model, cut=Cut(gaussian_prior, bound=0.01))
    walk = chain.sequential()
    both = solve(system, Picard(), walk, tolerance=1e-6, **options)
    assert both.sweeps == 1
    torch.testing.assert_close(both.states, walk, rtol=0, atol=1e-10)
    one = torch.cat([walk[:, :1], x_T_start(chain)[:, 1:]], dim=1)
    for solver in (Picard(), Anderson()):
        found = solve(system, solver, one, tolerance=1e-6, **options)
        torch.testing.assert_close(found.states, walk, rtol=0, atol=1e-4)
        assert found.sweeps > 1


def test_active_broadcasts(distrusting_for):
    system = distrusting_for(batch=2)
    states = torch.randn(7, 2, 3, 8, 8, dtype=torch.float64)
    whole = system.sweep(states, active=torch.ones(1, 1, 1, 1, 1, dtype=torch.bool))
    assert torch.equal(whole.output, system.sweep(states).output)


def test_restorations_in_gaussian_form_are_cut_from_the_gaussian_start(chain_for):
    chain = chain_for(size=(16, 16))
    assert SolveOptions().system(chain).cut is not None
    assert SolveOptions(start=chain.sequential()).system(chain).cut is None
    assert SolveOptions().system(chain_for(size=(16, 16), method="dps", eta=None)).cut is None
    for form in ("noise", "data", "jacobi", "increment"):
        assert SolveOptions(form=form).system(chain).cut is None


def test_another_schedule_is_refused(chain_for, gaussian_prior):
    chain = chain_for()
    other = GaussianPrior(gaussian_prior.spectrum, schedule=cosine_schedule())
    with pytest.raises(ValueError, match="^prior: its noise schedule differs"):
        FixedPointSystem(chain, make_model("noise", chain), cut=Cut(other))


def test_the_noisiest_states_are_not_cut(chain_for, gaussian_prior, adding_prior):
    chain = chain_for(prior=adding_prior(3.0), num_steps=8)
    asked = chain.asked(x_T_start(chain)[:-1])
    held, _ = Cut(gaussian_prior)(chain, asked, torch.ones(8, 1, 1, 1, 1, dtype=torch.bool))
    noisiest = chain.coefficients.source.sqrt() < CLEAR
    assert noisiest[0]
    assert not noisiest[-1]
    changed = (held.x0 - asked.x0).flatten(1).abs()
    assert not changed[noisiest].any()
    torch.testing.assert_close(changed[~noisiest], torch.ones_like(changed[~noisiest]))
