"""Any matrix as an operator on vectors: for points of the plane and for small proofs."""

import torch
from torch import Tensor

from deqir_lite.checks import check_finite


class MatrixOperator:
    """y = A x for vectors x (B, d) and a matrix A (p, d), with its exact pseudo-inverse.

    Not an operator on images: it has just what a chain needs (``A``, ``adjoint``, ``pinv`` and the
    two projectors), so that the two-dimensional mixtures can be restored like photos. Singular
    values below 1e-10 times the largest count as zero, and A itself is used without them.
    """

    def __init__(self, matrix: Tensor) -> None:
        check_finite("matrix", matrix)
        if matrix.ndim != 2 or 0 in matrix.shape:
            raise ValueError(f"matrix: got shape {tuple(matrix.shape)}; expected (p, d)")
        u, s, vt = torch.linalg.svd(matrix.double(), full_matrices=False)
        kept = s > 1e-10 * s.max()
        self._u, self._s, self._vt = u[:, kept], s[kept], vt[kept]

    def A(self, x: Tensor) -> Tensor:
        """y = A x, (B, d) to (B, p)."""
        self._check("x", x, self._vt.shape[1])
        return x @ self._vt.mT.to(x) * self._s.to(x) @ self._u.mT.to(x)

    __call__ = A

    def adjoint(self, y: Tensor) -> Tensor:
        """A^T y, (B, p) to (B, d)."""
        self._check("y", y, self._u.shape[0])
        return y @ self._u.to(y) * self._s.to(y) @ self._vt.to(y)

    def pinv(self, y: Tensor) -> Tensor:
        """A^+ y, (B, p) to (B, d), Moore-Penrose."""
        self._check("y", y, self._u.shape[0])
        return y @ self._u.to(y) / self._s.to(y) @ self._vt.to(y)

    def range_projector(self, x: Tensor) -> Tensor:
        """R x = A^+ A x (B, d) (Eq. 5)."""
        return x @ self._vt.mT.to(x) @ self._vt.to(x)

    def null_projector(self, x: Tensor) -> Tensor:
        """N x = x - R x (B, d) (Eq. 5)."""
        return x - self.range_projector(x)

    @staticmethod
    def _check(name: str, value: Tensor, width: int) -> None:
        check_finite(name, value)
        if value.ndim != 2 or value.shape[1] != width:
            raise ValueError(f"{name}: got shape {tuple(value.shape)}; expected (B, {width})")
