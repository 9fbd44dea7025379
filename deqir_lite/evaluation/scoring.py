"""Scores of restored images: those of the prior, and of the methods it is compared with."""

import functools

import torch
from torch import Tensor

from deqir_lite.baselines import baseline_of, gaussian_mean
from deqir_lite.evaluation.references import tv_restoration
from deqir_lite.evaluation.results import Scores
from deqir_lite.metrics import SSIM_WINDOW, psnr, ssim
from deqir_lite.operators import LinearOperator
from deqir_lite.priors.load import load_gaussian

gaussian = functools.cache(load_gaussian)
"""The bundled Gaussian prior for a schedule; without one, for the linear schedule."""


def reference_scores(operator: LinearOperator, truth: Tensor) -> dict[str, Scores]:
    """Scores of A^+ y, the baseline and both reference methods on one photo (1, 3, H, W)."""
    y = operator.A(truth)
    restored = {
        "pinv": operator.pinv(y),
        "baseline": baseline_of(operator).restore(operator, y),
        "tv": tv_restoration(operator, y),
        "gaussian": gaussian_mean(operator, y, prior=gaussian()),
    }
    return {method: score(image, truth) for method, image in restored.items()}


def score(image: Tensor, truth: Tensor) -> Scores:
    """PSNR and SSIM of one image (1, 3, H, W), as :func:`scores` has them."""
    return {name: values[0] for name, values in scores(image, truth).items()}


def scores(images: Tensor, truth: Tensor) -> dict[str, list[float | None]]:
    """PSNR and SSIM of each image (B, 3, H, W), clamped; SSIM is None where it is undefined."""
    if not bool(torch.isfinite(images).all()):  # a prior can diverge: that is a result too
        return {"psnr": [0.0] * len(images), "ssim": [0.0] * len(images)}
    large = min(truth.shape[-2:]) >= SSIM_WINDOW
    return {
        "psnr": psnr(images, truth).tolist(),
        "ssim": ssim(images, truth).tolist() if large else [None] * len(images),
    }
