"""Exponential moving averages of the weights, at several rates."""

from collections.abc import Sequence

import torch
from torch.optim.swa_utils import get_ema_multi_avg_fn


class WeightAverages:
    """One moving average of the weights of ``network`` per entry of ``decays``.

    average <- decay average + (1 - decay) weights after each step. A slow average follows late,
    a fast one is noisy; which is better depends on the length of the run, so both are kept.
    """

    def __init__(self, network: torch.nn.Module, decays: Sequence[float]) -> None:
        self._live = list(network.state_dict().values())  # these share memory with the network
        self.weights = {
            decay: {name: v.detach().clone() for name, v in network.state_dict().items()}
            for decay in decays
        }

    def update(self, step: int) -> None:
        """After training step ``step`` = 1, 2, ...; early on an average forgets faster."""
        for decay, average in self.weights.items():
            mix = get_ema_multi_avg_fn(min(decay, (1 + step) / (10 + step)))
            mix(list(average.values()), self._live, step)

    def state_dict(self) -> dict[str, dict[str, torch.Tensor]]:
        """The averages by their decay, written out."""
        return {str(decay): weights for decay, weights in self.weights.items()}

    def load_state_dict(self, state: dict[str, dict[str, torch.Tensor]]) -> None:
        """Continue from :meth:`state_dict`; KeyError or RuntimeError when it does not fit."""
        for decay, average in self.weights.items():
            stored = state[str(decay)]
            for name, value in average.items():
                value.copy_(stored[name])
