"""A restoration chain: everything that is fixed while one photo is restored.

States are stored noisiest first: ``states[0]`` = x_T and ``states[k]`` = x_{T-k}, so that
``states[T]`` = x_0 is the restored photo. All draws of noise are made when the chain is made;
sequential and parallel sampling therefore see the same chain.
"""

from bisect import bisect_left
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import torch
from tqdm.auto import tqdm

from deqir_lite._repr import short
from deqir_lite.chain.noise import StepNoise
from deqir_lite.chain.watch import PredictionWatch
from deqir_lite.checks import check_kinds, check_like
from deqir_lite.measurement import Measurement
from deqir_lite.methods import ConsistencyStep, Method, Prediction, StepCoefficients, Steps, Weights
from deqir_lite.priors.base import Prior, predict_x0


@dataclass(frozen=True, eq=False)
class RestorationChain:
    """x_s = a_s x0^(x_{s+1}) + b_s x_{s+1} + c2_s eps_theta(x_{s+1}) + c1_s xi, s = T-1 .. 0.

    * ``prior``: eps_theta,
    * ``measurement``: the operator, y and A^+ y,
    * ``method``, and its ``consistency`` step for this chain, which makes x0^,
    * ``coefficients``: timesteps, alpha_bar and weights of the T steps,
    * ``x_T`` (B, 3, H, W): the initial noise,
    * ``noise`` (T, B, 3, H, W): xi, one a step; drawn when asked for where it is a StepNoise,
    * ``watch``: sees every prediction, where one is given.

    Device and dtype are those of ``x_T``. Make one with :func:`make_chain`.
    """

    prior: Prior
    measurement: Measurement
    method: Method
    consistency: ConsistencyStep
    coefficients: StepCoefficients
    x_T: torch.Tensor
    noise: torch.Tensor | StepNoise
    watch: PredictionWatch | None = None

    def __post_init__(self) -> None:
        step = self.consistency
        whose = (step.measurement, step.coefficients, step.prior)
        own = (self.measurement, self.coefficients, self.prior)
        if any(there is not here for there, here in zip(whose, own, strict=True)):
            raise ValueError("consistency: it is that of another chain; with_prior makes it anew")

    @property
    def num_steps(self) -> int:
        """T."""
        return self.coefficients.num_steps

    def with_prior(self, prior: Prior) -> "RestorationChain":
        """The same chain (noise, measurement, coefficients) under another prior.

        Raises ValueError when the priors were made for different noise schedules.
        """
        check_kinds(RestorationChain.with_prior, locals())
        self.check_schedule(prior)
        consistency = self.method.consistency(self.measurement, self.coefficients, prior)
        return replace(self, prior=prior, consistency=consistency)

    def check_schedule(self, prior: Prior) -> None:
        """ValueError when ``prior`` was made for another noise schedule."""
        if not torch.equal(prior.schedule.alpha_bar, self.prior.schedule.alpha_bar):
            raise ValueError("prior: its noise schedule differs from that of the chain")

    def with_x_T(self, x_T: torch.Tensor) -> "RestorationChain":
        """The same chain from another initial noise (B, 3, H, W)."""
        check_like("x_T", x_T, self.x_T.shape, self.x_T)
        return replace(self, x_T=x_T)

    def per_step(self, values: torch.Tensor) -> torch.Tensor:
        """Per-step numbers (n,) shaped (n, 1, ...) on the chain's device, to scale (n, B, ...)."""
        values = values.to(device=self.x_T.device, dtype=self.x_T.dtype)
        return values.reshape(-1, *[1] * self.x_T.ndim)

    def placed(self, values: torch.Tensor) -> torch.Tensor:
        """Weights (n,), or diagonals (n, 1 or B, 3, H, W), shaped and placed for :meth:`weigh`."""
        with torch.inference_mode(False), torch.no_grad():  # else no gradient would pass them
            if values.ndim == 1:
                return self.per_step(values)
            return values.to(device=self.x_T.device, dtype=self.x_T.dtype)

    def weights(self, steps: Steps) -> Weights:
        """a, b, c2, c1 of n steps, where the states are: (n, 1, ...), or diagonals."""
        return Weights(*(weight[steps] for weight in self._weights))

    def levels(self, steps: Steps) -> tuple[torch.Tensor, torch.Tensor]:
        """sqrt(abar) and sqrt(1 - abar) where n steps begin, each (n, 1, ...)."""
        signal, noise = (table[steps] for table in self._levels)
        return signal, noise

    def weigh(self, weight: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
        """``weight`` of n steps times x (n, B, 3, H, W), as :meth:`Measurement.weigh` does it."""
        return self.measurement.weigh(weight, x)

    def predict(self, states: torch.Tensor, steps: Steps) -> Prediction:
        """What the network says about the states (n, B, 3, H, W) of ``steps``, in one call."""
        signal, level = self.levels(steps)

        def denoise(x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
            t = self.timesteps[steps].repeat_interleave(x.shape[1])
            eps = self.prior(x.flatten(0, 1), t).view_as(x)
            return predict_x0(x, eps, signal, level), eps

        pullback: Callable[[torch.Tensor], torch.Tensor] | None = None
        if self.consistency.needs_pullback:
            found: Any = torch.func.vjp(denoise, states, has_aux=True)
            x0, vjp, eps = found
            pullback = lambda v: vjp(v)[0]  # noqa: E731
        else:
            x0, eps = denoise(states)
        if self.watch is not None:
            self.watch.see(states, eps, self.timesteps[steps])
        return Prediction(states, eps, x0, steps, pullback)

    def predict_noise(self, states: torch.Tensor, first: int = 0) -> torch.Tensor:
        """eps_theta of states[first], states[first+1], ... (n, B, 3, H, W), in ONE batched call."""
        return self.predict(states, slice(first, first + len(states))).eps

    def consistent_x0(self, states: torch.Tensor, first: int = 0) -> torch.Tensor:
        """x0^ of states[first], states[first+1], ... (n, B, 3, H, W): what the prior sees in them,
        made consistent with y (Eq. 5)."""
        return self.consistency(self.predict(states, slice(first, first + len(states))))

    def steps(self, states: torch.Tensor, first: int = 0) -> torch.Tensor:
        """Each of n states taken one step further, all at once (update below Eq. 5).

        ``states`` (n, B, 3, H, W) are x_{T-first}, x_{T-first-1}, ...; the result (n, B, 3, H, W)
        holds h(states), which would be their successors if the chain were consistent. Steps that
        only add noise do not ask the network.
        """
        return self.stepped(states, self.asked(states, first), first)

    def asked(self, states: torch.Tensor, first: int = 0) -> Prediction | None:
        """What the network says, in one call, about those of the states (n, B, 3, H, W) whose
        steps ask it; None where no step does."""
        asking, returning = self._kinds(states, first)
        if len(returning) == 0:
            return self.predict(states, slice(first, first + len(states)))
        return self.predict(states[asking - first], asking) if len(asking) > 0 else None

    def stepped(
        self, states: torch.Tensor, asked: Prediction | None, first: int = 0
    ) -> torch.Tensor:
        """:meth:`steps` for what the network is taken to have said, as :meth:`asked` has it."""
        asking, returning = self._kinds(states, first)
        if asked is not None and len(returning) == 0:
            return self._answered(asked)
        new = torch.empty_like(states)
        at, w = returning - first, self.weights(returning)
        new[at] = self.weigh(w.b, states[at]) + self.weigh(w.c1, self.noise[returning])
        if asked is not None:
            new[asking - first] = self._answered(asked)
        return new

    def steps_at(self, states: torch.Tensor, steps: Steps) -> torch.Tensor:
        """:meth:`steps` for states (n, B, 3, H, W) where any ``steps`` (n,) begin that ask the
        network, a slice of them or their indices on the device of the states."""
        return self._answered(self.predict(states, steps))

    def _answered(self, asked: Prediction) -> torch.Tensor:
        x0, w = self.consistency(asked), self.weights(asked.steps)
        mean = self.weigh(w.a, x0) + self.weigh(w.c2, asked.eps)
        if self.keeps_state:
            mean = mean + self.weigh(w.b, asked.states)
        return mean + self.weigh(w.c1, self.noise[asked.steps])

    def _kinds(self, states: torch.Tensor, first: int) -> tuple[torch.Tensor, torch.Tensor]:
        """The steps of the window of states that ask the network, and those that do not."""
        window = range(first, first + len(states))
        return self._among(window, True), self._among(window, False)

    def asking_steps(self, first: int = 0, last: int | None = None) -> int:
        """How many of the steps from ``first`` on, and before ``last``, ask the network."""
        return len(self._among(range(first, self.num_steps if last is None else last), True))

    def linear(self, v: torch.Tensor, k: int) -> torch.Tensor:
        """C v (B, 3, H, W): how x0^ of step k answers a change v of x_{0|t}, or near it."""
        return self.consistency.linear(v[None], slice(k, k + 1))[0]

    def linear_adjoint(self, v: torch.Tensor, k: int) -> torch.Tensor:
        """C^T v, shapes as in :meth:`linear`."""
        return self.consistency.linear_adjoint(v[None], slice(k, k + 1))[0]

    @property
    def linear_is_null(self) -> bool:
        """Whether :meth:`linear` is N = I - A^+ A, one orthogonal projector for all steps."""
        return self.consistency.linear_is_null

    @property
    def meets_y(self) -> bool:
        """Whether A x0^ = y in every step, whatever the state."""
        return self.consistency.meets_y

    def step(self, x: torch.Tensor, k: int) -> torch.Tensor:
        """One step from states[k] = x (B, 3, H, W) to states[k+1]."""
        return self.steps(x[None], first=k)[0]

    def sequential(self, *, show_progress: bool = False) -> torch.Tensor:
        """Walk the chain step by step: all states (T+1, B, 3, H, W), x_T first, x_0 last."""
        return torch.stack(list(self.walk(show_progress=show_progress)))

    def walk(self, *, show_progress: bool = False) -> Iterator[torch.Tensor]:
        """The states of :meth:`sequential` (B, 3, H, W) one after the other; none is kept."""
        x = self.x_T
        yield x
        with tqdm(range(self.num_steps), disable=not show_progress, desc="sequential") as bar:
            for k in bar:
                x = self.step(x, k)
                if self.watch is not None and k == 0:  # not only after all the work
                    self.watch.check()
                yield x

    @cached_property
    def _weights(self) -> Weights:
        """On the device of the states from the start: inside a sweep nothing waits for a copy."""
        return Weights(*(self.placed(weight) for weight in self.coefficients.weights))

    @cached_property
    def _levels(self) -> tuple[torch.Tensor, torch.Tensor]:
        """sqrt(abar) and sqrt(1 - abar) where each step begins."""
        source = self.coefficients.source
        return self.placed(source.sqrt()), self.placed((1 - source).sqrt())

    @cached_property
    def roots(self) -> torch.Tensor:
        """sqrt(abar) of all states, (T+1, 1, 1, 1, 1)."""
        return self.placed(self.coefficients.alpha_bar.sqrt())

    @cached_property
    def timesteps(self) -> torch.Tensor:
        """Where each step begins, (T,) int64, on the device of the states."""
        return self.coefficients.timesteps.to(self.x_T.device)

    def _among(self, window: range, asks: bool) -> torch.Tensor:
        """Those steps of ``window`` that ask the network, or those that do not."""
        steps, placed = self._split[asks]
        return placed[bisect_left(steps, window.start) : bisect_left(steps, window.stop)]

    @cached_property
    def _split(self) -> dict[bool, tuple[list[int], torch.Tensor]]:
        """All steps that ask the network, or do not: here, and where the states are."""
        asks, found = self.coefficients.asks, {}
        with torch.inference_mode(False):
            for kind in (True, False):
                steps = (asks == kind).nonzero().flatten()
                found[kind] = steps.tolist(), steps.to(self.x_T.device)
        return found

    @cached_property
    def keeps_state(self) -> bool:
        """Whether any step keeps a part of x_{s+1} beside eps (b is not zero)."""
        return bool(self.coefficients.weights.b.any())

    def __repr__(self) -> str:
        step, rule = type(self.consistency).__name__, self.coefficients.rule
        said = f"{short(self.prior)}, {self.measurement.operator!r}, {step}, {rule!r}"
        return f"RestorationChain({said}, T={self.num_steps}, x_T={short(self.x_T)})"
