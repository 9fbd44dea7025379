"""Gradients for y, operators and networks: dL/dtheta = sum_s (dh_s/dtheta)^T v_s."""

import pytest
import torch

from deqir_lite import SolveOptions
from deqir_lite.chain import make_chain
from deqir_lite.inversion import solve_implicit
from deqir_lite.inversion.implicit import differentiable_leaves
from deqir_lite.operators import MatrixOperator, make_task
from deqir_lite.priors import ModelPrior

TIGHT = {"tolerance": 1e-14, "max_sweeps": 100}


@pytest.fixture
def measured(gaussian_prior):
    """y of a task with requires_grad."""

    def make(task, batch=2):
        photo = gaussian_prior.sample((batch, 8, 8), torch.Generator().manual_seed(0))
        return make_task(task, (8, 8)).A(photo).requires_grad_()

    return make


def both(make, loss, leaf, **options):
    """The leaf's gradient by the implicit function theorem and through the unrolled chain."""
    found = []
    for gradient in ("exact", "exact-series", "unrolled"):
        solution = solve_implicit(make(), gradient=gradient, solve=SolveOptions(**options, **TIGHT))
        found.append(torch.autograd.grad(loss(solution.x0), leaf)[0])
    return found


@pytest.mark.parametrize("task", ["sr2", "colorization", "inpaint-random", "deblur-motion"])
@pytest.mark.equation("13")
def test_gradient_of_y(measured, nonlinear_prior, curved_loss, relative, task):
    y = measured(task)
    chain = make_chain(nonlinear_prior, make_task(task, (8, 8)), y, num_steps=10, eta=0.3)
    exact, series, expected = both(lambda: chain, curved_loss(chain.x_T), y, form="noise")
    assert relative(exact, expected) <= 1e-10
    assert relative(series, expected) <= 1e-10


def test_gradient_of_y_by_differences(measured, nonlinear_prior, curved_loss):
    y, operator, h = measured("sr2"), make_task("sr2", (8, 8)), 1e-5

    def x0_of(y):
        return make_chain(nonlinear_prior, operator, y, num_steps=8).sequential()[-1]

    chain = make_chain(nonlinear_prior, operator, y, num_steps=8)
    loss = curved_loss(chain.x_T)
    solution = solve_implicit(chain, solve=SolveOptions(form="noise", **TIGHT))
    loss(solution.x0).backward()
    direction = torch.randn(y.shape, generator=torch.Generator().manual_seed(3)).double()
    with torch.no_grad():
        up, down = (loss(x0_of(y + s * h * direction)) for s in (1, -1))
    slope = (y.grad * direction).sum()
    torch.testing.assert_close(slope, (up - down) / (2 * h), rtol=1e-6, atol=1e-6)


def test_y_and_x_T_together_and_twice(measured, nonlinear_prior, curved_loss):
    """The graph behind A^+ y serves more than one backward pass."""
    y = measured("sr2")
    chain = make_chain(nonlinear_prior, make_task("sr2", (8, 8)), y, num_steps=6)
    x_T = chain.x_T.detach().clone().requires_grad_()
    loss = curved_loss(x_T)
    gradients = []
    for gradient in ("exact", "exact", "unrolled"):
        solution = solve_implicit(
            chain, x_T=x_T, gradient=gradient, solve=SolveOptions(form="noise", **TIGHT)
        )
        gradients.append(torch.autograd.grad(loss(solution.x0), [x_T, y], retain_graph=True))
    for got in gradients[:2]:
        torch.testing.assert_close(got, gradients[2], rtol=1e-9, atol=1e-10)


def test_a_chain_that_starts_from_y(measured, nonlinear_prior, curved_loss, relative):
    """With an intermediate start y enters through x_T too."""
    y, operator = measured("sr2"), make_task("sr2", (8, 8))

    def chain():
        return make_chain(nonlinear_prior, operator, y, num_steps=6, first_timestep=400)

    assert chain().x_T.requires_grad
    exact, _, expected = both(chain, curved_loss(chain().x_T), y, form="noise")
    assert relative(exact, expected) <= 1e-10


def test_gradient_of_a_matrix(mixture_prior, curved_loss, relative):
    matrix = torch.tensor([[0.6, -0.8]]).double().requires_grad_()
    y = torch.tensor([[0.4], [-0.3]]).double()

    def chain():
        return make_chain(mixture_prior, MatrixOperator(matrix), y, num_steps=8, eta=0.3)

    loss = curved_loss(chain().x_T)
    exact, series, expected = both(chain, loss, matrix, form="noise", start="measurement")
    assert relative(exact, expected) <= 1e-10
    assert relative(series, expected) <= 1e-10


def test_gradient_of_a_network_weight_and_of_a_tensor_that_is_no_leaf(
    chain_for, gaussian_prior, curved_loss, relative
):
    weight = torch.tensor(0.2, dtype=torch.float64, requires_grad=True)
    bend = 2 * weight

    def model(x_t, t):
        return gaussian_prior(x_t, t) + bend * torch.tanh(x_t.roll(1, -1))

    prior = ModelPrior(model, gaussian_prior.schedule)
    chain = chain_for("sr2", prior=gaussian_prior).with_prior(prior)
    loss = curved_loss(chain.x_T)
    assert differentiable_leaves(chain)[0] is weight
    exact, series, expected = both(lambda: chain, loss, weight, form="data")
    assert relative(exact, expected) <= 1e-10
    assert relative(series, expected) <= 1e-10
    solution = solve_implicit(chain, parameters=[bend], solve=SolveOptions(form="data", **TIGHT))
    (slope,) = torch.autograd.grad(loss(solution.x0), bend)
    torch.testing.assert_close(2 * slope, expected)


def test_nothing_to_find(chain_for):
    assert differentiable_leaves(chain_for()) == []
