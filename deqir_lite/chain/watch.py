"""A prior that predicts NaN is an error, whoever samples with it, and not a chain that diverged."""

import torch

from deqir_lite.priors.base import Prior, model_name

_ORDINARY = 1e4
"""States beyond this size are those of a sampler that diverges, and no fault of the prior."""


class PredictionWatch:
    """Looks at every prediction of a chain's ``prior``, without waiting for the device.

    :meth:`check` raises ValueError when one was NaN or infinite for ordinary, finite states.
    """

    def __init__(self, prior: Prior) -> None:
        self.name = model_name(getattr(prior, "model", prior))
        self._noisiest: torch.Tensor | None = None

    def see(self, states: torch.Tensor, eps: torch.Tensor, timesteps: torch.Tensor) -> None:
        """What was predicted, ``eps``, of ``states`` (n, B, 3, H, W) at ``timesteps`` (n,)."""
        with torch.no_grad():
            ordinary = states.abs().flatten(2).amax(dim=2) < _ORDINARY  # not where there is a NaN
            failed = ordinary & ~eps.isfinite().flatten(2).all(dim=2)
            found = torch.where(failed.any(dim=1), timesteps, -1).amax()
            before = self._noisiest
            self._noisiest = found if before is None else torch.maximum(before, found)

    def check(self) -> None:
        """As above; names the noisiest timestep where it happened."""
        timestep = -1 if self._noisiest is None else int(self._noisiest)
        if timestep >= 0:
            raise ValueError(
                f"prior: {self.name} predicts NaN or infinity at timestep {timestep}, for images "
                "that are finite; expected finite noise"
            )
