"""Restorations of several photos with several seeds, through the network together."""

from collections.abc import Iterator

import torch
from torch import Tensor

from deqir_lite.chain import RestorationChain, make_chain
from deqir_lite.operators import LinearOperator
from deqir_lite.priors.base import Prior


def restore_samples(
    prior: Prior,
    operator: LinearOperator,
    y: Tensor,
    timesteps: int,
    eta: float,
    spacing: str | float,
    seeds: int,
    batch: int,
) -> Iterator[Tensor]:
    """Posterior samples x_0 of P photos with the seeds 0, 1, ..., at most ``batch`` at a time.

    ``y`` (P, ...) are the photos' measurements. Every sample has the noise that a chain of that
    photo and seed alone would have, so the batch does not decide the numbers. The chain is
    walked step by step; the parallel solvers find the same samples with more evaluations.

    Yields (b, 3, H, W), photo by photo and within one seed by seed; not clamped.
    """
    for photos in y.split(max(1, batch // seeds)):
        for first in range(0, seeds, batch):
            several = min(batch, seeds - first)
            yield _walk(
                make_chain(
                    prior,
                    operator,
                    photos,
                    num_steps=timesteps,
                    eta=eta,
                    seed=first,
                    spacing=spacing,
                    samples=several,
                )
            )


def _walk(chain: RestorationChain) -> Tensor:
    """x_0 alone: the states on the way are not needed, and large."""
    x = chain.x_T
    with torch.no_grad():
        for k in range(chain.num_steps):
            x = chain.step(x, k)
    return x
