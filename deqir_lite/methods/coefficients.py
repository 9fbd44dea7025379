"""The numbers of a chain of T steps, whatever its method."""

from dataclasses import dataclass

import torch

from deqir_lite._repr import short_repr
from deqir_lite.measurement import Measurement
from deqir_lite.methods.noise_rules import NoiseRule, Weights
from deqir_lite.schedule import NoiseSchedule


@dataclass(frozen=True, eq=False)
class StepCoefficients:
    """The numbers of a chain of T steps, in the order of the chain: noisiest first.

    Step k = 0 .. T-1 goes from states[k] = x_{s+1} to states[k+1] = x_s with s = T-k-1:
        x_s = a x0^ + b x_{s+1} + c2 eps + c1 xi.
    All weights belong to the TARGET s; float64 tensors on the CPU:

    * ``timesteps`` (T,) int64: the timestep of each step's start, at which the network is asked,
    * ``alpha_bar`` (T+1,): entry k belongs to states[k]; the last one, of x_0, is 1,
    * ``weights``: a, b, c2, c1, each (T,) or a diagonal of the operator, see :class:`Weights`,
    * ``rule``: the noise rule that they come from.
    """

    timesteps: torch.Tensor
    alpha_bar: torch.Tensor
    weights: Weights
    rule: NoiseRule

    __repr__ = short_repr

    @property
    def num_steps(self) -> int:
        """T."""
        return len(self.timesteps)

    @property
    def source(self) -> torch.Tensor:
        """alpha_bar_{s+1} of each step's start (T,)."""
        return self.alpha_bar[:-1]

    @property
    def target(self) -> torch.Tensor:
        """alpha_bar_s of each step's end (T,)."""
        return self.alpha_bar[1:]

    @property
    def c1(self) -> torch.Tensor:
        """Weight of the fresh noise xi (T,)."""
        return self.weights.c1

    @property
    def c2(self) -> torch.Tensor:
        """Weight of the predicted noise eps (T,)."""
        return self.weights.c2

    @property
    def returns(self) -> torch.Tensor:
        """Which steps (T,) bool return to more noise, or to as much."""
        return self.target <= self.source

    @property
    def asks(self) -> torch.Tensor:
        """Which steps ask the network (T,) bool: not those that return from the state."""
        return ~self.returns | self.weights.a.reshape(self.num_steps, -1).any(1)


def step_coefficients(
    schedule: NoiseSchedule,
    timesteps: torch.Tensor,
    rule: NoiseRule,
    *,
    measurement: Measurement | None = None,
    returns_from: str = "state",
) -> StepCoefficients:
    """Coefficients of the steps along ``timesteps`` (T,) int64, which end in x_0.

    Where the path rises, the step returns to more noise, whatever the rule: from the "state",
    x_t = sqrt(abar_t / abar_s) x_s + sqrt(1 - abar_t / abar_s) xi, without asking the network
    (RePaint), or from "x0", x_t = sqrt(abar_t) x0^ + sqrt(1 - abar_t) xi (DDNM's time travel),
    where the path may also stay at a timestep. With the rules of DDNM, DDIM and DDPM
    c1 = c2 = b = 0 in the last step, so that x_0 = x0^.

    Raises ValueError unless the path begins at its noisiest timestep, and for neighbours that are
    equal where returns begin at the state.
    """
    if timesteps.ndim != 1 or timesteps.dtype != torch.int64 or len(timesteps) < 1:
        raise ValueError(
            f"timesteps: got {timesteps.dtype} of shape {tuple(timesteps.shape)}; "
            "expected int64 (T,), not empty"
        )
    inside = (timesteps >= 0) & (timesteps < schedule.num_train_timesteps)
    falls = bool((timesteps <= timesteps[0]).all())
    moves = returns_from == "x0" or bool((timesteps.diff() != 0).all())
    if not bool(inside.all()) or not falls or not moves:
        alike = "" if returns_from == "x0" else " and no neighbours equal"
        raise ValueError(
            "timesteps: expected values in "
            f"[0, {schedule.num_train_timesteps - 1}], the noisiest first{alike}; "
            f"got {timesteps.tolist()}"
        )
    last = torch.ones(1, dtype=torch.float64)
    alpha_bar = torch.cat([schedule.alpha_bar[timesteps], last])
    source, target = alpha_bar[:-1], alpha_bar[1:]
    returns = target <= source
    weights = rule.weights(source, target, measurement)
    if bool(returns.any()):
        none = torch.zeros_like(target)
        if returns_from == "x0":
            back = Weights(a=target.sqrt(), b=none, c2=none, c1=(1 - target).sqrt())
        else:
            kept = (target / source).clamp(max=1).sqrt()
            back = Weights(a=none, b=kept, c2=none, c1=(1 - kept.square()).sqrt())
        weights = Weights(*(_select(returns, r, w) for r, w in zip(back, weights, strict=True)))
    return StepCoefficients(timesteps, alpha_bar, weights, rule)


def _select(rows: torch.Tensor, numbers: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
    """``numbers`` (T,) in the ``rows`` (T,) that are True, else ``weights`` (T, ...)."""
    shape = [-1, *[1] * (weights.ndim - 1)]
    return torch.where(rows.reshape(shape), numbers.reshape(shape), weights)
