"""What the samples of a prior are compared with: simple methods, and the scores of both."""

import numpy as np
import torch
from torch import Tensor

from deqir_lite.baselines import baseline_of, gaussian_mean
from deqir_lite.measurement import Measurement
from deqir_lite.metrics import SSIM_WINDOW, psnr, ssim
from deqir_lite.operators import LinearOperator
from deqir_lite.priors.load import load_gaussian

Scores = dict[str, float | None]
"""``psnr`` in dB and ``ssim`` (None below 11 pixels a side) of one image."""

TV_WEIGHTS = tuple(float(w) for w in np.geomspace(0.5, 0.005, 60))
"""Strengths of the TV steps, for images in [0, 1]: strong first, to fill holes, then gentle."""


def tv_restoration(
    operator: LinearOperator, y: Tensor, *, weights: tuple[float, ...] = TV_WEIGHTS
) -> Tensor:
    """x <- A^+ y + (I - A^+ A) TV(x, w) for each w, from x = A^+ y: smooth, then correct (Eq. 5).

    TV is scikit-image's ``denoise_tv_chambolle``. The fixed, falling strengths were not tuned on
    any photo that is evaluated; the last correction makes the result fit y exactly.

    Returns (B, 3, H, W) with the dtype and device of y.
    """
    from skimage.restoration import denoise_tv_chambolle  # imports scipy: half a second

    def smooth(image: Tensor, weight: float) -> Tensor:
        pixels = (image.movedim(0, -1).cpu().double().numpy() + 1) / 2
        smoothed = denoise_tv_chambolle(pixels, weight, max_num_iter=20, channel_axis=-1)
        return torch.from_numpy(smoothed).movedim(-1, 0).to(y) * 2 - 1

    measurement = Measurement(operator, y)
    x = measurement.pinv_y
    for weight in weights:
        x = measurement.impose(torch.stack([smooth(image, weight) for image in x]))
    return x


def reference_scores(operator: LinearOperator, truth: Tensor) -> dict[str, Scores]:
    """Scores of A^+ y, the baseline and both reference methods on one photo (1, 3, H, W)."""
    y = operator.A(truth)
    restored = {
        "pinv": operator.pinv(y),
        "baseline": baseline_of(operator).restore(operator, y),
        "tv": tv_restoration(operator, y),
        "gaussian": gaussian_mean(operator, y, prior=load_gaussian()),
    }
    return {method: score(image, truth) for method, image in restored.items()}


def score(image: Tensor, truth: Tensor) -> Scores:
    """PSNR and SSIM of one image (1, 3, H, W), as :func:`scores` has them."""
    return {name: values[0] for name, values in scores(image, truth).items()}


def scores(images: Tensor, truth: Tensor) -> dict[str, list[float | None]]:
    """PSNR and SSIM of each image (B, 3, H, W), clamped; SSIM is None where it is undefined."""
    large = min(truth.shape[-2:]) >= SSIM_WINDOW
    return {
        "psnr": psnr(images, truth).tolist(),
        "ssim": ssim(images, truth).tolist() if large else [None] * len(images),
    }
