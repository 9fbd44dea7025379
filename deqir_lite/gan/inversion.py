"""Inversion of a generator: the photo among its own that explains y best."""

import copy
from dataclasses import dataclass

import torch
from torch import Tensor

from deqir_lite.checks import check_integer
from deqir_lite.gan.networks import Generator
from deqir_lite.operators import LinearOperator


@dataclass(frozen=True)
class Inversion:
    """``x0`` (B, 3, H, W), and ``errors``: the mean of (A x - y)^2 after each stage, by its name:
    drawn, latent, weights."""

    x0: Tensor
    errors: dict[str, float]


def invert(
    generator: Generator,
    operator: LinearOperator,
    y: Tensor,
    *,
    draws: int = 32,
    latent_steps: int = 200,
    weight_steps: int = 200,
    latent_rate: float = 0.05,
    weight_rate: float = 1e-3,
    seed: int = 0,
) -> Inversion:
    """min over z, and then over z and the weights, of |A G(z) - y|^2.

    Three stages: the best of ``draws`` latents for each photo, then Adam on the latents, then Adam
    on latents and weights, which all photos of a batch share: give one at a time. Each keeps the
    best that it has seen, so no stage is worse than the one before. Where to end is part of the
    method: weights that explain y to the last digit explain its null space by nothing. The
    generator stays as it is. Source: Deep Generative Prior (Pan et al. 2020), there with a BigGAN
    and distances in features of its discriminator, here with plain squares.

    Raises ValueError for a size that is no multiple of the generator's factor.
    """
    for name, count in (("latent_steps", latent_steps), ("weight_steps", weight_steps)):
        check_integer(name, count, 0)
    draws = check_integer("draws", draws, 1)
    height, width = operator.image_size(tuple(y.shape[1:]))
    if height % generator.factor or width % generator.factor:
        raise ValueError(
            f"y: of photos of {height}x{width} pixels; this generator makes multiples of "
            f"{generator.factor}"
        )
    # the caller's generator asks for no gradients, and shall not change
    own = copy.deepcopy(generator).to(dtype=y.dtype).requires_grad_(True)
    shape = (draws, len(y), own.latent, height // own.factor, width // own.factor)
    white = torch.randn(shape, generator=torch.Generator().manual_seed(seed)).to(y)

    def misfit(x: Tensor) -> Tensor:
        """(B,)"""
        return (operator.applied(x) - y).square().flatten(1).mean(dim=1)

    with torch.no_grad():
        of_draws = torch.stack([misfit(own(z)) for z in white])
    z = white[of_draws.argmin(dim=0), torch.arange(len(y))]
    with torch.no_grad():
        best = own(z)
    errors = {"drawn": float(misfit(best).mean())}
    z.requires_grad_(True)
    weights = list(own.parameters())
    for stage, steps, groups in (
        ("latent", latent_steps, [{"params": [z], "lr": latent_rate}]),
        (
            *("weights", weight_steps),
            [{"params": [z], "lr": latent_rate / 10}, {"params": weights, "lr": weight_rate}],
        ),
    ):
        optimizer, least = torch.optim.Adam(groups), float(misfit(best).mean())
        for _step in range(steps):
            with torch.enable_grad():
                x = own(z)
                loss = misfit(x).mean()
                optimizer.zero_grad()
                loss.backward()
            if loss.item() < least:
                least, best = loss.item(), x.detach()
            optimizer.step()
        errors[stage] = least
    return Inversion(best, errors)
