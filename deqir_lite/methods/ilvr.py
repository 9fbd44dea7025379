"""ILVR: the low frequencies of each state come from y at its noise level."""

from dataclasses import dataclass

import torch

from deqir_lite.checks import check_interval
from deqir_lite.measurement import Measurement
from deqir_lite.methods.coefficients import StepCoefficients
from deqir_lite.methods.consistency import ConsistencyStep, Prediction, Steps
from deqir_lite.methods.noise_rules import DDPMNoise, NoiseRule, Weights
from deqir_lite.methods.spectral import along_steps, check_rule, clipped
from deqir_lite.operators.resampling import AveragePooling, BicubicDownsampling
from deqir_lite.priors.base import Prior


class ILVRConsistency(ConsistencyStep):
    """x_s = x'_s - phi(x'_s) + phi(q_s), x'_s the ancestral step and q_s the upscaled y at the
    noise level of x_s: with a_s of :class:`ILVRNoise`, which has the noise of both,

        x0^ = (I - phi) x_{0|t} + (sqrt(abar_s) / a_s) phi(A^+ y).

    phi = r^2 A^T A makes an image smaller by r and larger again (the adjoint of shrinking, times
    r^2, is bicubic enlarging, but at the border; or the repetition of blocks). So ILVR is for
    super-resolution and pooling; ValueError names it for other operators. Below the noise level of
    the rule the chain is left alone. ``clip``: x_{0|t} is clamped to [-1, 1], as published. Source:
    Choi et al. 2021, Algorithm 1; its code takes q at the level of x_{s+1}.
    """

    def __init__(
        self,
        measurement: Measurement,
        coefficients: StepCoefficients,
        prior: Prior,
        *,
        clip: bool = True,
    ) -> None:
        super().__init__(measurement, coefficients, prior)
        self.clip = clip
        rule = check_rule(coefficients, ILVRNoise)
        phi, like = rule.low_pass(coefficients.source, measurement), measurement.pinv_y
        a = along_steps(coefficients.weights.a, measurement)
        root = along_steps(coefficients.target.sqrt(), measurement)
        with torch.inference_mode(False), torch.no_grad():
            self._phi = phi.to(device=like.device, dtype=like.dtype)
            self._root = torch.where(a > 0, root / torch.where(a > 0, a, 1), 0).to(self._phi)
            self.linear_weight = 1 - self._phi

    def __call__(self, prediction: Prediction) -> torch.Tensor:
        """As above."""
        x0, m, steps = clipped(prediction.x0, self.clip), self.measurement, prediction.steps
        return x0 + m.weigh(self._phi[steps], self._root[steps] * m.pinv_y - x0)

    def linear(self, v: torch.Tensor, steps: Steps) -> torch.Tensor:
        """(I - phi) v."""
        return v - self.measurement.weigh(self._phi[steps], v)

    def linear_adjoint(self, v: torch.Tensor, steps: Steps) -> torch.Tensor:
        """The same: it is symmetric."""
        return self.linear(v, steps)


@dataclass(frozen=True)
class ILVRNoise(NoiseRule):
    """a, b, c1 of DDPM's posterior, b and c1 times I - phi, and the noise of q_s: together a draw
    of deviation sqrt(c1^2 (1 - phi)^2 + (1 - abar_s) phi^2) along each singular vector.

    ``until`` in [0, 1] is the largest abar_{s+1} of a step with a reference, beyond which phi = 0:
    .65 is the published range, 20 of 100 steps, and 1 all of them.
    """

    until: float = 0.65

    def __post_init__(self) -> None:
        object.__setattr__(self, "until", check_interval("until", self.until, 0.0, 1.0))

    def weights(
        self, source: torch.Tensor, target: torch.Tensor, measurement: Measurement | None = None
    ) -> Weights:
        """As above."""
        a, b, c2, c1 = DDPMNoise().weights(source, target)
        phi = self.low_pass(source, measurement)
        b, c1 = along_steps(b, measurement), along_steps(c1, measurement)
        noise = (1 - along_steps(target, measurement)) * phi.square()
        return Weights(a, b * (1 - phi), c2, ((c1 * (1 - phi)).square() + noise).sqrt())

    def low_pass(self, source: torch.Tensor, measurement: Measurement | None) -> torch.Tensor:
        """phi along the singular vectors, (T, 1, ...)."""
        guided = along_steps(source, measurement) <= self.until
        assert measurement is not None
        operator, like = measurement.operator, measurement.pinv_y
        if not isinstance(operator, (BicubicDownsampling, AveragePooling)):
            raise ValueError(
                "method: ilvr shrinks and enlarges images, so it is for super-resolution and "
                f"pooling; got {operator!r}"
            )
        values = operator.factor * operator.singular_values((like.shape[-2], like.shape[-1]))
        return torch.where(guided, values.square(), 0)
