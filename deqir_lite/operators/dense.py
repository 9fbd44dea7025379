"""Any small matrix as an operator: on vectors, for points of the plane, or on photos."""

import torch
from torch import Tensor

from deqir_lite.checks import check_exact_size, check_finite, check_size
from deqir_lite.operators.base import LinearOperator, Size, check_float
from deqir_lite.operators.spectral import SpectralOperator, svd


class MatrixOperator(SpectralOperator):
    """y = A x for vectors x (B, d) and a matrix A (p, d), with its exact pseudo-inverse.

    An operator on vectors, so that the two-dimensional mixtures can be restored like photos:
    coefficients V^T x are (B, d), and the size of a vector is (). With ``image_size`` (H, W) it is
    one on photos: x (B, 3, H, W) is read channel by channel, row by row, d = 3 H W, and only y is a
    vector. The decomposition takes memory for d^2 numbers; see :func:`matrix_operator` for others.

    Singular values below 1e-10 times the largest count as zero, and A itself is used without them.
    A, A^T, A^+ and the projectors can be differentiated with respect to ``matrix``, the factors U,
    S, V cannot.

    Raises ValueError for a matrix that is not 2-D, or not finite, or not of 3 H W columns; later,
    for vectors of another length.
    """

    def __init__(self, matrix: Tensor, *, image_size: Size = ()) -> None:
        super().__init__()
        check_finite("matrix", matrix)
        if matrix.ndim != 2 or 0 in matrix.shape:
            raise ValueError(f"matrix: got shape {tuple(matrix.shape)}; expected (p, d)")
        if image_size != ():
            check_columns(tuple(matrix.shape), image_size)
        self._size = tuple(image_size)
        exact = matrix.double()
        self._inverse = torch.linalg.pinv(exact, rtol=1e-10)
        self._matrix = exact @ self._inverse @ exact
        fixed = self._matrix.detach().cpu()
        largest = float(torch.linalg.matrix_norm(fixed, 2))
        self._factors = dict(zip("USV", svd(fixed, 1e-10 * largest), strict=True))

    def _A(self, x: Tensor) -> Tensor:
        return x.flatten(1) @ self._matrix.mT.to(x)

    def _adjoint(self, y: Tensor) -> Tensor:
        return self._shaped(y @ self._matrix.to(y))

    def _pinv(self, y: Tensor) -> Tensor:
        return self._shaped(y @ self._inverse.mT.to(y))

    _range_projector = LinearOperator._range_projector

    def _like(self, name: str, x: Tensor) -> Tensor:
        return self._constants.like(name, x, lambda: self._factors[name])

    def _shaped(self, x: Tensor) -> Tensor:
        return x.unflatten(1, (3, *self._size)) if self._size else x

    def _vt(self, x: Tensor) -> Tensor:
        return self._shaped(x.flatten(1) @ self._like("V", x))

    def _v(self, c: Tensor) -> Tensor:
        return self._shaped(c.flatten(1) @ self._like("V", c).mT)

    def _ut(self, y: Tensor) -> Tensor:
        return self._shaped(y @ self._like("U", y))

    def _u(self, c: Tensor) -> Tensor:
        return c.flatten(1) @ self._like("U", c).mT

    def _singular_values(self, size: Size) -> Tensor:
        return self._shaped(self._factors["S"][None])

    def _measurement_shape(self, size: Size) -> tuple[int, ...]:
        return (len(self._factors["U"]),)

    def _image_size(self, shape: tuple[int, ...]) -> Size:
        return self._size

    def _check_size(self, name: str, size: Size) -> None:
        if self._size:
            check_exact_size(name, size, self._size)
        elif size != ():
            raise ValueError(f"{name}: got {size!r}; expected (), the size of a vector")

    def _check_image(self, name: str, x: Tensor) -> None:
        if self._size:
            super()._check_image(name, x)
        else:
            _check_vectors(name, x, len(self._factors["V"]))

    def _check_measurement(self, name: str, y: Tensor) -> None:
        _check_vectors(name, y, len(self._factors["U"]))

    def __repr__(self) -> str:
        p, d = self._factors["U"].shape
        size = f", size={self._size[0]}x{self._size[1]}" if self._size else ""
        return f"MatrixOperator({p}x{d}{size})"


def check_columns(shape: tuple[int, ...], image_size: Size) -> None:
    """Raise ValueError unless a matrix of this ``shape`` maps photos of this size (H, W)."""
    check_size("image_size", image_size)
    h, w = image_size
    if len(shape) != 2 or 0 in shape or shape[1] != 3 * h * w:
        raise ValueError(
            f"matrix: got shape {shape} for photos of {h}x{w}; expected (p, {3 * h * w}), as "
            "photos are read channel by channel, row by row"
        )


def _check_vectors(name: str, value: Tensor, length: int) -> None:
    check_float(name, value)
    if value.ndim != 2 or value.shape[1] != length:
        raise ValueError(f"{name}: got shape {tuple(value.shape)}; expected (B, {length})")
