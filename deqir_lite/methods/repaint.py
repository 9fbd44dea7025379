"""RePaint: what is known comes from y at each noise level, the rest from ancestral sampling."""

from dataclasses import dataclass

import torch

from deqir_lite.measurement import Measurement
from deqir_lite.methods.coefficients import StepCoefficients
from deqir_lite.methods.consistency import Prediction
from deqir_lite.methods.ddnm import RangeNullConsistency
from deqir_lite.methods.noise_rules import DDPMNoise, NoiseRule, Weights
from deqir_lite.methods.spectral import clipped
from deqir_lite.priors.base import Prior


class RePaintConsistency(RangeNullConsistency):
    """x0^ = A^+ y + (I - A^+ A) x_{0|t}; what makes it RePaint is :class:`RePaintNoise`, and that
    a chain returns to more noise, see :func:`deqir_lite.schedule.grid.with_returns`.

    x_T has its known part from y too. ``clip``: x_{0|t} is clamped to [-1, 1], as published.
    Source: Lugmayr et al. 2022, Algorithm 1, for masks; here for any operator with singular values,
    of which A^+ A is the mask. Its code merges the known part at the start of each step instead, so
    that the last one, whose output is x_0, leaves it out.
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
        self.clip, like = clip, measurement.pinv_y
        with torch.inference_mode(False), torch.no_grad():
            unseen = measurement.pinv_noise().isinf()
            self.linear_weight = unseen.to(device=like.device, dtype=like.dtype)[None]

    def __call__(self, prediction: Prediction) -> torch.Tensor:
        """As above."""
        return self.measurement.impose(clipped(prediction.x0, self.clip))

    def start(self, white: torch.Tensor, *, informed: bool) -> torch.Tensor:
        """As above; with the noise of its level everywhere, ``informed`` or not."""
        if informed:
            return super().start(white, informed=True)
        abar = self.coefficients.alpha_bar[0]
        seen = white - self.measurement.null(white)
        known = float(abar.sqrt()) * self.measurement.pinv_y + float((1 - abar).sqrt()) * seen
        return white - seen + known


@dataclass(frozen=True)
class RePaintNoise(NoiseRule):
    """On the range of A^+, a = sqrt(abar_s), b = 0 and c1 = sqrt(1 - abar_s): y at the noise level
    of x_s. On the null space a, b and c1 of DDPM's posterior, see :class:`DDPMNoise`."""

    def weights(
        self, source: torch.Tensor, target: torch.Tensor, measurement: Measurement | None = None
    ) -> Weights:
        """As above."""
        if measurement is None:
            raise ValueError("measurement: got None; the weights of RePaintNoise depend on it")
        seen = measurement.pinv_noise() < torch.inf
        known = (target.sqrt(), torch.zeros_like(target), (1 - target).sqrt())
        a, b, c2, c1 = DDPMNoise().weights(source, target)
        shape = [-1, *[1] * measurement.pinv_y.ndim]
        a, b, c1 = (
            torch.where(seen, here.reshape(shape), there.reshape(shape))
            for here, there in zip(known, (a, b, c1), strict=True)
        )
        return Weights(a, b, c2, c1)
