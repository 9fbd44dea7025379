"""DPS: down the gradient of the misfit |y - A x_{0|t}|, through the network."""

import torch

from deqir_lite.checks import check_interval
from deqir_lite.measurement import Measurement
from deqir_lite.methods.coefficients import StepCoefficients
from deqir_lite.methods.consistency import Prediction, Steps
from deqir_lite.methods.guided import GuidedConsistency
from deqir_lite.methods.spectral import clipped
from deqir_lite.priors.base import Prior


class DPSConsistency(GuidedConsistency):
    """x_s = x'_s - scale grad |y - A x_{0|t}|_2, x'_s the ancestral step (:class:`DDPMNoise`) and
    the gradient that in x_{s+1}: with a_s of the rule,

        x0^ = x_{0|t} + (scale / a_s) J^T A^T (y - A x_{0|t}) / |y - A x_{0|t}|_2.

    The norm is that of each image, not squared: how much y is believed is in ``scale``, whatever
    sigma_y is; published are .3 for super-resolution and blur and .5 for inpainting. ``clip``:
    x_{0|t} is clamped to [-1, 1], in the misfit too, as published. Source: Chung et al. 2023,
    Algorithm 1. Raises ValueError for a noise rule whose a is no number in every step.
    """

    knows_noise = False

    def __init__(
        self,
        measurement: Measurement,
        coefficients: StepCoefficients,
        prior: Prior,
        *,
        scale: float = 0.3,
        clip: bool = True,
    ) -> None:
        super().__init__(measurement, coefficients, prior)
        self.scale, self.clip = check_interval("scale", scale, 0.0, float("inf")), clip
        a = coefficients.weights.a
        if a.ndim != 1:
            raise ValueError(
                f"rule: got {coefficients.rule!r}; expected one that weighs x0^ with a number"
            )
        like = measurement.pinv_y
        with torch.inference_mode(False), torch.no_grad():
            share = torch.where(a > 0, self.scale / torch.where(a > 0, a, 1), 0)  # 0: returns
            self._share = share.to(device=like.device, dtype=like.dtype)

    def __call__(self, prediction: Prediction) -> torch.Tensor:
        """As above."""
        assert prediction.pullback is not None
        x0 = clipped(prediction.x0, self.clip)
        missing = self.missing(x0)
        size = torch.linalg.vector_norm(missing.flatten(2), dim=2)
        size = size.reshape(*size.shape, *[1] * (missing.ndim - 2))
        pull = self.back(missing / torch.where(size > 0, size, 1))
        if self.clip:
            pull = torch.where(prediction.x0.abs() <= 1, pull, 0)
        share = self._share[prediction.steps].reshape(-1, *[1] * (x0.ndim - 1))
        return x0 + share * prediction.pullback(pull)

    def linear(self, v: torch.Tensor, steps: Steps) -> torch.Tensor:
        """v: the pull has a length of its own, and answers a change of x_{0|t} by its direction
        alone."""
        return v
