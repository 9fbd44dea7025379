"""Any matrix as an operator on vectors, and a chain of points of the plane."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from deqir_lite.chain import make_chain
from deqir_lite.fixedpoint import FixedPointSystem, NoiseFormModel, x_T_start
from deqir_lite.operators import MatrixOperator
from deqir_lite.priors import GaussianMixturePrior
from deqir_lite.solvers import Picard, solve


@settings(max_examples=20, deadline=None)
@given(rows=st.integers(1, 5), columns=st.integers(1, 5), seed=st.integers(0, 999))
@pytest.mark.equation("5")
def test_agrees_with_numpy_for_random_matrices(rows, columns, seed):
    rng = np.random.default_rng(seed)
    matrix = rng.standard_normal((rows, columns))
    if rows > 1:
        matrix[-1] = matrix[0]  # linearly dependent rows
    a, pinv = torch.tensor(matrix), torch.tensor(np.linalg.pinv(matrix))
    operator = MatrixOperator(a)
    x, y = torch.tensor(rng.standard_normal((3, columns))), torch.tensor(rng.random((3, rows)))
    close = {"atol": 1e-10, "rtol": 0}
    torch.testing.assert_close(operator.A(x), x @ a.T, **close)
    torch.testing.assert_close(operator.adjoint(y), y @ a, **close)
    torch.testing.assert_close(operator.pinv(y), y @ pinv.T, **close)
    torch.testing.assert_close(operator.range_projector(x), x @ (pinv @ a).T, **close)
    leak = operator.null_projector(operator.pinv(y))
    torch.testing.assert_close(leak, torch.zeros_like(leak), **close)


def test_points_of_the_plane_are_restored_in_parallel_like_photos():
    means = torch.tensor([[-1.0, 0.5], [1.0, -0.5]])
    prior = GaussianMixturePrior(torch.ones(2), means, 0.05 * torch.eye(2).expand(2, 2, 2))
    operator = MatrixOperator(torch.tensor([[1.0, 0.0]]))
    y = torch.tensor([[-1.0], [0.9], [0.0]], dtype=torch.float64)
    chain = make_chain(prior, operator, y, num_steps=20, eta=0.3)
    sequential = chain.sequential()
    system = FixedPointSystem(chain, NoiseFormModel(chain))
    solution = solve(system, Picard(), x_T_start(chain), tolerance=0)
    torch.testing.assert_close(solution.states, sequential, atol=1e-10, rtol=0)
    torch.testing.assert_close(solution.x0[:, :1], y, atol=1e-12, rtol=0)


@pytest.mark.parametrize(
    ("matrix", "message"),
    [
        (torch.ones(3), r"matrix: got shape \(3,\)"),
        (torch.full((2, 2), torch.nan), "matrix: contains NaN"),
        (torch.ones(0, 2), r"matrix: got shape \(0, 2\)"),
    ],
)
def test_refuses_what_is_no_matrix(matrix, message):
    with pytest.raises(ValueError, match=message):
        MatrixOperator(matrix)


def test_knows_its_singular_value_decomposition():
    matrix = torch.tensor([[1.0, 2, 2], [1, 2, 2]]).double()
    operator = MatrixOperator(matrix)
    s = operator.singular_values(())
    torch.testing.assert_close(s, torch.tensor([[18.0**0.5, 0, 0]]).double())
    eye = torch.eye(3).double()
    torch.testing.assert_close(operator.v(operator.vt(eye)), eye)
    torch.testing.assert_close(operator.u(s * operator.vt(eye)).mT, matrix)
    torch.testing.assert_close(operator.ut(operator.A(eye)), s * operator.vt(eye))
    assert operator.measurement_shape(()) == (2,)
    assert operator.image_size((2,)) == ()
    with pytest.raises(ValueError, match=r"image_size: got \(2, 2\); expected \(\)"):
        operator.measurement_shape((2, 2))


def test_refuses_vectors_of_another_length():
    operator = MatrixOperator(torch.ones(1, 2))
    with pytest.raises(ValueError, match=r"x: got shape \(1, 3\); expected \(B, 2\)"):
        operator.A(torch.ones(1, 3))
    with pytest.raises(ValueError, match=r"y: got shape \(1, 2\); expected \(B, 1\)"):
        operator.pinv(torch.ones(1, 2))
