"""How well a prior denoises held-out photos: loss and one-step PSNR at fixed noise levels."""

from collections.abc import Sequence

import torch

from deqir_lite.priors.base import Prior, predict_x0
from deqir_lite.training.crops import CropSampler

LEVELS = (20, 100, 250, 500, 750)
"""Timesteps of the 1000-step linear schedule at which a prior is judged."""


def validation_crops(photos: Sequence[torch.Tensor], size: int, *, count: int = 64) -> torch.Tensor:
    """The same crops (count, 3, size, size) at every call: validation must not move."""
    return CropSampler(photos, size).draw(count, torch.Generator().manual_seed(1234))


@torch.no_grad()
def validate(prior: Prior, crops: torch.Tensor) -> dict[str, float]:
    """Mean squared error of v over all levels, and PSNR (dB) of the one-step x_{0|t} per level.

    v = sqrt(abar) eps - sqrt(1 - abar) x_0 (Salimans and Ho, 2022); an error e of x_{0|t} is an
    error of size e / sqrt(1 - abar) of v.
    """
    generator = torch.Generator().manual_seed(4321)
    losses, result = [], {}
    for level in LEVELS:
        eps = torch.randn(crops.shape, generator=generator).to(crops)
        t = torch.full((len(crops),), level, device=crops.device)
        signal, noise = prior.schedule.at(t, crops)
        x_t = signal * crops + noise * eps
        x0 = predict_x0(x_t, prior(x_t, t), signal, noise)
        losses.append(float(((x0 - crops) / noise).square().mean()))
        # 4 = (peak-to-peak of [-1, 1])^2
        mse = (x0.clamp(-1, 1) - crops).square().mean(dim=(1, 2, 3))
        result[f"psnr_t{level}"] = float((10 * (4 / mse).log10()).mean())
    return {"loss": sum(losses) / len(losses), **result}
