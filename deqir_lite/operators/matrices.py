"""Matrices of any kind and size as operators on photos."""

from typing import Any

import numpy as np
import torch
from torch import Tensor

from deqir_lite.checks import check_finite
from deqir_lite.constants import Constants
from deqir_lite.linear_map import Map, linear_map
from deqir_lite.operators.base import LinearOperator, Size
from deqir_lite.operators.dense import MatrixOperator, check_columns
from deqir_lite.operators.probing import ProbedOperator

LARGEST = (1024, 4096)
"""The fewer and the more of rows and columns up to which a matrix is decomposed, in seconds."""


def matrix_operator(
    matrix: Any, image_size: Size, *, max_iterations: int = 1000, tolerance: float = 1e-2
) -> LinearOperator:
    """y = A x for photos of ``image_size`` (H, W), and y (B, p), with its pseudo-inverse.

    ``matrix`` (p, 3 H W) is a torch tensor, a NumPy array, a sparse matrix of SciPy, or a SciPy
    ``LinearOperator``, which is asked on the CPU. Photos are read channel by channel, row by row
    (``x.flatten(1)``). Up to the size :data:`LARGEST` a matrix is decomposed, and A^+ exact
    (:class:`MatrixOperator`); of larger ones, and of a ``LinearOperator``, A^+ is the limit of
    conjugate gradients, with ``max_iterations`` and ``tolerance`` as :class:`ProbedOperator` has
    them. Raises ValueError for other kinds, complex or infinite numbers, other shapes, a
    ``LinearOperator`` whose rmatvec is not the adjoint, and an A^+ out of reach.
    """
    if not is_matrix(matrix):
        raise ValueError(
            f"matrix: got {type(matrix).__name__}; expected a torch tensor, a NumPy array, a "
            "sparse matrix or a LinearOperator of SciPy"
        )
    check_columns(tuple(matrix.shape), image_size)
    free = _is_of_scipy(matrix) and not hasattr(matrix, "tocsr")
    if not free and all(n <= most for n, most in zip(sorted(matrix.shape), LARGEST, strict=True)):
        return MatrixOperator(_dense(matrix), image_size=image_size)
    maps = _of_linear_operator(matrix) if free else _of_matrix(_large(matrix))
    return LargeMatrixOperator(
        maps, image_size, rows=matrix.shape[0], max_iterations=max_iterations, tolerance=tolerance
    )


class LargeMatrixOperator(ProbedOperator):
    """A matrix of ``rows`` rows given by two ``maps``, of (B, 3 H W) to (B, p) and back; see
    :func:`matrix_operator`."""

    def __init__(
        self,
        maps: tuple[Map, Map],
        image_size: Size,
        *,
        rows: int,
        max_iterations: int,
        tolerance: float,
    ) -> None:
        self._forwards, self._backwards, self._rows = *maps, rows
        super().__init__(
            "matrix",
            image_size,
            like=torch.zeros((), dtype=torch.float64),
            direct=None,
            max_iterations=max_iterations,
            tolerance=tolerance,
        )

    def _A(self, x: Tensor) -> Tensor:
        return linear_map(x.flatten(1), self._forwards, self._backwards)

    def _adjoint(self, y: Tensor) -> Tensor:
        flat = linear_map(y, self._backwards, self._forwards)
        return flat.unflatten(1, (3, *self._size))

    def __repr__(self) -> str:
        return self._repr(f"{self._rows}x{3 * self._size[0] * self._size[1]}")


def is_matrix(value: object) -> bool:
    """Whether ``value`` is a matrix of a kind that :func:`matrix_operator` takes."""
    return isinstance(value, (Tensor, np.ndarray)) or _is_of_scipy(value)


def _is_of_scipy(value: object) -> bool:
    """Told without an import of SciPy, which takes a while."""
    scipy = any(kind.__module__.startswith("scipy.sparse") for kind in type(value).__mro__)
    return scipy and hasattr(value, "shape")


def _dense(matrix: Any) -> Tensor:
    if isinstance(matrix, Tensor):
        return matrix.to_dense() if matrix.layout != torch.strided else matrix
    return _numbers(matrix.toarray() if hasattr(matrix, "toarray") else matrix)


def _large(matrix: Any) -> Tensor:
    """As a tensor, sparse where it was."""
    if isinstance(matrix, Tensor):
        return matrix if matrix.layout == torch.strided else matrix.to_sparse_coo().coalesce()
    if not hasattr(matrix, "tocoo"):
        return _numbers(matrix)
    coo = matrix.tocoo()
    places = torch.from_numpy(np.stack([coo.row, coo.col]).astype(np.int64))
    values = _numbers(coo.data)
    return torch.sparse_coo_tensor(places, values, coo.shape, check_invariants=True).coalesce()


def _numbers(values: np.ndarray) -> Tensor:
    if values.dtype.kind not in "fiub":
        raise ValueError(f"matrix: got dtype {values.dtype}; expected real numbers")
    return torch.from_numpy(np.ascontiguousarray(values, dtype=np.float64))


def _of_matrix(matrix: Tensor) -> tuple[Map, Map]:
    check_finite("matrix", matrix.values() if matrix.is_sparse else matrix)
    turned = matrix.t().coalesce() if matrix.is_sparse else matrix.t()
    placed = Constants()

    def times(v: Tensor, name: str, of: Tensor) -> Tensor:
        return (placed.like(name, v, lambda: of.detach()) @ v.mT).mT

    return lambda x: times(x, "A", matrix), lambda y: times(y, "A^T", turned)


def _of_linear_operator(operator: Any) -> tuple[Map, Map]:
    if np.dtype(operator.dtype or float).kind == "c":
        raise ValueError(f"matrix: got dtype {operator.dtype}; expected real numbers")

    def asked(method: str, v: Tensor) -> Tensor:
        name = type(operator).__name__
        try:
            out = getattr(operator, method)(v.detach().cpu().numpy().T)
        except Exception as error:  # their code can raise anything
            reason = " ".join(str(error).split())[:200] or "no reason given"
            raise ValueError(
                f"matrix: {method} of {name} raised {type(error).__name__}: {reason}"
            ) from error
        return torch.from_numpy(np.ascontiguousarray(np.asarray(out).T)).to(v)

    return lambda x: asked("matmat", x), lambda y: asked("rmatmat", y)
