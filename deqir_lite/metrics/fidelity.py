"""How near is a restoration to the original, and to its measurement: PSNR, SSIM, ||A x - y||."""

from collections.abc import Iterator

import numpy as np
import torch

from deqir_lite.checks import check_finite, check_images, check_integer, check_kinds
from deqir_lite.images import to_unit_range
from deqir_lite.operators.base import LinearOperator

SSIM_WINDOW = 11
"""Pixels a side of the SSIM window, fixed by its sigma of 1.5."""


def psnr(x: torch.Tensor, reference: torch.Tensor, *, crop_border: int = 0) -> torch.Tensor:
    r"""Peak signal-to-noise ratio, :math:`10 \log_{10}(1 / \mathrm{MSE})` in dB.

    Both are mapped from [-1, 1] to [0, 1] and clamped, so the peak is 1; the mean square error
    is over RGB and all pixels, in float64, not rounded to 8 bits. Papers differ in the border
    that they leave out: DDRM and DDNM none (the default here), the published code of DeqIR
    4 pixels on each side.

    Args:
        x: restored images (B, 3, H, W).
        reference: originals of the same shape; a single one is compared with every image.
        crop_border: pixels left out on each side.

    Returns:
        (B,) float64 on the CPU; infinity for equal images.

    Raises:
        ValueError: other shapes, NaN, or a border that leaves nothing.
    """
    from skimage.metrics import peak_signal_noise_ratio  # imports scipy.stats: half a second

    values = []
    for image, original in _pairs(x, reference, crop_border, smallest=1):
        with np.errstate(divide="ignore"):  # equal images: log of 1 / 0
            values.append(peak_signal_noise_ratio(original, image, data_range=1))
    return torch.tensor(values, dtype=torch.float64)


def ssim(x: torch.Tensor, reference: torch.Tensor, *, crop_border: int = 0) -> torch.Tensor:
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
        for image, original in _pairs(x, reference, crop_border, smallest=SSIM_WINDOW)
    ]
    return torch.tensor(values, dtype=torch.float64)


def measurement_consistency(
    operator: LinearOperator, x: torch.Tensor, y: torch.Tensor
) -> torch.Tensor:
    r"""Distance of each image from its measurement, :math:`\lVert A x - y \rVert_2`.

    Args:
        operator: A.
        x: images (B, 3, H, W) in [-1, 1], not clamped: a clamp would hide an inconsistency.
        y: measurements of the shape of A x; a single one serves every image.

    Returns (B,) in the dtype and on the device of x. Raises ValueError when shapes differ.
    """
    check_kinds(measurement_consistency, locals())
    check_images("x", x)
    check_finite("y", y)
    measured = operator.A(x)
    if y.shape[1:] != measured.shape[1:] or y.shape[0] not in (1, measured.shape[0]):
        raise ValueError(f"y: got shape {tuple(y.shape)}; expected {tuple(measured.shape)}")
    return (measured - y).flatten(1).norm(dim=1)


def _pairs(
    x: torch.Tensor, reference: torch.Tensor, crop_border: int, smallest: int
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield (image, original) as float64 arrays (H, W, 3) in [0, 1], cropped."""
    check_integer("crop_border", crop_border, minimum=0)
    reference = same_batch(x, reference)
    check_smallest(x, crop_border, smallest)
    rows = slice(crop_border, x.shape[-2] - crop_border)
    columns = slice(crop_border, x.shape[-1] - crop_border)
    both = [
        to_unit_range(batch.detach().double().cpu())[..., rows, columns].movedim(1, -1).numpy()
        for batch in (x, reference)
    ]
    yield from zip(*both, strict=True)


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
