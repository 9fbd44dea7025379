"""How far x_0 still is from the chain's, estimated from its last moves."""

from dataclasses import dataclass

import torch

from deqir_lite._repr import short_repr

LARGEST_RATE = 0.95
"""Moves that shrink more slowly are taken to shrink at this rate."""


@dataclass(frozen=True, eq=False)
class ErrorEstimate:
    """The moves of x_0, m_j = RMS of x_0 after sweep j less x_0 before it, for each image.

    Were they to shrink by the factor rho from sweep to sweep, what is missing after sweep j would
    be m_j (rho + rho^2 + ...) = m_j rho / (1 - rho) in all. For rho stands the larger one of the
    last two ratios m_j / m_{j-1}. It is a sound guess where a sweep carries every correction down
    to x_0 at once, as the Gaussian form does; where news travels one state a sweep, x_0 rests
    long before it is right.

    * ``x0`` (B, ...): after the last sweep, or of the start,
    * ``moves``: the last three of them at most, oldest first, each (B,), float64 on the CPU.
    """

    x0: torch.Tensor
    moves: tuple[torch.Tensor, ...] = ()

    __repr__ = short_repr

    def after(self, x0: torch.Tensor) -> "ErrorEstimate":
        """With the move of one more sweep, to ``x0`` (B, ...)."""
        move = (x0 - self.x0).flatten(1).double().pow(2).mean(dim=1).sqrt().cpu()
        return ErrorEstimate(x0, (*self.moves[-2:], move))

    @property
    def error(self) -> torch.Tensor:
        """Estimated RMS error of x_0 (B,), in units of [-1, 1]; infinite before two sweeps."""
        if len(self.moves) < 2:
            return torch.full((len(self.x0),), torch.inf, dtype=torch.float64)
        moves = torch.stack(self.moves)
        ratios = torch.where(moves[:-1] > 0, moves[1:] / moves[:-1], torch.inf)
        rate = ratios.amax(dim=0).clamp(max=LARGEST_RATE)
        return moves[-1] * rate / (1 - rate)
