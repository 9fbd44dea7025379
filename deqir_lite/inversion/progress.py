"""What an optimisation of x_T leaves behind: one row per outer step, and the best noise."""

from dataclasses import dataclass

import torch

from deqir_lite._repr import short_repr


@dataclass(frozen=True)
class OuterStep:
    """One outer step of Algorithm 2, as it stood before x_T was moved.

    * ``loss``: of x_0; ``objective``: with the pull towards the shell,
    * ``shell``: ||x_T||^2 per dimension, 1 on the shell of Gaussian noise (mean over photos),
    * ``psnr``: dB against the reference for reporting (mean over photos), or None,
    * ``sweeps``, ``nfe``, ``converged``: of the solve; VJPs are not counted,
    * ``gradient_norm``: ||dL/dx_T||; None for the last row, which only looks,
    * ``seconds``: of this step.
    """

    step: int
    loss: float
    objective: float
    shell: float
    psnr: float | None
    sweeps: int
    nfe: int
    converged: bool
    gradient_norm: float | None
    seconds: float


@dataclass(frozen=True, eq=False)
class NoiseOptimization:
    """The best initial noise ``x_T`` (B, 3, H, W) that was met, and the photo ``x0`` of it.

    ``step`` is its row in ``rows``; ``states`` (T+1, B, 3, H, W) its trajectory. ``stopped`` tells
    why the optimisation ended: "steps", "target", "zero gradient" or "failed".
    """

    x_T: torch.Tensor
    states: torch.Tensor
    step: int
    rows: tuple[OuterStep, ...]
    stopped: str

    __repr__ = short_repr

    @property
    def x0(self) -> torch.Tensor:
        """The restored photos (B, 3, H, W)."""
        return self.states[-1]

    @property
    def best(self) -> OuterStep:
        """The row of the best x_T."""
        return self.rows[self.step]


class InversionFailed(RuntimeError):
    """An outer step was refused: loss or gradient became NaN or infinite.

    ``result`` holds the best noise so far, or None when not even the first step could be evaluated.
    """

    def __init__(self, message: str, result: NoiseOptimization | None) -> None:
        super().__init__(message)
        self.result = result
