"""Restorations of several photos with several seeds, through the network together."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

import torch
from torch import Tensor

from deqir_lite.chain import RestorationChain, make_chain
from deqir_lite.consistency.range_null import RangeNullConsistency
from deqir_lite.operators import LinearOperator
from deqir_lite.priors.base import Prior


def restore_samples(
    prior: Prior,
    operator: LinearOperator,
    y: Tensor,
    timesteps: int,
    eta: float,
    seeds: Sequence[int],
    batch: int,
) -> Iterator[Tensor]:
    """Posterior samples x_0 of P photos with S seeds, at most ``batch`` of them at a time.

    ``y`` (P, ...) are the photos' measurements. Every sample has the noise that a chain of that
    photo and seed alone would have, so the batch does not decide the numbers. The chain is
    walked step by step; the parallel solvers find the same samples with more evaluations.

    Yields (b, 3, H, W), photo by photo and within one seed by seed; not clamped.
    """
    pairs = [(photo, seed) for photo in range(len(y)) for seed in seeds]
    for first in range(0, len(pairs), batch):
        chunk = pairs[first : first + batch]
        yield _walk(_stacked(prior, operator, y, timesteps, eta, chunk))


def _stacked(
    prior: Prior,
    operator: LinearOperator,
    y: Tensor,
    timesteps: int,
    eta: float,
    pairs: list[tuple[int, int]],
) -> RestorationChain:
    """One chain whose images are (photo, seed) pairs: a seed draws alike for every photo."""
    single = {
        seed: make_chain(prior, operator, y[:1], timesteps, eta, seed)
        for seed in dict.fromkeys(seed for _, seed in pairs)
    }
    return replace(
        next(iter(single.values())),
        consistency=RangeNullConsistency(operator, y[[photo for photo, _ in pairs]]),
        x_T=torch.cat([single[seed].x_T for _, seed in pairs]),
        noise=torch.cat([single[seed].noise for _, seed in pairs], dim=1),
    )


def _walk(chain: RestorationChain) -> Tensor:
    """x_0 alone: the states on the way are not needed, and large."""
    x = chain.x_T
    with torch.no_grad():
        for k in range(chain.num_steps):
            x = chain.step(x, k)
    return x
