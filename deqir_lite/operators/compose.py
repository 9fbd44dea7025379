"""Compositions that have an exact pseudo-inverse: a masked photo that is grey, and small too."""

import torch
import torch.nn.functional as F
from torch import Tensor

from deqir_lite.checks import check_divisible, check_integer
from deqir_lite.operators.base import LinearOperator, Size, match_batch
from deqir_lite.operators.color import Grayscale, first_channel
from deqir_lite.operators.householder import reflect, reflection
from deqir_lite.operators.masking import MaskedOperator
from deqir_lite.operators.resampling import corners, repeat_blocks
from deqir_lite.operators.spectral import reciprocal


class MaskedGrayscale(MaskedOperator):
    """y = m * mean of the channels, (B, 1, H, W): an old photo, grey with holes.

    A^+ y = m * y on every channel. V is that of ``Grayscale``; the singular values are
    m / sqrt(3) on the brightness and 0 on the colours.

    Args:
        mask: as for ``Inpainting``.

    Raises:
        ValueError: as for ``Inpainting``.

    Source: the old-photo restoration of Fig. 10.
    """

    _channels = 1

    def __init__(self, mask: Tensor) -> None:
        super().__init__(mask)
        self._grey = Grayscale()

    def _A(self, x: Tensor) -> Tensor:
        return self._mask(x) * x.mean(dim=1, keepdim=True)

    def _pinv(self, y: Tensor) -> Tensor:
        return (self._mask(y) * y).repeat(1, 3, 1, 1)

    def _adjoint(self, y: Tensor) -> Tensor:
        return self._pinv(y / 3)

    def _range_projector(self, x: Tensor) -> Tensor:
        return self._pinv(x.mean(dim=1, keepdim=True))

    def _vt(self, x: Tensor) -> Tensor:
        return self._grey._vt(x)

    _v = _vt

    def _ut(self, y: Tensor) -> Tensor:
        return first_channel(self._mask(y) * y)

    def _u(self, c: Tensor) -> Tensor:
        return self._mask(c) * c[:, :1]

    def _singular_values(self, size: Size) -> Tensor:
        return first_channel(self.mask / 3**0.5)

    def __repr__(self) -> str:
        return f"MaskedGrayscale({self._mask_repr()})"


class PooledMaskedGrayscale(MaskedOperator):
    """y = block mean of (m * grey), (B, 1, H/r, W/r): super-resolution after grey after mask.

    Within a block A is one row a = m / (3 r^2), so A^+ y = a^T y / |a|^2 = y r^2 / n_kept on the
    kept pixels of all channels, and 0 in a block without any. V reflects each block (3 r^2
    entries) so that its first entry is the coefficient along a / |a|, with singular value
    |a| = sqrt(n_kept / 3) / r^2.

    Args:
        mask: as for ``Inpainting``.
        factor: r, the side of a block.

    Raises:
        ValueError: factor < 2, a mask whose sides are no multiples of it, or as for
            ``Inpainting``.

    Source: the composed degradations of old photos, Fig. 10. The published code has no exact
    pseudo-inverse for it.
    """

    _channels = 1

    def __init__(self, mask: Tensor, factor: int) -> None:
        super().__init__(mask)
        factor = check_integer("factor", factor, 2)
        check_divisible("mask", (self.mask.shape[-2], self.mask.shape[-1]), factor)
        self._factor = factor

    @property
    def factor(self) -> int:
        return self._factor

    def _A(self, x: Tensor) -> Tensor:
        return F.avg_pool2d(self._mask(x) * x.mean(dim=1, keepdim=True), self._factor)

    def _pinv(self, y: Tensor) -> Tensor:
        share = match_batch(
            self._constants.like("r^2/n_kept", y, lambda: reciprocal(self._share())), y
        )
        return (self._mask(y) * repeat_blocks(share * y, self._factor)).repeat(1, 3, 1, 1)

    def _adjoint(self, y: Tensor) -> Tensor:
        spread = repeat_blocks(y, self._factor) / (3 * self._factor**2)
        return (self._mask(y) * spread).repeat(1, 3, 1, 1)

    _range_projector = LinearOperator._range_projector

    def _vt(self, x: Tensor) -> Tensor:
        w = match_batch(self._constants.like("w", x, self._reflection), x)
        blocks = F.pixel_unshuffle(x, self._factor)
        return F.pixel_shuffle(reflect(blocks, w, dim=1), self._factor)

    _v = _vt

    def _ut(self, y: Tensor) -> Tensor:
        return first_channel(corners(self._seen(y) * y, self._factor))

    def _u(self, c: Tensor) -> Tensor:
        return self._seen(c) * c[:, :1, :: self._factor, :: self._factor]

    def _singular_values(self, size: Size) -> Tensor:
        # |a|^2 = n_kept / (3 r^4) = share / (3 r^2), with the share n_kept / r^2 of kept pixels
        return first_channel(corners((self._share() / 3).sqrt() / self._factor, self._factor))

    def _seen(self, like: Tensor) -> Tensor:
        """1 for blocks with a kept pixel, 0 for the others."""
        seen = self._constants.like("seen", like, lambda: (self._share() > 0).double())
        return match_batch(seen, like)

    def _share(self) -> Tensor:
        return F.avg_pool2d(self.mask, self._factor)

    def _reflection(self) -> Tensor:
        rows = F.pixel_unshuffle(self.mask.expand(-1, 3, -1, -1), self._factor)
        length = rows.norm(dim=1, keepdim=True)
        # A block without any kept pixel has no direction of its own: e_1, no reflection.
        e1 = torch.zeros_like(rows)
        e1[:, 0] = 1
        return reflection(torch.where(length > 0, rows / length.clamp(min=1), e1), dim=1)

    def __repr__(self) -> str:
        return f"PooledMaskedGrayscale({self._mask_repr()}, factor={self._factor})"
