"""Matrices of every kind and size as operators on photos, and the one door for all operators."""

import numpy as np
import pytest
import scipy.sparse
import scipy.sparse.linalg
import torch

from deqir_lite.chain import make_chain
from deqir_lite.operators import (
    Inpainting,
    LinearOperator,
    MatrixOperator,
    SpectralOperator,
    as_operator,
    make_task,
    matrices,
    matrix_operator,
    random_mask,
)
from deqir_lite.restoration import Problem, estimate_sigma_y, restore_parallel, restore_problem

SIZE, ROWS, COLUMNS = (4, 6), 40, 72


def numbers():
    """Rank 35: rows that depend on others, and a third of zeros."""
    rng = np.random.default_rng(0)
    matrix = rng.standard_normal((ROWS, COLUMNS)) * (rng.random((ROWS, COLUMNS)) > 0.3)
    matrix[35:] = matrix[:5] - matrix[5:10]
    return matrix


KINDS = {
    "tensor": torch.from_numpy,
    "sparse tensor": lambda m: torch.from_numpy(m).to_sparse(),
    "CSR tensor": lambda m: torch.from_numpy(m).to_sparse_csr(),
    "array": lambda m: m,
    "Fortran array": np.asfortranarray,
    "csr": scipy.sparse.csr_array,
    "coo": scipy.sparse.coo_matrix,
    "LinearOperator": scipy.sparse.linalg.aslinearoperator,
}


@pytest.fixture(params=[True, False], ids=["decomposed", "free"])
def small(request, monkeypatch):
    """Whether matrices count as small."""
    if not request.param:
        monkeypatch.setattr(matrices, "LARGEST", (1, 1))
    return request.param


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize("kind", list(KINDS))
@pytest.mark.equation("5")
def test_agrees_with_numpy(kind):
    given = KINDS[kind](numbers())
    a, operator = numbers(), as_operator(given, SIZE)
    pinv, rng = np.linalg.pinv(a, rcond=1e-10), np.random.default_rng(1)
    x, y = torch.from_numpy(rng.random((2, 3, *SIZE))), torch.from_numpy(rng.random((2, ROWS)))
    flat = x.flatten(1).numpy()
    close = {"atol": 1e-9, "rtol": 0}
    expected = {
        "A": (operator.A(x), flat @ a.T),
        "adjoint": (operator.adjoint(y).flatten(1), y.numpy() @ a),
        "pinv": (operator.pinv(y).flatten(1), y.numpy() @ pinv.T),
        "range": (operator.range_projector(x).flatten(1), flat @ (pinv @ a).T),
    }
    for got, value in expected.values():
        torch.testing.assert_close(got, torch.from_numpy(value), **close)
    assert operator.measurement_shape(SIZE) == (ROWS,)
    assert operator.image_size((ROWS,)) == SIZE
    x.requires_grad_()
    (slope,) = torch.autograd.grad((operator.A(x) * y).sum(), x)
    torch.testing.assert_close(slope, operator.adjoint(y), atol=1e-12, rtol=0)
    single = operator.pinv(operator.A(x.detach().float()))
    assert single.dtype == torch.float32
    torch.testing.assert_close(single.double(), operator.range_projector(x), atol=2e-3, rtol=0)


def test_small_matrices_are_decomposed(check_svd, make_case, small):
    operator = as_operator(numbers(), SIZE)
    assert isinstance(operator, SpectralOperator) == small
    if small:
        check_svd(make_case(operator, SIZE))
        assert operator.singular_values(SIZE).shape == (1, 3, *SIZE)
        assert repr(operator) == "MatrixOperator(40x72, size=4x6)"
    else:
        assert operator.pinv_error < 1e-9
        assert repr(operator).startswith("LargeMatrixOperator(40x72, size=4x6, pinv_error=")


@pytest.mark.parametrize("method", ["ddnm", "weighted"])
def test_a_mask_as_a_sparse_matrix_restores_like_the_mask(make_fitted_prior, small, method):
    prior, size = make_fitted_prior(8), (8, 8)
    mask = random_mask(size, ratio=0.6)
    kept = mask.repeat(3, 1, 1).flatten().bool().numpy()
    operator = as_operator(scipy.sparse.eye_array(192, format="csr")[kept], size)
    photo = prior.sample((1, *size), torch.Generator().manual_seed(0))
    states = []
    for each in (operator, Inpainting(mask)):
        chain = make_chain(prior, each, each.A(photo), method=method, num_steps=4)
        states.append(chain.sequential())
        parallel = restore_parallel(chain, tolerance=1e-12).states
        torch.testing.assert_close(parallel, states[-1], atol=1e-9, rtol=0)
    torch.testing.assert_close(*states, atol=1e-7, rtol=0)


def test_a_large_matrix_out_of_reach_is_refused_with_the_number(monkeypatch):
    monkeypatch.setattr(matrices, "LARGEST", (1, 1))
    rng = np.random.default_rng(0)
    u, v = (np.linalg.qr(rng.standard_normal((n, 40)))[0] for n in (ROWS, COLUMNS))
    bad = u * np.logspace(0, -6, 40) @ v.T
    with pytest.raises(
        ValueError,
        match=r"^matrix: no pseudo-inverse was found: conjugate gradients \(100\) are of",
    ):
        matrix_operator(bad, SIZE, max_iterations=100)
    with pytest.warns(UserWarning, match="^matrix: its pseudo-inverse is inexact: conjugate"):
        matrix_operator(bad, SIZE, max_iterations=100, tolerance=1e3)


class NoAdjoint(scipy.sparse.linalg.LinearOperator):
    def __init__(self):
        super().__init__(float, (ROWS, COLUMNS))

    def _matvec(self, x):
        return x[:ROWS]


class WrongAdjoint(NoAdjoint):
    def _rmatvec(self, y):
        return 2 * np.concatenate([y.ravel(), np.zeros(COLUMNS - ROWS)])


@pytest.mark.parametrize(
    ("matrix", "message"),
    [
        (
            np.ones((3, 70)),
            r"^matrix: got shape \(3, 70\) for photos of 4x6; expected \(p, 72\), as",
        ),
        (np.ones(72), r"^matrix: got shape \(72,\) for photos of 4x6"),
        (np.full((2, 72), np.nan), "^matrix: contains NaN"),
        (scipy.sparse.csr_array(np.full((2, 72), np.inf)), "^matrix: contains NaN or infinity"),
        (np.ones((2, 72), dtype=complex), "^matrix: got dtype complex128; expected real numbers"),
        (np.array([["a"] * 72]), "^matrix: got dtype <U1; expected real numbers"),
        (torch.ones(2, 72, dtype=torch.int64), "^matrix: got dtype torch.int64; expected a floati"),
        (NoAdjoint(), "^matrix: rmatmat of NoAdjoint raised "),
        (WrongAdjoint(), "^matrix: its adjoint is not that of A: <A x, u> = "),
    ],
)
def test_matrices_that_are_none(small, matrix, message):
    with pytest.raises(ValueError, match=message) as error:
        as_operator(matrix, SIZE)
    assert "\n" not in str(error.value)


# --- the door ---


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("sr2", r"^operator: got 'sr2' \(str\); expected a LinearOperator \(make_task makes one"),
        (3, r"^operator: got 3 \(int\); expected a LinearOperator"),
        (None, "^operator: got None; expected a LinearOperator"),
        (Inpainting, "^operator: got the class Inpainting; expected a LinearOperator"),
        ([[1.0]], r"^operator: got \[\[1.0\]\] \(list\); expected a LinearOperator"),
    ],
)
def test_what_is_no_operator(gaussian_prior, value, message):
    y = torch.zeros(1, 3, 4, 4)
    for door in (
        as_operator,
        lambda v: make_chain(gaussian_prior, v, y),
        lambda v: Problem("mine", v, y, None),
        lambda v: estimate_sigma_y(v, y),
    ):
        with pytest.raises(ValueError, match=message):
            door(value)


def test_an_operator_is_itself():
    operator = make_task("sr2", (4, 4))
    assert as_operator(operator) is operator
    assert as_operator(operator, (4, 6)) is operator
    with pytest.raises(ValueError, match="^image_size: got size 5x4"):
        as_operator(operator, (5, 4))


def test_a_matrix_needs_the_size_of_photos(gaussian_prior):
    message = r"^operator: got a matrix without the size of photos; as_operator\(matrix, \(H, W\)\)"
    for matrix in (torch.eye(48), np.eye(48), scipy.sparse.eye_array(48)):
        with pytest.raises(ValueError, match=message):
            make_chain(gaussian_prior, matrix, torch.zeros(1, 48))
    assert isinstance(as_operator(np.eye(48), (4, 4)), MatrixOperator)


class Halved:
    """A physics in deepinv's manner: every other row is kept, twice as bright."""

    def A(self, x):
        return 2 * x[:, :, ::2]

    def A_adjoint(self, y):
        return torch.stack([2 * y, torch.zeros_like(y)], dim=3).flatten(2, 3)

    def A_dagger(self, y):
        return self.A_adjoint(y) / 4


def test_a_physics_is_taken_where_an_operator_is_expected(gaussian_prior):
    """The size of the photos is that of the adjoint; nothing else says it."""
    y = torch.rand(2, 3, 4, 8, dtype=torch.float64)
    with pytest.raises(ValueError, match="^image_size: got None; a physics needs the size"):
        as_operator(Halved())
    chain = make_chain(gaussian_prior, Halved(), y, num_steps=3)
    operator = chain.measurement.operator
    assert isinstance(operator, LinearOperator)
    torch.testing.assert_close(operator.A(restore_parallel(chain).x0), y)
    report = restore_problem(Problem("half", Halved(), y, None), gaussian_prior)
    assert report.images["after"].shape == (2, 3, 8, 8)
    assert report.numbers()["simple"] == "A⁺y"
    torch.testing.assert_close(estimate_sigma_y(Halved(), y), estimate_sigma_y(operator, y))
    with pytest.raises(ValueError, match=r"^physics: A_adjoint of Halved raised "):
        make_chain(gaussian_prior, Halved(), torch.zeros(1, 4))
    with pytest.raises(ValueError, match=r"^physics: its adjoint gives \(1, 1, 8, 8\) for y "):
        make_chain(gaussian_prior, Halved(), torch.zeros(1, 1, 4, 8))
