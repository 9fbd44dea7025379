"""Noise schedules, timestep grids and the coefficients of one DDIM step.

A schedule is the table of alpha_bar over the N training timesteps (Eq. 2 of the paper). A
chain keeps only T of them, its timestep grid; :func:`step_coefficients` lists what each of
the T steps multiplies with.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, field

import torch

from deqir_lite.checks import check_choice, check_finite, check_integer, check_interval


@dataclass(frozen=True, eq=False)
class NoiseSchedule:
    """The table alpha_bar_t of the forward process q(x_t | x_0) = N(sqrt(abar_t) x_0, (1 - abar_t)
    I).

    ``alpha_bar`` is a float64 tensor (N,), strictly decreasing in (0, 1); entry t belongs to
    training timestep t = 0 .. N-1 (Eq. 2).
    """

    alpha_bar: torch.Tensor
    _tables: dict[tuple[torch.device, torch.dtype], tuple[torch.Tensor, torch.Tensor]] = field(
        default_factory=dict, init=False, repr=False, compare=False
    )

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
        key = (like.device, like.dtype)
        if key not in self._tables:
            # Made under inference_mode, a cached tensor could never be used in training again.
            with torch.inference_mode(False), torch.no_grad():
                roots = self.alpha_bar.sqrt(), (1 - self.alpha_bar).sqrt()
                signal, noise = (root.to(like.dtype).to(like.device) for root in roots)
                self._tables[key] = (signal, noise)
        shape = [-1, *[1] * (like.ndim - 1)]
        signal, noise = (table[t.to(like.device)].reshape(shape) for table in self._tables[key])
        return signal, noise


def linear_schedule(
    num_train_timesteps: int = 1000, beta_start: float = 1e-4, beta_end: float = 0.02
) -> NoiseSchedule:
    """beta_t linear in t, alpha_bar_t = prod (1 - beta); the schedule of DDPM and of the paper."""
    check_integer("num_train_timesteps", num_train_timesteps, 1)
    return _from_betas(
        torch.linspace(beta_start, beta_end, num_train_timesteps, dtype=torch.float64)
    )


def scaled_linear_schedule(
    num_train_timesteps: int = 1000, beta_start: float = 0.00085, beta_end: float = 0.012
) -> NoiseSchedule:
    """sqrt(beta_t) linear in t; the schedule of latent diffusion models."""
    check_integer("num_train_timesteps", num_train_timesteps, 1)
    roots = torch.linspace(beta_start**0.5, beta_end**0.5, num_train_timesteps, dtype=torch.float64)
    return _from_betas(roots.square())


def cosine_schedule(num_train_timesteps: int = 1000, max_beta: float = 0.999) -> NoiseSchedule:
    """alpha_bar(t) = cos^2((t + .008)/1.008 pi/2), betas at most ``max_beta`` (improved DDPM)."""
    check_integer("num_train_timesteps", num_train_timesteps, 1)
    time = torch.arange(num_train_timesteps + 1, dtype=torch.float64) / num_train_timesteps
    curve = torch.cos((time + 0.008) / 1.008 * math.pi / 2).square()
    return _from_betas((1 - curve[1:] / curve[:-1]).clamp(max=max_beta))


def _from_betas(betas: torch.Tensor) -> NoiseSchedule:
    return NoiseSchedule(torch.cumprod(1 - betas, dim=0))


SCHEDULES: dict[str, Callable[..., NoiseSchedule]] = {
    "linear": linear_schedule,
    "scaled_linear": scaled_linear_schedule,
    "squaredcos_cap_v2": cosine_schedule,
}
"""Schedules by the names that diffusers uses in ``scheduler_config.json``."""


SPACINGS = {"uniform": 1.0, "quadratic": 2.0, "cubic": 3.0}
"""Exponents p of the power law tau_k ~ (k - 1)^p by name."""


def timestep_grid(
    num_steps: int,
    num_train_timesteps: int = 1000,
    spacing: str | float = "cubic",
    start: int | None = None,
) -> torch.Tensor:
    """The T retained timesteps tau_T > ... > tau_1, noisiest first, as an int64 tensor (T,).

    tau_k = tau_T ((k - 1) / (T - 1))^p, rounded, and at least one above tau_{k-1}; ``spacing`` is
    the exponent p >= 1, or its name: uniform (1), quadratic (2), cubic (3). The larger p, the
    more steps lie at low noise. tau_T is the last training timestep, N - 1; only the uniform grid,
    which is the one of the paper and of DDNM, counts in whole strides: tau_k = floor(N / T) (k - 1)
    for T > 1. ``start`` makes tau_T an intermediate timestep ("the proposition can be extended to
    start from the intermediate state", Sec. 4.1).

    Raises ValueError when T is not in 1 .. N (with ``start``: 1 .. start + 1), or p is below 1.
    """
    check_integer("num_steps", num_steps, 1)
    power = spacing_power(spacing)
    if start is not None:
        check_integer("start", start, 0)
        if start >= num_train_timesteps:
            raise ValueError(f"start: got {start}; expected a timestep below {num_train_timesteps}")
    last = num_train_timesteps - 1 if start is None else start
    if num_steps > last + 1:
        raise ValueError(f"num_steps: got {num_steps}; expected at most {last + 1}")
    if num_steps == 1:
        return torch.tensor([last])
    if start is None and power == 1:
        last = num_train_timesteps // num_steps * (num_steps - 1)
    index = torch.arange(num_steps)
    grid = (last * (index.double() / (num_steps - 1)).pow(power)).round().long()
    # where the power law repeats timesteps, one after the other
    grid = (grid - index).cummax(0).values + index
    return grid.flip(0)


def spacing_power(spacing: str | float) -> float:
    """The exponent of a spacing: a name of :data:`SPACINGS`, or a number >= 1 itself.

    Raises ValueError for another name, and for a number below 1 or not finite.
    """
    if isinstance(spacing, str):
        check_choice("spacing", spacing, SPACINGS)
        return SPACINGS[spacing]
    number = isinstance(spacing, (int, float)) and not isinstance(spacing, bool)
    if not number or not 1 <= spacing < math.inf:
        raise ValueError(
            f"spacing: got {spacing!r}; expected an exponent >= 1, or {', '.join(SPACINGS)}"
        )
    return float(spacing)


@dataclass(frozen=True, eq=False)
class StepCoefficients:
    """The numbers of a chain of T steps, in the order of the chain: noisiest first.

    Step k = 0 .. T-1 goes from states[k] = x_{s+1} to states[k+1] = x_s with s = T-k-1. All
    coefficients belong to the TARGET s, float64 tensors on the CPU:

    * ``timesteps`` (T,) int64: tau_{s+1}, at which the network is asked,
    * ``alpha_bar`` (T+1,): entry k belongs to states[k]; the last one, of x_0, is 1,
    * ``c1`` (T,): eta sqrt(1 - abar_s), weight of the fresh noise xi,
    * ``c2`` (T,): sqrt(1 - eta^2) sqrt(1 - abar_s), weight of the predicted noise eps (Prop. 1).
    """

    timesteps: torch.Tensor
    alpha_bar: torch.Tensor
    c1: torch.Tensor
    c2: torch.Tensor
    eta: float

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


def step_coefficients(
    schedule: NoiseSchedule, timesteps: torch.Tensor, eta: float
) -> StepCoefficients:
    """Coefficients of the DDIM steps along ``timesteps`` (noisiest first), Proposition 1.

    ``eta`` in [0, 1]: 0 is deterministic DDIM, 1 puts all of a step's noise into fresh draws.
    alpha_bar_0 = 1, so c1 = c2 = 0 in the last step and its output is exactly consistent with y.
    """
    check_interval("eta", eta, 0.0, 1.0)
    if timesteps.ndim != 1 or timesteps.dtype != torch.int64 or len(timesteps) < 1:
        raise ValueError(
            f"timesteps: got {timesteps.dtype} of shape {tuple(timesteps.shape)}; "
            "expected int64 (T,), not empty"
        )
    inside = (timesteps >= 0) & (timesteps < schedule.num_train_timesteps)
    if not bool(inside.all()) or not bool((timesteps.diff() < 0).all()):
        raise ValueError(
            "timesteps: expected strictly decreasing values in "
            f"[0, {schedule.num_train_timesteps - 1}], got {timesteps.tolist()}"
        )
    last = torch.ones(1, dtype=torch.float64)
    alpha_bar = torch.cat([schedule.alpha_bar[timesteps], last])
    noise = (1 - alpha_bar[1:]).sqrt()
    return StepCoefficients(
        timesteps, alpha_bar, eta * noise, math.sqrt(1 - eta**2) * noise, float(eta)
    )
