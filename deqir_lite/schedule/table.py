"""Noise schedules: the table of alpha_bar over the N training timesteps (Eq. 2 of the paper)."""

import math
from dataclasses import dataclass, field

import torch

from deqir_lite.checks import check_finite, check_integer
from deqir_lite.constants import Constants


@dataclass(frozen=True, eq=False)
class NoiseSchedule:
    """The table alpha_bar_t of the forward process q(x_t | x_0) = N(sqrt(abar_t) x_0, (1 - abar_t)
    I).

    ``alpha_bar`` is a float64 tensor (N,), strictly decreasing in (0, 1); entry t belongs to
    training timestep t = 0 .. N-1 (Eq. 2).
    """

    alpha_bar: torch.Tensor
    _constants: Constants = field(default_factory=Constants, init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        table = self.alpha_bar
        check_finite("alpha_bar", table)
        if table.ndim != 1 or table.dtype != torch.float64 or len(table) < 1:
            raise ValueError(
                f"alpha_bar: got {table.dtype} of shape {tuple(table.shape)}; expected float64 (N,)"
            )
        inside = bool(((table > 0) & (table < 1)).all())
        if not inside or not bool((table.diff() < 0).all()):
            raise ValueError("alpha_bar: expected strictly decreasing values inside (0, 1)")

    @property
    def num_train_timesteps(self) -> int:
        """N, the number of training timesteps."""
        return len(self.alpha_bar)

    def at(self, t: torch.Tensor, like: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """(sqrt(abar_t), sqrt(1 - abar_t)) for timesteps ``t`` (B,), signal and noise level of x_t.

        Both are shaped (B, 1, 1, ...) to multiply ``like`` (B, ...). The roots are taken in float64
        first: in float32, 1 - abar would have lost half of its digits at low noise.
        """
        signal = self._constants.like("signal", like, self.alpha_bar.sqrt)
        noise = self._constants.like("noise", like, (1 - self.alpha_bar).sqrt)
        rows, shape = t.to(like.device), [-1, *[1] * (like.ndim - 1)]
        return signal[rows].reshape(shape), noise[rows].reshape(shape)

    def __repr__(self) -> str:
        first, last = float(self.alpha_bar[0]), float(self.alpha_bar[-1])
        return f"NoiseSchedule(N={len(self.alpha_bar)}, alpha_bar={first:.4g}..{last:.2g})"


def linear_schedule(
    num_train_timesteps: int = 1000, *, beta_start: float = 1e-4, beta_end: float = 0.02
) -> NoiseSchedule:
    """beta_t linear in t, alpha_bar_t = prod (1 - beta); the schedule of DDPM and of the paper."""
    num_train_timesteps = check_integer("num_train_timesteps", num_train_timesteps, 1)
    return _from_betas(
        torch.linspace(beta_start, beta_end, num_train_timesteps, dtype=torch.float64)
    )


def cosine_schedule(num_train_timesteps: int = 1000, *, max_beta: float = 0.999) -> NoiseSchedule:
    """alpha_bar(t) = cos^2((t + .008)/1.008 pi/2), betas at most ``max_beta`` (improved DDPM)."""
    num_train_timesteps = check_integer("num_train_timesteps", num_train_timesteps, 1)
    time = torch.arange(num_train_timesteps + 1, dtype=torch.float64) / num_train_timesteps
    curve = torch.cos((time + 0.008) / 1.008 * math.pi / 2).square()
    return _from_betas((1 - curve[1:] / curve[:-1]).clamp(max=max_beta))


def _from_betas(betas: torch.Tensor) -> NoiseSchedule:
    return NoiseSchedule(torch.cumprod(1 - betas, dim=0))
