"""Gradients through the solved chain against backpropagation through the sequential one."""

import pytest
import torch

from deqir_lite import SolveOptions
from deqir_lite.chain import make_chain
from deqir_lite.fixedpoint import FORMS, FixedPointSystem, make_model
from deqir_lite.inversion import (
    GRADIENTS,
    attach_gradient,
    implicit_gradient,
    neumann_series,
    reverse_substitution,
    solve_implicit,
    step_pullback,
)
from deqir_lite.operators import TASKS, MatrixOperator
from deqir_lite.priors.network import NetworkPrior
from deqir_lite.schedule import linear_schedule
from deqir_lite.solvers import ConvergenceWarning

TIGHT = {"tolerance": 1e-14, "max_sweeps": 100}
SOLVE = ("form", "solver", "start", "gaussian", "max_sweeps", "tolerance", "x0_tolerance")


def with_solve(options):
    """Flat options with those of the solve put together."""
    solve = {name: value for name, value in options.items() if name in SOLVE}
    rest = {name: value for name, value in options.items() if name not in SOLVE}
    return {"solve": SolveOptions(**solve), **rest}


def x_T_gradient(chain, loss, on="x0", **options):
    """dL/dx_T by one backward pass through solve_implicit."""
    x_T = chain.x_T.clone().requires_grad_()
    solution = solve_implicit(chain, x_T=x_T, **with_solve(options))
    loss(solution.states if on == "states" else solution.x0).backward()
    return x_T.grad


def seeds(chain, loss, on="x0"):
    """The sequential states and the slopes of the loss with respect to each of them."""
    states = chain.sequential().detach().requires_grad_()
    loss(states if on == "states" else states[-1]).backward()
    return states.detach(), states.grad


@pytest.mark.parametrize("task", list(TASKS))
@pytest.mark.equation("12", "13")
def test_exact_gradients_are_the_unrolled_one(
    chain_for, gaussian_prior, curved_loss, relative, task
):
    chain = chain_for(task, prior=gaussian_prior, num_steps=10)
    loss = curved_loss(chain.x_T)
    expected = x_T_gradient(chain, loss, gradient="unrolled")
    for gradient in ("exact", "exact-series"):
        got = x_T_gradient(
            chain, loss, form="gaussian", gradient=gradient, gaussian=gaussian_prior, **TIGHT
        )
        assert relative(got, expected) <= 1e-10


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("on", ["x0", "states"])
def test_t_terms_are_exact_for_every_form(
    chain_for, gaussian_prior, curved_loss, relative, form, on
):
    chain = chain_for("sr2", num_steps=10, batch=2, eta=0.3)
    states, _ = seeds(chain, lambda x: x.sum())
    loss = curved_loss(states if on == "states" else chain.x_T)
    expected = x_T_gradient(chain, loss, on, gradient="unrolled")
    states, g = seeds(chain, loss, on)
    system = FixedPointSystem(chain, make_model(form, chain, gaussian=gaussian_prior))
    for name, terms in (("exact", 1), ("neumann", 25)):  # after 10 terms the series ends
        got, _ = implicit_gradient(system, states, g, gradient=name, terms=terms)
        assert relative(got, expected) <= 1e-10
    fewer, _ = implicit_gradient(system, states, g, gradient="neumann", terms=3)
    assert relative(fewer, expected) > 1e-6


@pytest.fixture(scope="module")
def mixture_chain(mixture_prior):
    """Points of the plane, one line of each measured."""
    matrix = torch.tensor([[0.6, -0.8]]).double()
    y = torch.tensor([[0.4], [-0.3], [1.1]]).double()
    return make_chain(mixture_prior, MatrixOperator(matrix), y, num_steps=20, eta=0.3, seed=3)


@pytest.mark.parametrize("gradient", ["exact", "exact-series"])
def test_exact_on_the_mixture(mixture_chain, curved_loss, relative, gradient):
    loss = curved_loss(mixture_chain.x_T)
    expected = x_T_gradient(mixture_chain, loss, gradient="unrolled")
    got = x_T_gradient(
        mixture_chain, loss, form="data", start="measurement", gradient=gradient, **TIGHT
    )
    assert relative(got, expected) <= 1e-10


@pytest.mark.parametrize("gradient", ["exact", "exact-series"])
def test_exact_through_a_network_with_attention(
    chain_for, make_unet, gaussian_prior, curved_loss, relative, gradient
):
    prior = NetworkPrior(make_unet(), linear_schedule(), dtype="float64")
    chain = chain_for("colorization", prior=prior, num_steps=10)
    loss = curved_loss(chain.x_T)
    states, g = seeds(chain, loss)
    expected = x_T_gradient(chain, loss, gradient="unrolled")
    system = FixedPointSystem(chain, make_model("gaussian", chain, gaussian=gaussian_prior))
    got, _ = implicit_gradient(system, states, g, gradient=gradient, chunk=7)
    assert relative(got, expected) <= 1e-10


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.equation("13")
def test_terms_are_those_of_the_paper_series(chain_for, gaussian_prior, curved_loss, form):
    """(dF/dx_T)^T (I + J^T + ...) dL/dx, with F and J by autograd through one sweep."""
    chain = chain_for("sr2", num_steps=6, eta=0.3, batch=2)
    model = make_model(form, chain, gaussian=gaussian_prior)
    system = FixedPointSystem(chain, model)
    states = chain.sequential()
    _, g = seeds(chain, curved_loss(states), on="states")

    def f_of(x_T):
        return FixedPointSystem(chain.with_x_T(x_T), model)(torch.cat([x_T[None], states[1:]]))[1:]

    to_x_T = torch.func.vjp(f_of, chain.x_T)[1]
    power = total = g[1:]
    for terms in range(1, 5):
        expected = g[0] + to_x_T(total)[0]
        got, _ = implicit_gradient(system, states, g, gradient="neumann", terms=terms)
        torch.testing.assert_close(got, expected, rtol=1e-9, atol=1e-9)
        if terms == 1:
            one_step, _ = implicit_gradient(system, states, g, gradient="one-step")
            torch.testing.assert_close(one_step, got, rtol=0, atol=0)
        power = system.vjp(states, power)
        total = total + power


def test_one_step_of_jacobi_sees_the_first_step_only(chain_for, gaussian_prior, curved_loss):
    """Without a linear model, K terms look K steps back: x_T is out of sight of x_0."""
    chain = chain_for("sr2", num_steps=6)
    system = FixedPointSystem(chain, make_model("jacobi", chain))
    states, g = seeds(chain, curved_loss(chain.x_T))
    for terms, blind in ((1, True), (5, True), (6, False)):
        got, _ = implicit_gradient(system, states, g, gradient="neumann", terms=terms)
        assert bool(got.any()) is not blind


def test_the_gaussian_form_is_exact_in_one_step_under_its_prior(
    chain_for, gaussian_prior, curved_loss, relative
):
    chain = chain_for("sr4", prior=gaussian_prior, num_steps=20)
    states, g = seeds(chain, curved_loss(chain.x_T))
    exact = x_T_gradient(chain, curved_loss(chain.x_T), gradient="unrolled")
    system = FixedPointSystem(chain, make_model("gaussian", chain, gaussian=gaussian_prior))
    assert relative(implicit_gradient(system, states, g, gradient="one-step")[0], exact) <= 1e-10
    system = FixedPointSystem(chain, make_model("noise", chain))
    assert relative(implicit_gradient(system, states, g, gradient="one-step")[0], exact) >= 1e-2


@pytest.mark.parametrize("gradient", ["exact", "exact-series"])
def test_directional_differences(chain_for, curved_loss, gradient):
    """Independent of autograd: the slope of the loss of the sequential sample."""
    chain, h = chain_for("inpaint-box", num_steps=8), 1e-5
    loss = curved_loss(chain.x_T)
    slope = x_T_gradient(chain, loss, form="noise", gradient=gradient, **TIGHT)
    for seed in range(3):
        generator = torch.Generator().manual_seed(40 + seed)
        direction = torch.randn(slope.shape, generator=generator, dtype=torch.float64)
        up, down = (
            loss(chain.with_x_T(chain.x_T + s * h * direction).sequential()[-1]) for s in (1, -1)
        )
        expected = (up - down) / (2 * h)
        torch.testing.assert_close((slope * direction).sum(), expected, rtol=1e-6, atol=1e-6)


def test_adjoint_states_solve_their_recursion(chain_for, curved_loss):
    chain = chain_for("sr2", num_steps=6)
    states, g = seeds(chain, curved_loss(chain.x_T))
    v = reverse_substitution(chain, states, g[1:])
    pulled, _ = step_pullback(chain, states[1:-1], v[1:], first=1)
    torch.testing.assert_close(v[:-1], g[1:-1] + pulled)
    assert torch.equal(v[-1], g[-1])


@pytest.mark.parametrize("form", FORMS)
def test_every_term_makes_one_more_state_exact(chain_for, gaussian_prior, curved_loss, form):
    """The staircase of the sweeps, from the other end."""
    chain = chain_for("sr2", num_steps=6)
    states, g = seeds(chain, curved_loss(chain.sequential()), on="states")
    exact = reverse_substitution(chain, states, g[1:])
    system = FixedPointSystem(chain, make_model(form, chain, gaussian=gaussian_prior))
    terms = list(neumann_series(system, states, g[1:]))
    assert len(terms) == 6
    for count, v in enumerate(terms, start=1):
        torch.testing.assert_close(v[-count:], exact[-count:], rtol=1e-9, atol=1e-10)


def test_the_chunk_does_not_matter(chain_for, gaussian_prior, curved_loss):
    chain = chain_for("sr2", num_steps=6, batch=2)
    states, g = seeds(chain, curved_loss(chain.x_T))
    system = FixedPointSystem(chain, make_model("gaussian", chain, gaussian=gaussian_prior))
    results = [
        implicit_gradient(system, states, g, gradient="neumann", terms=3, chunk=c)[0]
        for c in (1, 4, 100)
    ]
    for other in results[1:]:
        torch.testing.assert_close(other, results[0], rtol=1e-12, atol=1e-12)


def test_solutions_are_solutions_and_compose_with_other_code(chain_for):
    chain = chain_for("sr2", batch=2)
    scale = torch.tensor(1.1, dtype=torch.float64, requires_grad=True)
    solution = solve_implicit(
        chain, x_T=scale * chain.x_T, solve=SolveOptions(form="noise", **TIGHT)
    )
    assert solution.converged
    assert solution.nfe > 0
    torch.testing.assert_close(
        solution.states, chain.with_x_T(1.1 * chain.x_T).sequential(), rtol=0, atol=1e-10
    )
    assert torch.equal(solution.x0, solution.states[-1])
    (slope,) = torch.autograd.grad(solution.x0.sum(), scale)
    unrolled = solve_implicit(chain, x_T=scale * chain.x_T, gradient="unrolled")
    (expected,) = torch.autograd.grad(unrolled.x0.sum(), scale)
    torch.testing.assert_close(slope, expected)
    assert unrolled.sweeps == 6
    with torch.no_grad():
        assert not solve_implicit(
            chain, solve=SolveOptions(form="noise", **TIGHT)
        ).states.requires_grad


def test_the_gradient_may_use_another_form_than_the_solve(chain_for, gaussian_prior, curved_loss):
    chain = chain_for("sr2")
    loss = curved_loss(chain.x_T)
    options = {"gradient": "one-step", "gaussian": gaussian_prior, **TIGHT}
    own = x_T_gradient(chain, loss, form="gaussian", **options)
    other = x_T_gradient(chain, loss, form="noise", gradient_form="gaussian", **options)
    plain = x_T_gradient(chain, loss, form="noise", **options)
    torch.testing.assert_close(other, own)
    assert not torch.allclose(plain, own)


def test_a_solve_that_did_not_converge_warns_with_the_residual(chain_for):
    with pytest.warns(ConvergenceWarning, match="residual .* wanted 1.0e-12"):
        solution = solve_implicit(
            chain_for("sr2", num_steps=20),
            solve=SolveOptions(form="data", max_sweeps=2, tolerance=1e-12),
        )
    assert not solution.converged


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"gradient": "two-step"}, f"^gradient: .*known: {', '.join(GRADIENTS)}$"),
        ({"terms": 0}, "^terms: got 0"),
        ({"chunk": 0}, "^chunk: got 0"),
        ({"gradient_form": "newton"}, "^form: unknown"),
        ({"solve": SolveOptions(window=2)}, "^window: got 2; the gradient needs the states of all"),
        ({"x_T": torch.zeros(2, 3, 8, 8).double()}, "^x_T: got shape"),
    ],
)
def test_bad_arguments(chain_for, options, message):
    with pytest.raises(ValueError, match=message):
        solve_implicit(chain_for(), **with_solve({"form": "noise", **options}))


def test_bad_states_and_slopes(chain_for):
    chain = chain_for()
    system = FixedPointSystem(chain, make_model("noise", chain))
    states = chain.sequential()
    with pytest.raises(ValueError, match="^states: got shape"):
        implicit_gradient(system, states[1:], states)
    with pytest.raises(ValueError, match="^g: got shape"):
        implicit_gradient(system, states, states[1:])
    with pytest.raises(ValueError, match="^gradient: 'unrolled' needs"):
        implicit_gradient(system, states, states, gradient="unrolled")
    with pytest.raises(ValueError, match="^gradient: unknown"):
        attach_gradient(system, states, chain.x_T, gradient="all")


@pytest.mark.parametrize("linear", [True, False])
def test_second_derivatives_are_refused_but_for_the_unrolled_one(chain_for, linear):
    """Through a linear loss they would be a silent zero: the chain itself is not linear."""
    chain = chain_for("sr2", num_steps=3)

    def f(x_T, gradient):
        x0 = solve_implicit(chain, x_T=x_T, solve=SolveOptions(**TIGHT), gradient=gradient).x0
        return (x0 * chain.noise[0]).sum() if linear else x0.square().sum()

    v = torch.ones_like(chain.x_T)
    with pytest.raises(RuntimeError, match="gradient='unrolled'"):
        torch.autograd.functional.hvp(lambda x: f(x, "exact"), chain.x_T, v)
    _, expected = torch.autograd.functional.hvp(lambda x: f(x, "unrolled"), chain.x_T, v)
    assert expected.abs().max() > 1e-3
