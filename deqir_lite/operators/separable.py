"""Maps that act on the columns and on the rows of an image by one matrix each."""

from abc import abstractmethod

import torch
from torch import Tensor

from deqir_lite.operators.base import Size
from deqir_lite.operators.spectral import SpectralOperator, reciprocal, svd


class SeparableOperator(SpectralOperator):
    """Y = A_h X A_w^T for every channel, with 1-D matrices A_h and A_w.

    The decompositions A_h = U_h S_h V_h^T and A_w = U_w S_w V_w^T, built once per length in
    float64, give that of the whole: V^T x = V_h^T X V_w, singular values s_h s_w^T, and
    A^+ y = A_h^+ Y A_w^{+T}. One-dimensional singular values below ``threshold`` are set to zero,
    and A itself uses what remains, so that A A^+ A = A holds and A^+ A is a projector.
    """

    threshold = 0.0

    @abstractmethod
    def _matrix(self, axis: int, n: int) -> Tensor:
        """The 1-D matrix in float64 for axis 0 (height) or 1 (width) of length ``n``."""

    def _factors(self, axis: int, n: int) -> tuple[Tensor, Tensor, Tensor]:
        """U (m, n), s (n,) and V (n, n) in float64; columns of U are zero where s is."""

        return self._constants.exact(
            ("factors", axis, n), lambda: svd(self._matrix(axis, n), self.threshold)
        )

    def _part(self, name: str, axis: int, n: int, like: Tensor) -> Tensor:
        """One 1-D matrix (U, V, A, A^+ or R), in the dtype and device of ``like``."""

        def build() -> Tensor:
            u, s, v = self._factors(axis, n)
            if name == "U":
                return u
            if name == "V":
                return v
            if name == "A":
                return (u * s) @ v.mT
            if name == "A^+":
                return (v * reciprocal(s)) @ u.mT
            return (v * (s > 0)) @ v.mT

        return self._constants.like((name, axis, n), like, build)

    def _sandwich(self, name: str, x: Tensor, size: Size, transposed: bool = False) -> Tensor:
        """M_h X M_w^T, or M_h^T X M_w, for the named 1-D matrices of images of this size."""
        left = self._part(name, 0, size[0], x)
        right = self._part(name, 1, size[1], x)
        return left.mT @ x @ right if transposed else left @ x @ right.mT

    def _vt(self, x: Tensor) -> Tensor:
        return self._sandwich("V", x, _size(x), transposed=True)

    def _v(self, c: Tensor) -> Tensor:
        return self._sandwich("V", c, _size(c))

    def _ut(self, y: Tensor) -> Tensor:
        return self._sandwich("U", y, self._image_size(tuple(y.shape[1:])), transposed=True)

    def _u(self, c: Tensor) -> Tensor:
        return self._sandwich("U", c, _size(c))

    def _singular_values(self, size: Size) -> Tensor:
        _, s_h, _ = self._factors(0, size[0])
        _, s_w, _ = self._factors(1, size[1])
        return torch.outer(s_h, s_w)[None, None]

    def _A(self, x: Tensor) -> Tensor:
        return self._sandwich("A", x, _size(x))

    def _adjoint(self, y: Tensor) -> Tensor:
        return self._sandwich("A", y, self._image_size(tuple(y.shape[1:])), transposed=True)

    def _pinv(self, y: Tensor) -> Tensor:
        return self._sandwich("A^+", y, self._image_size(tuple(y.shape[1:])))

    def _range_projector(self, x: Tensor) -> Tensor:
        # Not pinv(A(x)): that takes twice the products, and dividing by small singular values
        # would magnify the rounding of float32.
        return self._sandwich("R", x, _size(x))


def _size(x: Tensor) -> Size:
    return (x.shape[-2], x.shape[-1])
