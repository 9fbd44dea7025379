"""Inpainting: some pixels are kept, the others are lost."""

import torch
from torch import Tensor

from deqir_lite.checks import check_exact_size
from deqir_lite.operators.base import Size, match_batch
from deqir_lite.operators.spectral import SpectralOperator


class MaskedOperator(SpectralOperator):
    """What the operators with a mask share: its shapes, its checks and its batch.

    The mask is 1 (or True) where a pixel is kept: (H, W), (1, H, W) or (1, 1, H, W) for all
    images, or (B, 1, H, W) with one mask per image. Per-image masks accept any batch of n * B
    images and repeat, image b at index k * B + b, because the solvers flatten (T, B, ...) so.
    """

    def __init__(self, mask: Tensor) -> None:
        super().__init__()
        self.mask = _canonical(mask)
        self._batch = self.mask.shape[0]

    def _mask(self, x: Tensor) -> Tensor:
        """The mask in the dtype and device of ``x``, one per image of its batch."""
        return match_batch(self._constants.like("mask", x, lambda: self.mask), x)

    def _check_size(self, name: str, size: Size) -> None:
        check_exact_size(name, size, self.mask.shape[-2:], of="the mask")

    def _mask_repr(self) -> str:
        b, _, h, w = self.mask.shape
        many = f"{b} masks, " if b > 1 else ""
        return f"{many}size={h}x{w}, kept={self.mask.mean().item():.1%}"


class Inpainting(MaskedOperator):
    """A x = m * x: keep the pixels where the mask is 1, in all channels.

    The measurement has the image's shape with zeros in the holes, and A = A^T = A^+ = R. V is
    the pixel basis. Whatever a measurement holds in the holes is ignored.

    Args:
        mask: 1 or True where a pixel is kept; (H, W), (1, H, W), (1, 1, H, W), or one per image
            (B, 1, H, W), repeated for batches of n * B images.

    Raises:
        ValueError: the mask has another shape or values other than 0 and 1; later, images of
            another size or a batch that is no multiple of B.

    Source: the inpainting task of Sec. 5.
    """

    def _A(self, x: Tensor) -> Tensor:
        return self._mask(x) * x

    _adjoint = _pinv = _range_projector = _ut = _u = _A

    def _vt(self, x: Tensor) -> Tensor:
        return x.clone()  # not x itself: coefficients may be changed in place

    _v = _vt

    def _singular_values(self, size: Size) -> Tensor:
        return self.mask

    def __repr__(self) -> str:
        return f"Inpainting({self._mask_repr()})"


def _canonical(mask: Tensor) -> Tensor:
    """The mask as float64 (b, 1, H, W), or ValueError."""
    if not isinstance(mask, Tensor):
        raise ValueError(f"mask: got {type(mask).__name__}; expected a torch.Tensor")
    shape = tuple(mask.shape)
    one_channel = mask.ndim == 2 or (mask.ndim == 3 and shape[0] == 1)
    if not (one_channel or (mask.ndim == 4 and shape[1] == 1)) or 0 in shape:
        raise ValueError(f"mask: got shape {shape}; expected (H, W), (1, H, W) or (B, 1, H, W)")
    if mask.is_complex() or not bool(((mask == 0) | (mask == 1)).all()):
        raise ValueError("mask: holds values other than 0 and 1; expected 1 = kept, 0 = lost")
    return mask.detach().to("cpu", torch.float64).reshape(-1, 1, *shape[-2:])
