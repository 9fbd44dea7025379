"""Anderson acceleration: weights, exactness, and what each mixing keeps or loses."""

import itertools

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.sparse.linalg import LinearOperator, gmres

from deqir_lite.fixedpoint import FORMS
from deqir_lite.solvers import MIXINGS, Anderson, Picard, solve
from deqir_lite.solvers.anderson import eliminate


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("eta", [0.0, 0.85])
@pytest.mark.parametrize("task", ["sr2", "inpaint-box", "colorization"])
def test_triangular_mixing_ends_within_t_sweeps_from_any_start(
    system_for, random_start, task, eta, form
):
    system = system_for(form, task=task, eta=eta, num_steps=10)
    sequential = system.chain.sequential()
    solution = solve(
        system, Anderson("triangular"), random_start(system), tolerance=0.0, record=["states"]
    )
    assert solution.converged
    assert solution.sweeps <= 10
    scale = sequential.abs().max()
    for j, states in enumerate(solution.trace.states, start=1):
        assert (states[: j + 1] - sequential[: j + 1]).abs().max() <= 1e-11 * scale
    assert (solution.states - sequential).abs().max() <= 1e-11 * scale


@given(
    st.integers(1, 8), st.integers(1, 5), st.floats(0.1, 1), st.floats(0, 1e-2),
    st.sampled_from(FORMS), st.integers(0, 1000),
)  # fmt: skip
def test_no_setting_breaks_the_bound_of_triangular_mixing(
    system_for, random_start, num_steps, memory, damping, ridge, form, seed
):
    system = system_for(form, num_steps=num_steps, eta=0.3, seed=seed)
    solver = Anderson("triangular", memory, damping, max(ridge, 1e-10))
    solution = solve(system, solver, random_start(system, seed), tolerance=0.0)
    assert solution.converged
    sequential = system.chain.sequential()
    assert (solution.states - sequential).abs().max() <= 1e-10 * sequential.abs().max()


@pytest.mark.parametrize("mixing", MIXINGS)
@pytest.mark.parametrize("form", ["data", "gaussian"])
@pytest.mark.parametrize("eta", [0.0, 0.5])
def test_every_mixing_converges_to_the_sequential_chain(
    system_for, random_start, mixing, form, eta
):
    system = system_for(form, num_steps=8, eta=eta)
    solution = solve(
        system, Anderson(mixing), random_start(system), max_sweeps=100, tolerance=1e-12
    )
    assert solution.converged
    sequential = system.chain.sequential()
    assert (solution.states - sequential).abs().max() <= 1e-9 * sequential.abs().max()


@pytest.mark.filterwarnings("ignore:not converged")
@pytest.mark.parametrize("mixing", MIXINGS)
@pytest.mark.parametrize("damping", [0.5, 1.0])
@pytest.mark.parametrize("memory", [1, 4])
def test_weights_sum_to_one_and_memory_limits_them(
    system_for, random_start, mixing, damping, memory
):
    system = system_for("data", num_steps=8, batch=2)
    solver = Anderson(mixing, memory, damping)
    solution = solve(
        system, solver, random_start(system), max_sweeps=7, tolerance=1e-15, record=["x0"]
    )
    weights = solution.trace.weights
    assert weights[0] is None  # nothing to mix with yet
    for sweep, alpha in enumerate(weights[1:], start=1):
        active = alpha.shape[0]
        assert alpha.shape == (active, 2, min(sweep, memory) + 1)
        torch.testing.assert_close(alpha.sum(-1), torch.ones(active, 2).double())
        if mixing == "joint":
            torch.testing.assert_close(alpha, alpha[:1].expand_as(alpha))
        else:
            assert active < 3 or not torch.allclose(alpha[1], alpha[2])
        if mixing == "triangular":
            assert active == 8 - (sweep + 1)
            assert (alpha[0, :, 0] == 1).all()  # the plain step of the first unfinished state


def reference_mix(xs, gs, beta, ridge, rows_of):
    """Alg. 1 with constrained least squares: the alphas minimise |sum alpha g|, sum alpha = 1.

    ``xs``, ``gs``: newest first, each (n, B, ...); ``rows_of(i)``: whose residuals decide row i.
    """
    n, batch = xs[0].shape[:2]
    result = torch.empty_like(xs[0])
    for i, b in itertools.product(range(n), range(batch)):
        rows = rows_of(i, n)
        G = torch.stack([g[rows, b].flatten() for g in gs], dim=1)  # (d, m + 1)
        D = G[:, :1] - G[:, 1:]
        gram = D.T @ D
        gram = gram + ridge * gram.diagonal().mean() * torch.eye(len(gram)).double()
        gamma = torch.linalg.solve(gram, D.T @ G[:, 0])
        alpha = torch.cat([1 - gamma.sum()[None], gamma])
        result[i, b] = sum(a * (x + beta * g)[i, b] for a, x, g in zip(alpha, xs, gs, strict=True))
    return result


@pytest.mark.parametrize(
    ("mixing", "rows_of"),
    [
        ("joint", lambda i, n: slice(0, n)),
        ("per-timestep", lambda i, n: slice(i, i + 1)),
        ("triangular", lambda i, n: slice(0, i + 1)),
    ],
)
@pytest.mark.equation("Alg. 1")
@pytest.mark.parametrize("damping", [0.6, 1.0])
def test_the_next_iterate_is_the_weighted_mean_of_algorithm_1(
    system_for, random_start, mixing, rows_of, damping
):
    system = system_for("data", num_steps=7, batch=2)
    solver = Anderson(mixing, memory=2, damping=damping, regularization=1e-6)
    state = solver.init(system, random_start(system))
    xs, gs = [], []
    for sweep in range(5):
        x = state.states
        # images freeze one by one, but a joint mix is compared over the rows of all of them
        state = solver.step(system, state, tolerance=-1.0 if mixing == "joint" else 0.0)
        first = state.first
        xs, gs = [x, *xs][:3], [state.output - x, *gs][:3]
        if sweep == 0:
            torch.testing.assert_close(state.states, state.output)
            continue
        active = slice(first + 1, None)
        expected = reference_mix(
            [v[active] for v in xs], [v[active] for v in gs], damping, 1e-6, rows_of
        )
        if mixing == "triangular":
            expected[0] = state.output[first + 1]
        torch.testing.assert_close(state.states[active], expected, rtol=0, atol=1e-8)
        torch.testing.assert_close(state.states[: first + 1], state.output[: first + 1])


@pytest.mark.parametrize("form", ["data", "noise"])
def test_full_memory_joint_mixing_is_gmres_on_an_affine_system(
    system_for, random_start, gaussian_prior, form
):
    """Walker and Ni (2011): the mixed residuals are those of GMRES for (I - J) x = b.

    J is nilpotent, so both end after at most T steps.
    """
    steps = 6
    system = system_for(form, prior=gaussian_prior, num_steps=steps, eta=0.2, size=(4, 4))
    start = random_start(system)
    start[0] = system.chain.x_T
    unknowns = start[1:].numel()

    def residual(vector):
        states = torch.cat([start[:1], torch.from_numpy(vector).reshape(start[1:].shape)])
        return (system(states) - states)[1:].flatten().numpy()

    zero = residual(np.zeros(unknowns))  # b: the residual is b - (I - J) x
    matrix = LinearOperator((unknowns, unknowns), lambda v: zero - residual(v), dtype=float)
    norms = []
    x0 = start[1:].flatten().numpy()
    gmres(
        matrix, zero, x0=x0, rtol=1e-13, restart=steps, maxiter=1,
        callback=norms.append, callback_type="pr_norm",
    )  # fmt: skip
    solver = Anderson("joint", memory=50, regularization=0.0)
    state, gs, mixed = solver.init(system, start), [], []
    for _ in range(steps):
        x = state.states
        state = solver.step(system, state, tolerance=-1.0)  # nothing is frozen
        gs.insert(0, (state.output - x)[1:].flatten())
        if state.weights is not None:
            alpha = state.weights[0, 0]
            mixed.append(float(sum(a * g for a, g in zip(alpha, gs, strict=True)).norm()))
    gmres_norms = np.array(norms[: len(mixed)]) * np.linalg.norm(zero)
    large = gmres_norms > 1e-6 * np.linalg.norm(residual(x0))
    assert large.sum() >= 3
    np.testing.assert_allclose(np.array(mixed)[large], gmres_norms[large], rtol=1e-6)
    final = solve(system, solver, start, max_sweeps=steps + 2, tolerance=1e-6)
    assert final.converged


@pytest.mark.parametrize("mixing", MIXINGS)
@pytest.mark.parametrize("scale", [1e-3, 1e4])
def test_relative_regularisation_does_not_depend_on_the_scale(mixing, scale):
    solver = Anderson(mixing, memory=3, regularization=1e-2)
    generator = torch.Generator().manual_seed(0)
    g = torch.randn(5, 2, 3, 4, 4, generator=generator, dtype=torch.float64)
    dg = torch.randn(3, 5, 2, 3, 4, 4, generator=generator, dtype=torch.float64)
    gamma = solver._coefficients(g, dg)
    assert gamma.shape == (5, 2, 3)
    torch.testing.assert_close(solver._coefficients(scale * g, scale * dg), gamma)
    absolute = Anderson(mixing, memory=3, regularization=1e-8)._coefficients(g, dg)
    assert not torch.allclose(absolute, gamma, rtol=1e-3)


def test_equal_iterates_give_no_weight_to_the_past():
    g = torch.ones(3, 1, 3, 4, 4)
    gamma = Anderson("joint")._coefficients(g, torch.zeros(2, 3, 1, 3, 4, 4))
    assert not gamma.any()


@pytest.mark.filterwarnings("ignore:not converged")
@pytest.mark.parametrize("mixing", MIXINGS)
def test_each_image_is_mixed_by_itself(system_for, random_start, mixing):
    system, solver = system_for("data", num_steps=8, batch=3, eta=0.4), Anderson(mixing)
    start = random_start(system)
    together = solve(
        system, solver, start, max_sweeps=6, tolerance=0.0, record=["states"]
    ).trace.states
    scaled = start.clone()
    scaled[:, 1] *= 50  # what happens to the second image must not matter to the others
    other = solve(
        system, solver, scaled, max_sweeps=6, tolerance=0.0, record=["states"]
    ).trace.states
    for one, two in zip(together, other, strict=True):
        for image in (0, 2):
            torch.testing.assert_close(one[:, image], two[:, image], rtol=0, atol=1e-8)


@pytest.mark.parametrize("mixing", MIXINGS)
def test_float32_comes_as_close_as_float32_can(system_for, random_start, mixing):
    system = system_for("gaussian", num_steps=10, dtype=torch.float32)
    solution = solve(system, Anderson(mixing), random_start(system), max_sweeps=60, tolerance=1e-5)
    assert solution.converged
    assert solution.states.dtype == torch.float32
    sequential = system.chain.sequential()
    assert (solution.states - sequential).norm() <= 1e-4 * sequential.norm()


def test_acceleration_pays(system_for, random_start):
    """Sweeps to 1e-3: triangular mixing needs fewer than plain iteration."""
    system = system_for("data", num_steps=30, eta=0.85)
    start = random_start(system)
    plain, mixed = (solve(system, s, start, tolerance=1e-4) for s in (Picard(), Anderson()))
    assert mixed.sweeps < plain.sweeps
    assert mixed.nfe < plain.nfe


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"mixing": "diagonal"}, "mixing: .*known: joint, per-timestep, triangular"),
        ({"memory": 0}, "memory: got 0"),
        ({"memory": 2.5}, "memory: got 2.5"),
        ({"damping": 0.0}, "damping: got 0.0"),
        ({"damping": 1.5}, "damping: got 1.5"),
        ({"regularization": -1e-3}, "regularization: got -0.001"),
        ({"regularization": float("nan")}, "regularization: got nan"),
    ],
)
def test_bad_settings(arguments, message):
    with pytest.raises(ValueError, match=message):
        Anderson(**arguments)


@pytest.mark.parametrize("size", [1, 2, 3, 5])
def test_elimination_solves_positive_definite_systems(size):
    generator = torch.Generator().manual_seed(size)
    root = torch.randn(4, 2, size, size + 1, generator=generator, dtype=torch.float64)
    matrix, right = root @ root.mT + 0.1 * torch.eye(size).double(), root[..., :1]
    torch.testing.assert_close(eliminate(matrix, right), torch.linalg.solve(matrix, right))
