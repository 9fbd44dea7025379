"""Super-resolution: the measurement is the image on a coarser grid."""

import torch
import torch.nn.functional as F
from torch import Tensor

from deqir_lite.checks import check_divisible, check_integer, check_size
from deqir_lite.operators.base import LinearOperator, Size
from deqir_lite.operators.householder import reflect, reflection
from deqir_lite.operators.separable import SeparableOperator
from deqir_lite.operators.spectral import SpectralOperator


class _Downsampling(SpectralOperator):
    """What both have: a whole factor between the sides of the image and of the measurement."""

    def __init__(self, factor: int) -> None:
        super().__init__()
        factor = check_integer("factor", factor, 2)
        self._factor = factor

    @property
    def factor(self) -> int:
        """Pixels of the image for one of the measurement, along each side."""
        return self._factor

    def _check_size(self, name: str, size: Size) -> None:
        check_size(name, size)
        check_divisible(name, size, self._factor)

    def __repr__(self) -> str:
        return f"{type(self).__name__}(factor={self._factor})"


class AveragePooling(_Downsampling):
    """(A x)_block = mean of a factor x factor block; A^+ y repeats y over its block.

    Measurements are (B, 3, H/factor, W/factor). Per block of n = factor^2 pixels the one singular
    value is 1/factor, with right singular vector (1, ..., 1)/factor; V completes it by a
    reflection, and its coefficient lies at the block's top left pixel.

    Raises:
        ValueError: factor < 2; later, sides that are no multiples of the factor.

    Source: the average-pooling super-resolution of DDNM, used beside the bicubic one of Sec. 5.
    """

    def _A(self, x: Tensor) -> Tensor:
        return F.avg_pool2d(x, self._factor)

    def _pinv(self, y: Tensor) -> Tensor:
        return repeat_blocks(y, self._factor)

    def _adjoint(self, y: Tensor) -> Tensor:
        return repeat_blocks(y, self._factor) / self._factor**2

    _range_projector = LinearOperator._range_projector

    def _vt(self, x: Tensor) -> Tensor:
        blocks = F.pixel_unshuffle(x, self._factor).unflatten(1, (3, -1))
        w = self._constants.like("w", x, self._reflection)
        return F.pixel_shuffle(reflect(blocks, w, dim=2).flatten(1, 2), self._factor)

    _v = _vt

    def _ut(self, y: Tensor) -> Tensor:
        return corners(y, self._factor)

    def _u(self, c: Tensor) -> Tensor:
        return c[..., :: self._factor, :: self._factor]

    def _singular_values(self, size: Size) -> Tensor:
        s = torch.zeros(1, 1, *size, dtype=torch.float64)
        s[..., :: self._factor, :: self._factor] = 1 / self._factor
        return s

    def _reflection(self) -> Tensor:
        q = torch.full((1, 1, self._factor**2, 1, 1), 1 / self._factor, dtype=torch.float64)
        return reflection(q, dim=2)


class BicubicDownsampling(_Downsampling, SeparableOperator):
    """Bicubic downsampling with antialiasing, A x = A_h X A_w^T, as MATLAB's imresize does it.

    Keys' cubic with a = -1/2, stretched by the factor (4 * factor taps), each row normalised to
    sum 1, images continued by symmetric reflection (again and again where the image is smaller
    than the kernel). Measurements are (B, 3, H/factor, W/factor). A^+ is exact: one 1-D
    pseudo-inverse per axis, with condition number about 2.

    Raises:
        ValueError: factor < 2; later, sides that are no multiples of the factor.

    Source: the super-resolution task of Sec. 5; kernel: Keys 1981.
    """

    def _matrix(self, axis: int, n: int) -> Tensor:
        f = self._factor
        rows = torch.arange(n // f, dtype=torch.float64)
        centre = f * rows + (f - 1) / 2
        taps = (centre.floor() - 2 * f)[:, None] + torch.arange(4 * f + 2, dtype=torch.float64)
        weight = keys_cubic((taps - centre[:, None]) / f)
        weight = weight / weight.sum(dim=1, keepdim=True)
        # Symmetric reflection has period 2n: 0 ... n-1, n-1 ... 0.
        column = taps.long() % (2 * n)
        column = torch.where(column < n, column, 2 * n - 1 - column)
        return torch.zeros(n // f, n, dtype=torch.float64).scatter_add(1, column, weight)


def keys_cubic(t: Tensor) -> Tensor:
    """Keys' interpolation kernel with a = -1/2, zero for |t| >= 2."""
    t = t.abs()
    near = 1.5 * t**3 - 2.5 * t**2 + 1
    far = -0.5 * t**3 + 2.5 * t**2 - 4 * t + 2
    return torch.where(t <= 1, near, torch.where(t < 2, far, 0))


def repeat_blocks(y: Tensor, factor: int) -> Tensor:
    """Every entry of (..., h, w) repeated over a factor x factor block."""
    blocks = y[..., :, None, :, None].expand(*y.shape[:-1], factor, y.shape[-1], factor)
    return blocks.flatten(-2).flatten(-3, -2)


def corners(y: Tensor, factor: int) -> Tensor:
    """Every entry of (..., h, w) at the top left of a factor x factor block of zeros."""
    blocks = F.pad(y[..., :, None, :, None], (0, factor - 1, 0, 0, 0, factor - 1))
    return blocks.flatten(-2).flatten(-3, -2)
