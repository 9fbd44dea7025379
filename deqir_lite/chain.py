"""A restoration chain: everything that is fixed while one photo is restored.

States are stored noisiest first: ``states[0]`` = x_T and ``states[k]`` = x_{T-k}, so that
``states[T]`` = x_0 is the restored photo. All draws of noise are made when the chain is made;
sequential and parallel sampling therefore see the same chain.
"""

from dataclasses import dataclass, replace
from typing import TypedDict

import torch
from tqdm.auto import tqdm

from deqir_lite.checks import check_choice, check_finite, check_integer, check_like
from deqir_lite.consistency.range_null import RangeNullConsistency
from deqir_lite.operators.base import LinearOperator
from deqir_lite.priors.base import Prior, predict_x0
from deqir_lite.schedule import StepCoefficients, step_coefficients, timestep_grid


class ChainSettings(TypedDict):
    """What decides a chain beside photo, prior and seed; arguments of :func:`make_chain`."""

    num_steps: int
    eta: float
    spacing: str | float


PICTURE: ChainSettings = {"num_steps": 20, "eta": 1.0, "spacing": "cubic"}
"""The defaults: they restore best."""

PAPER: ChainSettings = {"num_steps": 20, "eta": 0.15, "spacing": "uniform"}
"""The paper's settings: T = 20, uniform steps, little fresh noise (Sec. 5.1)."""

PRESETS: dict[str, ChainSettings] = {"picture": PICTURE, "paper": PAPER}


@dataclass(frozen=True, eq=False)
class RestorationChain:
    """x_s = sqrt(abar_s) x0^(x_{s+1}) + c2_s eps_theta(x_{s+1}) + c1_s xi_{s+1}, s = T-1 .. 0.

    * ``prior``: eps_theta,
    * ``coefficients``: timesteps, alpha_bar, c1, c2 of the T steps,
    * ``consistency``: x_{0|t} to x0^ (Eq. 5); it holds the operator and y,
    * ``x_T`` (B, 3, H, W): the initial noise,
    * ``noise`` (T, B, 3, H, W): xi, one draw per step.

    Device and dtype are those of ``x_T``. Make one with :func:`make_chain`.
    """

    prior: Prior
    coefficients: StepCoefficients
    consistency: RangeNullConsistency
    x_T: torch.Tensor
    noise: torch.Tensor

    @property
    def num_steps(self) -> int:
        """T."""
        return self.coefficients.num_steps

    def with_prior(self, prior: Prior) -> "RestorationChain":
        """The same chain (noise, measurement, coefficients) under another prior.

        Raises ValueError when the priors were made for different noise schedules.
        """
        if not torch.equal(prior.schedule.alpha_bar, self.prior.schedule.alpha_bar):
            raise ValueError("prior: its noise schedule differs from that of the chain")
        return replace(self, prior=prior)

    def with_x_T(self, x_T: torch.Tensor) -> "RestorationChain":
        """The same chain from another initial noise (B, 3, H, W)."""
        check_like("x_T", x_T, self.x_T.shape, self.x_T)
        return replace(self, x_T=x_T)

    def per_step(self, values: torch.Tensor) -> torch.Tensor:
        """Per-step numbers (n,) shaped (n, 1, ...) on the chain's device, to scale (n, B, ...)."""
        values = values.to(device=self.x_T.device, dtype=self.x_T.dtype)
        return values.reshape(-1, *[1] * self.x_T.ndim)

    def predict_noise(self, states: torch.Tensor, first: int = 0) -> torch.Tensor:
        """eps_theta of states[first], states[first+1], ... (n, B, 3, H, W), in ONE batched call."""
        n, batch = states.shape[:2]
        t = self.coefficients.timesteps[first : first + n].to(states.device)
        eps = self.prior(states.flatten(0, 1), t.repeat_interleave(batch))
        return eps.view_as(states)

    def steps(self, states: torch.Tensor, first: int = 0) -> torch.Tensor:
        """Each of n states taken one DDIM step further, all at once (update below Eq. 5).

        ``states`` (n, B, 3, H, W) are x_{T-first}, x_{T-first-1}, ...; the result (n, B, 3, H, W)
        holds h(states), which would be their successors if the chain were consistent.
        """
        rows = slice(first, first + len(states))
        c = self.coefficients
        signal, noise = c.source[rows].sqrt(), (1 - c.source[rows]).sqrt()
        eps = self.predict_noise(states, first)
        x0 = predict_x0(states, eps, self.per_step(signal), self.per_step(noise))
        x0 = self.consistency(x0)
        mean = self.per_step(c.target[rows].sqrt()) * x0 + self.per_step(c.c2[rows]) * eps
        return mean + self.per_step(c.c1[rows]) * self.noise[rows]

    def step(self, x: torch.Tensor, k: int) -> torch.Tensor:
        """One DDIM step from states[k] = x (B, 3, H, W) to states[k+1]."""
        return self.steps(x[None], first=k)[0]

    def sequential(self, show_progress: bool = False) -> torch.Tensor:
        """Walk the chain step by step: all states (T+1, B, 3, H, W), x_T first, x_0 last."""
        states = [self.x_T]
        with tqdm(range(self.num_steps), disable=not show_progress, desc="sequential") as bar:
            for k in bar:
                states.append(self.step(states[-1], k))
        return torch.stack(states)


def make_chain(
    prior: Prior,
    operator: LinearOperator,
    y: torch.Tensor,
    num_steps: int = 20,
    eta: float = 1.0,
    seed: int = 0,
    spacing: str | float = "cubic",
    start: int | None = None,
    samples: int | None = None,
) -> RestorationChain:
    """Fix a chain for measurements ``y`` (B, ...): grid, coefficients, A^+ y and all noise.

    ``num_steps`` is T, ``eta`` in [0, 1] the share of fresh noise, ``seed`` decides x_T and xi. The
    defaults serve the picture; ``**PAPER`` has the settings of the paper. The
    draws are made on the CPU in float64 and then moved to y's device and dtype, so that one
    seed names the same chain everywhere. ``spacing`` and ``start`` as in
    :func:`deqir_lite.schedule.timestep_grid`; with ``start`` the chain begins at an intermediate
    step, from sqrt(abar) A^+ y plus noise.

    By default every photo of the batch is restored once, with noise of its own. ``samples`` = N
    restores every photo N times: y[0] with the seeds ``seed`` .. ``seed`` + N - 1, then y[1] with
    the same seeds, ..., each image with the noise that a chain of that photo and seed alone has.

    Raises ValueError for bad arguments, NaN, or shapes that the operator refuses.
    """
    check_integer("seed", seed, 0)
    if samples is not None:
        check_integer("samples", samples, 1)
    check_finite("y", y)
    check_choice("dtype of y", y.dtype, (torch.float32, torch.float64))
    schedule = prior.schedule
    timesteps = timestep_grid(num_steps, schedule.num_train_timesteps, spacing, start)
    coefficients = step_coefficients(schedule, timesteps, eta)
    consistency = RangeNullConsistency(operator, y.repeat_interleave(samples or 1, dim=0))
    pinv_y = consistency.pinv_y
    if samples is None:
        draws = _draw((num_steps + 1, *pinv_y.shape), seed)
    else:
        alone = (num_steps + 1, 1, *pinv_y.shape[1:])
        each = torch.cat([_draw(alone, seed + sample) for sample in range(samples)], dim=1)
        draws = each.repeat(1, len(y), 1, 1, 1)
    draws = draws.to(pinv_y)
    x_T = draws[0]
    if start is not None:
        first = coefficients.alpha_bar[0]
        x_T = float(first.sqrt()) * pinv_y + float((1 - first).sqrt()) * x_T
    return RestorationChain(prior, coefficients, consistency, x_T, draws[1:])


def _draw(shape: tuple[int, ...], seed: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(shape, generator=generator, dtype=torch.float64)
