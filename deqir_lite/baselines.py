"""The simple answers: what one would do with a measurement without a diffusion prior.

Interpolate, fill holes smoothly, leave y as it is, or take the mean under a Gaussian. A
restoration is worth its cost only where it says more than these.
"""

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from deqir_lite.checks import check_kinds
from deqir_lite.linear_map import rounded
from deqir_lite.operators import (
    AveragePooling,
    BicubicDownsampling,
    DamagedPhoto,
    FFTBlur,
    Grayscale,
    Inpainting,
    LinearOperator,
    MaskedGrayscale,
    PooledMaskedGrayscale,
    SeparableBlur,
    as_operator,
)
from deqir_lite.operators.base import match_batch
from deqir_lite.priors.gaussian import GaussianPrior
from deqir_lite.priors.gaussian_posterior import GaussianPosterior
from deqir_lite.priors.load import load_gaussian


class Baseline(NamedTuple):
    """A name for tables, and (operator, y) -> the restored images (B, 3, H, W)."""

    name: str
    restore: Callable[[LinearOperator, Tensor], Tensor]


def simple_answer(operator: LinearOperator, y: Tensor) -> tuple[str, Tensor]:
    """The name of the usual baseline, and its images (B, 3, H, W) for y (B, ...); not clamped."""
    check_kinds(simple_answer, locals())
    baseline = baseline_of(operator)
    return baseline.name, rounded(lambda y: baseline.restore(operator, y), y)


def baseline_of(operator: LinearOperator) -> Baseline:
    """The usual baseline of an operator.

    Bicubic interpolation where the measurement is small, biharmonic inpainting where pixels are
    lost (and both, in this order, for small photos with holes), the grey image itself for
    colorization, y as it is for blurs, and A^+ y for all others, whose y may be no photo.
    """
    return baselines_of(operator)[0]


def baselines_of(operator: LinearOperator) -> list[Baseline]:
    """All baselines that fit an operator, the usual one first.

    Holes can also be filled linearly or with the nearest pixel.
    """
    if isinstance(operator, DamagedPhoto):
        return _of_damage(operator)
    for kind, baselines in _BASELINES:
        if isinstance(operator, kind):
            return list(baselines)
    return [_PINV]


def gaussian_mean(
    operator: Any,
    y: Tensor,
    *,
    prior: GaussianPrior | None = None,
    tolerance: float = 1e-3,
) -> Tensor:
    """E[x | y] (B, 3, H, W) for x ~ N(mean, Lam); not clamped.

    ``operator``: a :class:`LinearOperator`, or what :func:`as_operator` makes one of.

    No other affine function of y has a smaller mean squared error on photos with this mean and
    covariance. ``prior`` is the bundled Gaussian unless another one is given. Computed by
    :class:`GaussianPosterior` in float64 on the CPU, whatever y is, to the relative
    ``tolerance``, whose default changes the PSNR by less than 0.01 dB. Source: the conditional
    mean of jointly Gaussian variables, which is the Wiener filter.
    """
    check_kinds(gaussian_mean, locals())
    operator = as_operator(operator, y=y)
    exact = y.detach().to("cpu", torch.float64)
    prior = load_gaussian() if prior is None else prior
    return GaussianPosterior(prior, operator, exact, tolerance=tolerance).mean().to(y)


def bicubic(y: Tensor, factor: int) -> Tensor:
    """Enlarge images (B, C, h, w) by a whole factor with Keys' cubic, a = -1/2.

    This is what Pillow calls bicubic (torch's default has a = -3/4): at the border the kernel is
    cut and normalised. Source: Keys 1981.
    """
    size = (factor * y.shape[-2], factor * y.shape[-1])
    return F.interpolate(y, size, mode="bicubic", antialias=True)


def biharmonic(y: Tensor, mask: Tensor) -> Tensor:
    """Fill the holes of images (B, C, H, W), where ``mask`` is 0, by biharmonic functions.

    ``mask`` is (H, W), or (b, 1, H, W) as operators have it, repeated over the batch. An image
    without any kept pixel stays as it is. Source: Damelin and Hoang 2018, as scikit-image's
    ``inpaint_biharmonic``.
    """
    from skimage.restoration import inpaint_biharmonic  # imports scipy: half a second

    return _fill(
        y, mask, lambda image, holes: inpaint_biharmonic(image, holes, channel_axis=-1)[holes]
    )


def linear(y: Tensor, mask: Tensor) -> Tensor:
    """Fill holes linearly within the triangles of a Delaunay triangulation of the kept pixels.

    The nearest kept pixel serves where no triangle reaches. Arguments as for :func:`biharmonic`.
    Source: what scipy's ``griddata`` does, by its ``LinearNDInterpolator``.
    """
    from scipy.interpolate import LinearNDInterpolator
    from scipy.spatial import QhullError

    def values(image: np.ndarray, holes: np.ndarray) -> np.ndarray:
        outside = _nearest(image, holes)
        try:
            inside = LinearNDInterpolator(np.argwhere(~holes), image[~holes])(np.argwhere(holes))
        except QhullError:  # fewer than three kept pixels, or all in one line: no triangle
            return outside
        return np.where(np.isnan(inside), outside, inside)

    return _fill(y, mask, values)


def nearest(y: Tensor, mask: Tensor) -> Tensor:
    """Fill holes with the nearest kept pixel. Arguments as for :func:`biharmonic`.

    Source: what scipy's ``griddata`` does, by its ``NearestNDInterpolator``.
    """
    return _fill(y, mask, _nearest)


def _nearest(image: np.ndarray, holes: np.ndarray) -> np.ndarray:
    from scipy.interpolate import NearestNDInterpolator

    return NearestNDInterpolator(np.argwhere(~holes), image[~holes])(np.argwhere(holes))


def _fill(
    y: Tensor, mask: Tensor, values: Callable[[np.ndarray, np.ndarray], np.ndarray]
) -> Tensor:
    """y with values(image (H, W, C), holes (H, W)), (n, C), in its n holes; the rest is kept."""
    all_holes = mask.reshape(-1, *y.shape[-2:]).cpu() == 0
    filled = y.detach().clone()
    for k, image in enumerate(filled):
        holes = all_holes[k % len(all_holes)]
        if holes.any() and not holes.all():
            pixels = image.movedim(0, -1).cpu().double().numpy()
            new = torch.from_numpy(values(pixels, holes.numpy()))
            image[:, holes.to(y.device)] = new.T.to(y)
    return filled


def _enlarged(operator: Any, y: Tensor) -> Tensor:
    return bicubic(y, operator.factor)


def _filled(fill: Callable[[Tensor, Tensor], Tensor], operator: Any, y: Tensor) -> Tensor:
    return fill(y, operator.mask).expand(-1, 3, -1, -1)


def _filled_and_enlarged(
    fill: Callable[[Tensor, Tensor], Tensor], operator: Any, y: Tensor
) -> Tensor:
    """y is the block's sum of kept pixels / r^2; only blocks that lost every pixel are holes."""
    share = match_batch(F.avg_pool2d(operator.mask, operator.factor).to(y), y)
    mean = y / share.where(share > 0, 1)
    return bicubic(fill(mean, share), operator.factor).expand(-1, 3, -1, -1)


def _of_damage(operator: DamagedPhoto) -> list[Baseline]:
    """Holes filled and pixels interpolated; blur and lost colours stay as they are."""
    fills = {"biharm.": biharmonic, "linear": linear, "nearest": nearest}
    enlarged = ["bicubic"] if operator.factor > 1 else []

    def restored(fill: Callable[[Tensor, Tensor], Tensor], operator: Any, y: Tensor) -> Tensor:
        filled = y if operator.mask is None else fill(y, operator.mask)
        large = bicubic(filled, operator.factor) if operator.factor > 1 else filled
        return large.expand(-1, 3, -1, -1)

    if operator.mask is None:
        fills = {"": nearest}
    return [
        Baseline(", ".join([name, *enlarged] if name else enlarged) or "y", partial(restored, fill))
        for name, fill in fills.items()
    ]


def _pinv(operator: Any, y: Tensor) -> Tensor:
    return operator.pinv(y)


# Their functions take the operators of their row, with a factor or a mask.
_PINV = Baseline("A⁺y", _pinv)

_BASELINES: tuple[tuple[type | tuple[type, ...], tuple[Baseline, ...]], ...] = (
    ((BicubicDownsampling, AveragePooling), (Baseline("bicubic", _enlarged),)),
    (
        (Inpainting, MaskedGrayscale),
        (
            Baseline("biharmonic", partial(_filled, biharmonic)),
            Baseline("linear", partial(_filled, linear)),
            Baseline("nearest", partial(_filled, nearest)),
        ),
    ),
    (
        PooledMaskedGrayscale,
        (
            Baseline("biharm., bicubic", partial(_filled_and_enlarged, biharmonic)),
            Baseline("linear, bicubic", partial(_filled_and_enlarged, linear)),
            Baseline("nearest, bicubic", partial(_filled_and_enlarged, nearest)),
        ),
    ),
    (Grayscale, (Baseline("grey", _pinv),)),
    ((SeparableBlur, FFTBlur), (Baseline("y", lambda operator, y: y),)),
)
