"""How near is a restoration to the original, and to its measurement: PSNR, SSIM, ||A x - y||."""

import warnings
from collections.abc import Iterator

import numpy as np
import torch

from deqir_lite.checks import (
    check_finite,
    check_images,
    check_integer,
    check_kinds,
    is_number,
    several,
    shown,
)
from deqir_lite.operators.base import LinearOperator

SSIM_WINDOW = 11
"""Pixels a side of the SSIM window, fixed by its sigma of 1.5."""

_BEYOND = 0.25
"""The share of a reference's values outside of the range, from which on another one is likely."""

Range = tuple[float, float]
"""(black, white)."""

_LUMA = np.array([65.481, 128.553, 24.966]) / 255
_LUMA_BLACK = 16 / 255


def psnr(
    x: torch.Tensor,
    reference: torch.Tensor,
    *,
    crop_border: int = 0,
    test_y_channel: bool = False,
    data_range: Range | None = None,
) -> torch.Tensor:
    r"""Peak signal-to-noise ratio, :math:`10 \log_{10}(1 / \mathrm{MSE})` in dB.

    Both are mapped from ``data_range`` to [0, 1] and clamped, so the peak is 1; the mean square
    error is over RGB and all pixels, in float64, not rounded to 8 bits. Papers differ in what they
    compare. DDRM and DDNM: RGB and every pixel (the default here). The published code of DeqIR:
    RGB without 4 pixels on each side. Papers on super-resolution by a factor s: ``crop_border=s,
    test_y_channel=True``.

    Args:
        x: restored images (B, 3, H, W).
        reference: originals of the same shape; a single one is compared with every image.
        crop_border: pixels left out on each side.
        test_y_channel: compare the luma of BT.601 as MATLAB's rgb2ycbcr has it,
            (16 + 65.481 R + 128.553 G + 24.966 B) / 255 for R, G, B in [0, 1]; the peak stays 1.
        data_range: the values of black and white, by default (-1, 1).

    Returns:
        (B,) float64 on the CPU; infinity for equal images.

    Raises:
        ValueError: other shapes, NaN, a border that leaves nothing, or values of another range,
            such as [0, 255]. Where no range is given, warns of images that might be in [0, 1], and
            of a reference that might be in [-2, 2], say.
    """
    from skimage.metrics import peak_signal_noise_ratio  # imports scipy.stats: half a second

    values = []
    for image, original in _pairs(x, reference, crop_border, test_y_channel, data_range, 1):
        with np.errstate(divide="ignore"):  # equal images: log of 1 / 0
            values.append(peak_signal_noise_ratio(original, image, data_range=1))
    return torch.tensor(values, dtype=torch.float64)


def ssim(
    x: torch.Tensor,
    reference: torch.Tensor,
    *,
    crop_border: int = 0,
    test_y_channel: bool = False,
    data_range: Range | None = None,
) -> torch.Tensor:
    """Structural similarity in the convention of Wang et al. (2004), mean over R, G and B.

    On [0, 1] with peak 1, Gaussian window of 11 x 11 pixels with sigma 1.5, K1 = 0.01,
    K2 = 0.03, population covariances; averaged where the window lies inside the image. It is
    scikit-image's ``structural_similarity`` with those options, and agrees with BasicSR, which
    the published code of DeqIR uses with ``crop_border`` = 4 there.

    Args, returns and errors as for ``psnr``; images must have 11 pixels a side at least.
    """
    from skimage.metrics import structural_similarity

    values = [
        structural_similarity(
            original,
            image,
            data_range=1,
            channel_axis=-1,
            gaussian_weights=True,
            sigma=1.5,
            use_sample_covariance=False,
        )
        for image, original in _pairs(
            x, reference, crop_border, test_y_channel, data_range, SSIM_WINDOW
        )
    ]
    return torch.tensor(values, dtype=torch.float64)


def measurement_consistency(
    operator: LinearOperator, x: torch.Tensor, y: torch.Tensor, *, order: int = 2
) -> torch.Tensor:
    r"""Distance of each image from its measurement, :math:`\lVert A x - y \rVert_p`, p = ``order``.

    Args:
        operator: A.
        x: images (B, 3, H, W) in [-1, 1], not clamped: a clamp would hide an inconsistency.
        y: measurements of the shape of A x; a single one serves every image.
        order: p; 1 is the consistency of papers on colorization.

    Returns (B,) in the dtype and on the device of x. Raises ValueError when shapes differ.
    """
    check_kinds(measurement_consistency, locals())
    check_images("x", x)
    check_finite("y", y)
    measured = operator.A(x)
    if y.shape[1:] != measured.shape[1:] or y.shape[0] not in (1, measured.shape[0]):
        raise ValueError(f"y: got shape {tuple(y.shape)}; expected {tuple(measured.shape)}")
    return torch.linalg.vector_norm((measured - y).flatten(1), order, dim=1)


def _pairs(
    x: torch.Tensor,
    reference: torch.Tensor,
    crop_border: int,
    test_y_channel: bool,
    data_range: Range | None,
    smallest: int,
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Pairs (image, original) of float64 arrays (H, W, 3 or 1) in [0, 1], cropped."""
    border = check_integer("crop_border", crop_border, minimum=0)
    reference = same_batch(x, reference)
    low, high = check_range(x, reference, data_range)
    check_smallest(x, border, smallest)
    rows, columns = (slice(border, side - border) for side in x.shape[-2:])

    def pixels(images: torch.Tensor) -> np.ndarray:
        inside = images.detach().double().cpu()[..., rows, columns].movedim(1, -1)
        rgb = ((inside - low) / (high - low)).clamp(0, 1).numpy()
        return rgb @ _LUMA[:, None] + _LUMA_BLACK if test_y_channel else rgb

    return zip(pixels(x), pixels(reference), strict=True)


def check_range(x: torch.Tensor, reference: torch.Tensor, data_range: Range | None) -> Range:
    """The plain ``data_range``, or (-1, 1) for None; ValueError when the images are clearly of
    another one. A restoration may leave its range, and is clamped; so may, here and there, an
    original that was drawn from a prior."""
    pair = (-1.0, 1.0) if data_range is None else several(data_range) or ()
    if len(pair) != 2 or not all(map(is_number, pair)) or not -np.inf < pair[0] < pair[1] < np.inf:
        raise ValueError(
            f"data_range: got {shown(data_range)}; expected two numbers, (black, white)"
        )
    low, high = (float(end) for end in pair)
    spans = {}
    for name, images in (("x", x), ("reference", reference)):
        least, most = spans[name] = float(images.min()), float(images.max())
        if most > high + (high - low) / 2 and least > -most / 20:
            raise ValueError(
                f"{name}: values span [{least:.3g}, {most:.3g}]; expected [{low:g}, {high:g}], or "
                "another data_range"
            )
    beyond = float(((reference < low) | (reference > high)).double().mean())
    if data_range is None and beyond > _BEYOND:
        least, most = spans["reference"]
        warnings.warn(
            f"reference: values span [{least:.3g}, {most:.3g}], {beyond:.0%} of them outside of "
            f"[{low:g}, {high:g}], to which all are clamped; for another range say data_range",
            stacklevel=4,
        )
    unit = all(0 <= least < most <= 1 for least, most in spans.values())
    if data_range is None and unit:
        warnings.warn(
            "x, reference: no value is below 0; images in [0, 1] need data_range=(0, 1), and those "
            "in [-1, 1] data_range=(-1, 1) if this is to be said no more",
            stacklevel=4,
        )
    return low, high


def same_batch(x: torch.Tensor, reference: torch.Tensor) -> torch.Tensor:
    """Check both and return the reference with the batch size of x."""
    check_images("x", x)
    check_images("reference", reference)
    if reference.shape[1:] != x.shape[1:] or reference.shape[0] not in (1, x.shape[0]):
        raise ValueError(
            f"reference: got shape {tuple(reference.shape)}; expected {tuple(x.shape)}"
        )
    return reference.expand_as(x)


def check_smallest(x: torch.Tensor, crop_border: int, smallest: int) -> None:
    """Raise ValueError unless ``smallest`` pixels a side are left inside the border."""
    left = min(x.shape[-2:]) - 2 * crop_border
    if left < smallest:
        raise ValueError(
            f"x: {x.shape[-2]}x{x.shape[-1]} pixels less a border of {crop_border}; "
            f"expected at least {smallest}x{smallest}"
        )
