"""Deblurring with any 2-D kernel and periodic boundary: the Fourier transform diagonalises it."""

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from deqir_lite.checks import check_interval
from deqir_lite.operators.base import Size
from deqir_lite.operators.kernels import check_kernel
from deqir_lite.operators.spectral import SpectralOperator, reciprocal


class FFTBlur(SpectralOperator):
    r"""Circular convolution y = k * x, by F y = h . F x with the transfer function h = F k.

    y has the image's shape. Frequencies with |h| < ``threshold`` are dropped, in A itself too,
    so that A A^+ A = A holds; A^+ divides by h on the others.

    The singular values are |h|. The Fourier basis is complex, but images are real, and so is a
    basis of singular vectors: V^T x = Re F x - Im F x is the (orthonormal, symmetric) Hartley
    transform, and U is V followed by the phase h / |h| of every frequency.

    Args:
        kernel: 2-D with odd sides, its centre at the middle tap. One that is larger than the
            image wraps around. :func:`load_kernel` reads one from a file.
        threshold: for |h|, which is 1 at frequency 0 for a kernel of sum 1.

    Raises:
        ValueError: a kernel that is empty, not finite or of even length; a negative threshold.

    Source: the general form of the deblurring tasks of Sec. 5, for kernels without a product form.
    """

    def __init__(
        self, kernel: Tensor | Sequence[Sequence[float]], *, threshold: float = 3e-2
    ) -> None:
        super().__init__()
        self.kernel = check_kernel("kernel", kernel, ndim=2)
        threshold = check_interval("threshold", threshold, 0, math.inf)
        self.threshold = threshold

    def transfer_function(self, image_size: Size) -> Tensor:
        """h, complex128 (1, 1, H, W), zero where it was below the threshold."""
        self._check_size("image_size", image_size)
        height, width = image_size
        rows, columns = self.kernel.shape
        i = (torch.arange(rows) - rows // 2)[:, None].expand(rows, columns) % height
        j = (torch.arange(columns) - columns // 2).expand(rows, columns) % width
        wrapped = torch.zeros(height, width, dtype=torch.float64)
        wrapped.index_put_((i, j), self.kernel, accumulate=True)
        h = torch.fft.fft2(wrapped)
        # h(-f) and h(f) are conjugate but for rounding, and rounding must not drop one of the two.
        h = (h + h.flip(0, 1).roll((1, 1), (0, 1)).conj()) / 2
        floor = height * width * torch.finfo(torch.float64).eps * float(h.abs().max())
        return torch.where(h.abs() >= max(self.threshold, floor), h, 0)[None, None]

    def _filter(self, name: str, x: Tensor) -> Tensor:
        """The half of a transfer function that a real FFT needs, for x, in its dtype."""
        size = (x.shape[-2], x.shape[-1])

        def build() -> Tensor:
            h = self.transfer_function(size)[..., : size[1] // 2 + 1]
            inverse = reciprocal(h)
            filters = {"h": h, "1/h": inverse, "keep": (h != 0).to(h), "phase": h * inverse.abs()}
            return filters[name]

        return self._constants.like((name, size), x, build)

    def _apply(self, x: Tensor, factor: Tensor) -> Tensor:
        return torch.fft.irfft2(torch.fft.rfft2(x) * factor, s=x.shape[-2:])

    def _A(self, x: Tensor) -> Tensor:
        return self._apply(x, self._filter("h", x))

    def _adjoint(self, y: Tensor) -> Tensor:
        return self._apply(y, self._filter("h", y).conj())

    def _pinv(self, y: Tensor) -> Tensor:
        return self._apply(y, self._filter("1/h", y))

    def _range_projector(self, x: Tensor) -> Tensor:
        return self._apply(x, self._filter("keep", x))

    def _vt(self, x: Tensor) -> Tensor:
        f = torch.fft.fft2(x, norm="ortho")
        return f.real - f.imag

    _v = _vt

    def _ut(self, y: Tensor) -> Tensor:
        return self._vt(self._apply(y, self._filter("phase", y).conj()))

    def _u(self, c: Tensor) -> Tensor:
        return self._apply(self._v(c), self._filter("phase", c))

    def _singular_values(self, size: Size) -> Tensor:
        return self.transfer_function(size).abs()

    def __repr__(self) -> str:
        rows, columns = self.kernel.shape
        return f"FFTBlur(taps={rows}x{columns}, threshold={self.threshold:g})"
