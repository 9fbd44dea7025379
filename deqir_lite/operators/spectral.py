"""Operators whose singular value decomposition A = U S V^T is known, and what follows from it."""

from abc import abstractmethod
from collections.abc import Callable

import torch
from torch import Tensor

from deqir_lite.constants import Constants
from deqir_lite.linear_map import rounded
from deqir_lite.operators.base import LinearOperator, Size, match_batch


class SpectralOperator(LinearOperator):
    r"""A linear operator that knows A = U S V^T; everything else follows from it exactly.

        A x   = U S V^T x          A^T y = V S U^T y          A^+ y = V S^+ U^T y

    V is an orthonormal basis of the whole image space, so the coefficients V^T x have the shape
    of the image, (B, 3, H, W), and are real for every operator. S is zero on the null space.
    Constants are built once in float64 and cached per dtype and device.
    """

    def __init__(self) -> None:
        self._constants = Constants()

    def vt(self, x: Tensor) -> Tensor:
        """Coefficients V^T x, (B, 3, H, W): an isometry."""
        self._check_image("x", x)
        return rounded(self._vt, x)

    def v(self, c: Tensor) -> Tensor:
        """The image V c, (B, 3, H, W): the inverse of ``vt``."""
        self._check_image("c", c)
        return rounded(self._v, c)

    def ut(self, y: Tensor) -> Tensor:
        """U^T y on the grid of the coefficients, (B, 3, H, W), zero where S is zero."""
        self._check_measurement("y", y)
        return rounded(self._ut, y)

    def u(self, c: Tensor) -> Tensor:
        """The measurement U c; coefficients where S is zero do not count."""
        self._check_image("c", c)
        return rounded(self._u, c)

    def singular_values(self, image_size: Size) -> Tensor:
        """The diagonal of S, float64 on the CPU, broadcastable to (B, 3, H, W), zero on null(A).

        Its first axis is 1, or the number of masks where each image has its own.
        """
        self._check_size("image_size", image_size)
        return self._singular_values(tuple(image_size)).clone()

    def singular_values_like(self, c: Tensor) -> Tensor:
        """The diagonal of S for coefficients ``c``: their dtype, device and batch."""
        self._check_image("c", c)
        return self._diagonal("S", c, lambda s: s)

    # --- what an operator defines ---

    @abstractmethod
    def _vt(self, x: Tensor, /) -> Tensor: ...

    @abstractmethod
    def _v(self, c: Tensor, /) -> Tensor: ...

    @abstractmethod
    def _ut(self, y: Tensor, /) -> Tensor: ...

    @abstractmethod
    def _u(self, c: Tensor, /) -> Tensor: ...

    @abstractmethod
    def _singular_values(self, size: Size, /) -> Tensor: ...

    # --- what follows, and may be overridden by a cheaper form of the same map ---

    def _A(self, x: Tensor, /) -> Tensor:
        c = self._vt(x)
        return self._u(self._diagonal("S", c, lambda s: s) * c)

    def _adjoint(self, y: Tensor, /) -> Tensor:
        c = self._ut(y)
        return self._v(self._diagonal("S", c, lambda s: s) * c)

    def _pinv(self, y: Tensor, /) -> Tensor:
        c = self._ut(y)
        return self._v(self._diagonal("S^+", c, reciprocal) * c)

    def _range_projector(self, x: Tensor, /) -> Tensor:
        c = self._vt(x)
        return self._v(self._diagonal("S^+S", c, lambda s: (s > 0).to(s)) * c)

    def _diagonal(self, name: str, c: Tensor, f: Callable[[Tensor], Tensor]) -> Tensor:
        """f(S), as a factor for the coefficients ``c``."""
        size = tuple(c.shape[2:])
        s = self._constants.like((name, size), c, lambda: f(self._singular_values(size)))
        return match_batch(s, c)


def svd(matrix: Tensor, smallest: float) -> tuple[Tensor, Tensor, Tensor]:
    """U (m, n), s (n,) and V (n, n) of a matrix (m, n); V is square, and U zero where s is.

    Singular values below ``smallest`` are set to zero, and so are rounding errors, which must not
    be inverted.
    """
    n = matrix.shape[1]
    u, s, vt = torch.linalg.svd(matrix, full_matrices=True)
    floor = n * torch.finfo(s.dtype).eps * float(s[0])
    rank = int(((s >= max(smallest, floor)) & (s > 0)).sum())
    left, kept = s.new_zeros(matrix.shape[0], n), s.new_zeros(n)
    left[:, :rank], kept[:rank] = u[:, :rank], s[:rank]
    return left, kept, vt.mT.contiguous()


def reciprocal(s: Tensor) -> Tensor:
    """1 / s, and 0 where s is 0."""
    return torch.where(s != 0, 1 / torch.where(s != 0, s, 1), 0)
