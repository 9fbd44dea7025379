"""Dense matrices of operators, and one case per named task."""

from dataclasses import dataclass

import numpy as np
import pytest
import torch

from deqir_lite.operators import TASKS, SpectralOperator, make_task


def _size(name):
    """Small, so that dense matrices are cheap, and not square: an exchange of H and W shows."""
    if name == "sr8":
        return (16, 8)
    return (12, 8) if name.startswith("deblur") else (8, 4)  # kernels should not fill the image


def _dense(function, shape):
    """The matrix of a linear map of tensors (B, *shape): column i is the image of e_i."""
    n = int(np.prod(shape))
    eye = torch.eye(n, dtype=torch.float64).reshape(n, *shape)
    return function(eye).flatten(1).T.numpy()


@dataclass
class Case:
    """An operator with the dense matrices of everything that it offers."""

    operator: SpectralOperator
    size: tuple[int, int]

    def __post_init__(self):
        operator, image = self.operator, (3, *self.size)
        self.measurement = operator.measurement_shape(self.size)
        self.A = _dense(operator.A, image)
        self.adjoint = _dense(operator.adjoint, self.measurement)
        self.pinv = _dense(operator.pinv, self.measurement)
        self.R = _dense(operator.range_projector, image)
        self.N = _dense(operator.null_projector, image)
        self.V = _dense(operator.v, image)
        self.Vt = _dense(operator.vt, image)
        self.U = _dense(operator.u, image)
        self.Ut = _dense(operator.ut, self.measurement)
        s = operator.singular_values(self.size)
        self.s = s.expand(1, *image).flatten().numpy()


@pytest.fixture(scope="session")
def dense():
    return _dense


@pytest.fixture(scope="session")
def make_case():
    return Case


@pytest.fixture(scope="module", params=list(TASKS))
def case(request):
    size = _size(request.param)
    return Case(make_task(request.param, size), size)


def _check_pinv(case, tolerance=1e-10):
    """A^+ against numpy's, absolute for |A^+| <= 1 and relative above; and its four identities."""
    reference = np.linalg.pinv(case.A, rcond=1e-8)
    scale = max(1.0, np.abs(np.linalg.norm(reference, 2)))
    assert np.abs(case.pinv - reference).max() <= tolerance * scale
    a, p = case.A, case.pinv
    assert np.abs(a @ p @ a - a).max() <= tolerance
    assert np.abs(p @ a @ p - p).max() <= tolerance * scale
    assert np.abs(a @ p - (a @ p).T).max() <= tolerance * scale
    assert np.abs(p @ a - (p @ a).T).max() <= tolerance * scale
    assert np.abs(case.R - p @ a).max() <= tolerance * scale
    assert np.abs(case.adjoint - a.T).max() <= tolerance


@pytest.fixture(scope="session")
def check_pinv():
    return _check_pinv


def _check_svd(case, tolerance=1e-10):
    """A = U S V^T with V orthonormal, U orthonormal where S > 0, and numpy's singular values."""
    n = len(case.V)
    assert np.abs(case.V.T @ case.V - np.eye(n)).max() <= tolerance
    assert np.abs(case.Vt - case.V.T).max() <= tolerance
    assert np.abs(case.U @ np.diag(case.s) @ case.Vt - case.A).max() <= tolerance
    seen = case.s > 0
    gram = case.Ut @ case.Ut.T
    assert np.abs(gram - np.diag(seen.astype(float))).max() <= tolerance
    assert np.abs((case.U * seen) - case.Ut.T).max() <= tolerance
    reference = np.zeros(n)
    computed = np.linalg.svd(case.A, compute_uv=False)
    reference[: len(computed)] = computed
    assert np.abs(np.sort(case.s)[::-1] - reference).max() <= tolerance


@pytest.fixture(scope="session")
def check_svd():
    return _check_svd
