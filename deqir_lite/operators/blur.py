"""Deblurring with separable kernels and zero padding: one small SVD per axis."""

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from deqir_lite.checks import check_choice, check_integer, check_interval
from deqir_lite.operators.kernels import check_kernel
from deqir_lite.operators.separable import SeparableOperator

KERNELS = ("exact", "paper")


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


def gaussian_blur(
    *, size: int = 5, sigma: float = 10.0, kernel: str = "exact", threshold: float = 3e-2
) -> SeparableBlur:
    """The paper's Gaussian deblurring: 5 taps with sigma 10, so nearly a box.

    ``kernel="paper"`` reproduces the published code, see ``lose_last_tap``.
    """
    return SeparableBlur(_choose(gaussian_kernel(size, sigma), kernel), threshold=threshold)


def anisotropic_blur(
    *,
    size: int = 9,
    sigma_row: float = 20.0,
    sigma_column: float = 1.0,
    kernel: str = "exact",
    threshold: float = 3e-2,
) -> SeparableBlur:
    """The paper's anisotropic deblurring: 9 taps, sigma 20 along the rows and 1 down the columns.

    ``kernel="paper"`` reproduces the published code, see ``lose_last_tap``.
    """
    row = _choose(gaussian_kernel(size, sigma_row), kernel)
    column = _choose(gaussian_kernel(size, sigma_column), kernel)
    return SeparableBlur(row, column, threshold=threshold)


def uniform_blur(*, size: int = 9, kernel: str = "exact", threshold: float = 3e-2) -> SeparableBlur:
    """The paper's uniform deblurring: 9 equal taps per axis.

    ``kernel="paper"`` reproduces the published code, see ``lose_last_tap``.
    """
    size = _check_taps(size)
    uniform = torch.full((size,), 1 / size, dtype=torch.float64)
    return SeparableBlur(_choose(uniform, kernel), threshold=threshold)


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


def _choose(taps: Tensor, kernel: str) -> Tensor:
    check_choice("kernel", kernel, KERNELS)
    return lose_last_tap(taps) if kernel == "paper" else taps


def _check_taps(size: int) -> int:
    size = check_integer("size", size, 1)
    if size % 2 == 0:
        raise ValueError(f"size: got {size}; expected an odd number of taps")
    return size
