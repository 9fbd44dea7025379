"""What one would do without a prior: interpolate, fill holes smoothly, or leave y as it is."""

from collections.abc import Callable
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from deqir_lite.operators import (
    AveragePooling,
    BicubicDownsampling,
    Grayscale,
    Inpainting,
    LinearOperator,
    MaskedGrayscale,
    PooledMaskedGrayscale,
    WalshHadamard,
)


class Baseline(NamedTuple):
    """A name for tables, and (operator, y) -> the restored images (B, 3, H, W)."""

    name: str
    restore: Callable[[LinearOperator, Tensor], Tensor]


def baseline_of(operator: LinearOperator) -> Baseline:
    """The usual baseline of an operator.

    Bicubic interpolation where the measurement is small, biharmonic inpainting where pixels are
    lost (and both, in this order, for small photos with holes), the grey image itself for
    colorization, A^+ y for compressed sensing, and y as it is for blurs.
    """
    for kind, baseline in _BASELINES:
        if isinstance(operator, kind):
            return baseline
    return Baseline("y", lambda operator, y: y)


def bicubic(y: Tensor, factor: int) -> Tensor:
    """Enlarge images (B, C, h, w) by a whole factor with Keys' cubic, a = -1/2.

    This is what Pillow calls bicubic (torch's default has a = -3/4): at the border the kernel is
    cut and normalised. Source: Keys 1981.
    """
    size = (factor * y.shape[-2], factor * y.shape[-1])
    return F.interpolate(y, size, mode="bicubic", antialias=True)


def biharmonic(y: Tensor, mask: Tensor) -> Tensor:
    """Fill the holes of images (B, C, H, W), where ``mask`` (H, W) is 0, by biharmonic functions.

    scikit-image's ``inpaint_biharmonic``. An image without any kept pixel stays as it is.
    """
    from skimage.restoration import inpaint_biharmonic  # imports scipy: half a second

    holes = mask.cpu().numpy() == 0
    if holes.all() or not holes.any():
        return y.clone()
    filled = [
        inpaint_biharmonic(image.movedim(0, -1).cpu().double().numpy(), holes, channel_axis=-1)
        for image in y
    ]
    return torch.stack([torch.from_numpy(image).movedim(-1, 0) for image in filled]).to(y)


def _enlarged(operator: Any, y: Tensor) -> Tensor:
    return bicubic(y, operator.factor)


def _filled(operator: Any, y: Tensor) -> Tensor:
    return biharmonic(y, operator.mask[0, 0]).expand(-1, 3, -1, -1)


def _filled_and_enlarged(operator: Any, y: Tensor) -> Tensor:
    """y is the block's sum of kept pixels / r^2; only blocks that lost every pixel are holes."""
    share = F.avg_pool2d(operator.mask, operator.factor).to(y)
    mean = y / share.where(share > 0, 1)
    return bicubic(biharmonic(mean, share[0, 0] > 0), operator.factor).expand(-1, 3, -1, -1)


def _pinv(operator: Any, y: Tensor) -> Tensor:
    return operator.pinv(y)


# Their functions take the operators of their row, with a factor or a mask.
_BASELINES: tuple[tuple[type | tuple[type, ...], Baseline], ...] = (
    ((BicubicDownsampling, AveragePooling), Baseline("bicubic", _enlarged)),
    ((Inpainting, MaskedGrayscale), Baseline("biharmonic", _filled)),
    (PooledMaskedGrayscale, Baseline("biharm., bicubic", _filled_and_enlarged)),
    (Grayscale, Baseline("grey", _pinv)),
    (WalshHadamard, Baseline("A⁺y", _pinv)),
)
