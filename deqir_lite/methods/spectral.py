"""The consistency step with a spectral weight: how far x0^ believes y, by singular value."""

from abc import abstractmethod
from typing import Any

import torch

from deqir_lite.measurement import Measurement
from deqir_lite.methods.coefficients import StepCoefficients
from deqir_lite.methods.consistency import ConsistencyStep, Prediction, Steps
from deqir_lite.methods.noise_rules import NoiseRule, Weights
from deqir_lite.priors.base import Prior


class SpectralConsistency(ConsistencyStep):
    """x0^ = x_{0|t} + V Lambda_t V^T (A^+ y - x_{0|t}), with Lambda_t in [0, 1] and 0 on null(A).

    Lambda = 1 on all that A sees is range-null consistency (Eq. 5). Where y has noise, what A
    hardly sees has less: the projector N of Proposition 1 becomes the weight I - Lambda_t, and the
    closed form stays one, coefficient by coefficient. ``clip``: x_{0|t} is clamped to [-1, 1]
    first. Raises ValueError for an operator without singular values.
    """

    knows_noise = True

    def __init__(
        self,
        measurement: Measurement,
        coefficients: StepCoefficients,
        prior: Prior,
        *,
        clip: bool = False,
    ) -> None:
        super().__init__(measurement, coefficients, prior)
        self.clip = clip
        believed = self.belief()
        seen = (measurement.pinv_noise() < torch.inf).to(believed)
        self._meets_y = self.linear_is_null = bool((believed == seen).all())
        like = measurement.pinv_y
        with torch.inference_mode(False), torch.no_grad():
            self._belief = believed.to(device=like.device, dtype=like.dtype)
            self.linear_weight = 1 - self._belief

    @abstractmethod
    def belief(self) -> torch.Tensor:
        """Lambda of all steps, float64 on the CPU, (T, 1 or B, ...) as weights of the chain are."""

    @property
    def meets_y(self) -> bool:
        """Where Lambda is 1 on all that A sees."""
        return self._meets_y

    def __call__(self, prediction: Prediction) -> torch.Tensor:
        """As above."""
        x0, m = clipped(prediction.x0, self.clip), self.measurement
        return x0 + m.weigh(self._belief[prediction.steps], m.pinv_y - x0)

    def linear(self, v: torch.Tensor, steps: Steps) -> torch.Tensor:
        """V (I - Lambda_t) V^T v."""
        return v - self.measurement.weigh(self._belief[steps], v)

    def linear_adjoint(self, v: torch.Tensor, steps: Steps) -> torch.Tensor:
        """The same: it is symmetric."""
        return self.linear(v, steps)


class SpectralNoise(NoiseRule):
    """A noise rule by singular value, a = sqrt(abar_s), that also says how far x0^ believes y."""

    @abstractmethod
    def parts(
        self, target: torch.Tensor, measurement: Measurement | None
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Lambda, c2 and c1, (T, 1 or B, ...)."""

    def weights(
        self, source: torch.Tensor, target: torch.Tensor, measurement: Measurement | None = None
    ) -> Weights:
        """a as above, and c2 and c1 of :meth:`parts`."""
        _, c2, c1 = self.parts(target, measurement)
        return Weights(target.sqrt(), torch.zeros_like(target), c2, c1)


def clipped(x0: torch.Tensor, clip: bool) -> torch.Tensor:
    """x_{0|t}, clamped to the range of photos where ``clip`` says so."""
    return x0.clamp(-1, 1) if clip else x0


def along_steps(values: torch.Tensor, measurement: Measurement | None) -> torch.Tensor:
    """Numbers of T steps (T,) as (T, 1, ...), to meet diagonals (1 or B, ...) of ``measurement``.

    Raises ValueError without one.
    """
    if measurement is None:
        raise ValueError("measurement: got None; the weights of this rule depend on it")
    return values.reshape(-1, *[1] * measurement.pinv_y.ndim)


def check_rule(coefficients: StepCoefficients, kind: type[Any]) -> Any:
    """The noise rule of a chain, for consistency steps that share the noise of y with it.

    Raises ValueError for one of another ``kind``.
    """
    rule = coefficients.rule
    if not isinstance(rule, kind):
        raise ValueError(
            f"rule: got {rule!r}; this method has one of its own, {kind.__name__}, as x0^ and the "
            "noise depend on each other"
        )
    return rule
