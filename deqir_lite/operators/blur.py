"""Deblurring with separable kernels and zero padding: one small SVD per axis."""

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from deqir_lite.checks import check_choice, check_integer, check_interval
from deqir_lite.operators.base import Size
from deqir_lite.operators.kernels import check_kernel
from deqir_lite.operators.separable import SeparableOperator
from deqir_lite.operators.spectral import SpectralOperator

KERNELS = ("exact", "paper", "released")


class SeparableBlur(SeparableOperator):
    """Convolution with ``column_kernel`` down the columns and ``row_kernel`` along the rows.

    y has the image's shape; pixels outside of the image count as zero. Per axis, singular values
    below ``threshold`` are dropped, in A itself too, so that A A^+ A = A holds and A^+ A is a
    projector, as Proposition 1 needs. The product of two kept ones goes down to threshold^2: keep
    y in float, since a y of 8 bits is destroyed by A^+.

    Args:
        row_kernel: 1-D, odd length; acts along the width.
        column_kernel: 1-D, odd length; acts along the height; the row kernel by default.
        threshold: in the scale of the singular values (1 for a kernel of sum 1).

    Raises:
        ValueError: a kernel that is empty, not finite or of even length; a negative threshold.

    Source: the deblurring tasks of Sec. 5, with the threshold of the published code.
    """

    def __init__(
        self,
        row_kernel: Tensor | Sequence[float],
        column_kernel: Tensor | Sequence[float] | None = None,
        *,
        threshold: float = 3e-2,
    ) -> None:
        super().__init__()
        self.row_kernel = check_kernel("row_kernel", row_kernel, ndim=1)
        self.column_kernel = (
            self.row_kernel
            if column_kernel is None
            else check_kernel("column_kernel", column_kernel, ndim=1)
        )
        threshold = check_interval("threshold", threshold, 0, math.inf)
        self.threshold = threshold

    def _matrix(self, axis: int, n: int) -> Tensor:
        kernel = (self.column_kernel, self.row_kernel)[axis]
        offset = torch.arange(n)[:, None] - torch.arange(n) + len(kernel) // 2
        inside = (offset >= 0) & (offset < len(kernel))
        return torch.where(inside, kernel[offset.clamp(0, len(kernel) - 1)], 0)

    def __repr__(self) -> str:
        rows, columns = len(self.row_kernel), len(self.column_kernel)
        return f"SeparableBlur(taps={columns}x{rows}, threshold={self.threshold:g})"


class ReleasedBlur(SeparableBlur):
    """A = U S V^T with the singular vectors of ``SeparableBlur`` and its singular values in another
    order, as the code of DDRM, DDNM and DeqIR has it.

    There the coefficients of all channels lie side by side for each pair of singular vectors, the
    pairs with the largest singular value s_0 >= s_1 >= ... first, but the list of singular values
    is repeated for one channel after the other: coefficient p of channel c meets the singular value
    number (3 p + c) mod H W in place of s_p. So channels are blurred differently, and no kernel
    does that; still it is a linear operator with exact singular values. Pairs of equal singular
    value keep the order of their rows and columns, which the published code leaves to chance.

    Arguments and errors as for ``SeparableBlur``.
    """

    def _factors(self, axis: int, n: int) -> tuple[Tensor, Tensor, Tensor]:
        """As there, with the columns of U where s is zero: other singular values may meet them."""

        def build() -> tuple[Tensor, Tensor, Tensor]:
            u, s, vt = torch.linalg.svd(self._matrix(axis, n))
            return u, torch.where(s >= max(self.threshold, 1e-14 * n), s, 0), vt.mT.contiguous()

        return self._constants.exact(("factors", axis, n), build)

    def _singular_values(self, size: Size) -> Tensor:
        products = super()._singular_values(size).flatten()
        values, order = products.sort(descending=True, stable=True)
        places = torch.arange(3 * len(values)).view(-1, 3).mT  # 3 p + c at (c, p)
        mixed = torch.empty(3, len(values), dtype=torch.float64)
        mixed[:, order] = values[places % len(values)]
        return mixed.view(1, 3, *size)

    def _ut(self, y: Tensor) -> Tensor:
        return self._seen(super()._ut(y))

    def _u(self, c: Tensor) -> Tensor:
        return super()._u(self._seen(c))

    def _seen(self, c: Tensor) -> Tensor:
        return self._diagonal("S^+S", c, lambda s: (s > 0).to(s)) * c

    def _A(self, x: Tensor) -> Tensor:
        return SpectralOperator._A(self, x)

    def _adjoint(self, y: Tensor) -> Tensor:
        return SpectralOperator._adjoint(self, y)

    def _pinv(self, y: Tensor) -> Tensor:
        return SpectralOperator._pinv(self, y)

    def _range_projector(self, x: Tensor) -> Tensor:
        return SpectralOperator._range_projector(self, x)

    def __repr__(self) -> str:
        return super().__repr__().replace("SeparableBlur", "ReleasedBlur")


def gaussian_blur(
    *, size: int = 5, sigma: float = 10.0, kernel: str = "exact", threshold: float = 3e-2
) -> SeparableBlur:
    """The paper's Gaussian deblurring: 5 taps with sigma 10, so nearly a box.

    ``kernel="paper"`` has the taps of the published code, see ``lose_last_tap``, and "released" all
    of its operator, see ``ReleasedBlur``.
    """
    return _blur(gaussian_kernel(size, sigma), None, kernel, threshold)


def anisotropic_blur(
    *,
    size: int = 9,
    sigma_row: float = 20.0,
    sigma_column: float = 1.0,
    kernel: str = "exact",
    threshold: float = 3e-2,
) -> SeparableBlur:
    """The paper's anisotropic deblurring: 9 taps, sigma 20 along the rows and 1 down the columns.

    ``kernel="paper"`` has the taps of the published code, see ``lose_last_tap``, and "released" all
    of its operator, see ``ReleasedBlur``.
    """
    row, column = gaussian_kernel(size, sigma_row), gaussian_kernel(size, sigma_column)
    return _blur(row, column, kernel, threshold)


def uniform_blur(*, size: int = 9, kernel: str = "exact", threshold: float = 3e-2) -> SeparableBlur:
    """The paper's uniform deblurring: 9 equal taps per axis.

    ``kernel="paper"`` has the taps of the published code, see ``lose_last_tap``, and "released" all
    of its operator, see ``ReleasedBlur``.
    """
    size = _check_taps(size)
    uniform = torch.full((size,), 1 / size, dtype=torch.float64)
    return _blur(uniform, None, kernel, threshold)


def gaussian_kernel(size: int, sigma: float) -> Tensor:
    """``size`` samples of a Gaussian at integer offsets, normalised to sum 1, float64."""
    size = _check_taps(size)
    sigma = check_interval("sigma", sigma, 1e-3, math.inf)
    offset = torch.arange(size, dtype=torch.float64) - size // 2
    samples = torch.exp(-0.5 * (offset / sigma) ** 2)
    return samples / samples.sum()


def lose_last_tap(kernel: Tensor) -> Tensor:
    """The kernel that the published code really applies to an odd, symmetric ``kernel``.

    Its loop over the taps ends one too early and row i never sees pixel i + size // 2. Of 5 or 9
    taps 4 or 8 remain, not symmetric any more, with row sums near .80 and .89. Written as a
    convolution, the missing tap is the first.
    """
    lost = kernel.clone()
    lost[0] = 0
    return lost


def _blur(row: Tensor, column: Tensor | None, kernel: str, threshold: float) -> SeparableBlur:
    check_choice("kernel", kernel, KERNELS)
    if kernel != "exact":
        row, column = lose_last_tap(row), None if column is None else lose_last_tap(column)
    kind = ReleasedBlur if kernel == "released" else SeparableBlur
    return kind(row, column, threshold=threshold)


def _check_taps(size: int) -> int:
    size = check_integer("size", size, 1)
    if size % 2 == 0:
        raise ValueError(f"size: got {size}; expected an odd number of taps")
    return size
