"""PiGDM: the pseudo-inverse's correction of the prediction, pulled back through the network."""

import torch

from deqir_lite.measurement import Measurement
from deqir_lite.methods.coefficients import StepCoefficients
from deqir_lite.methods.consistency import Prediction
from deqir_lite.methods.guided import GuidedConsistency
from deqir_lite.priors.base import Prior


class PiGDMConsistency(GuidedConsistency):
    """x0^ = x_{0|t} + sqrt(abar_t) J^T r_t^2 A^T (r_t^2 A A^T + sigma_y^2)^-1 (y - A x_{0|t}).

    r_t^2 = 1 - abar_t is the covariance of x_0 given x_t where photos are white, of variance 1.
    For exact y the middle is A^+ (y - A x_{0|t}), which any operator has; else its weight is
    r_t^2 / (r_t^2 + sigma_y^2 / s^2) along each singular vector. With the rule of DDIM it gives the
    published step, x_s = sqrt(abar_s) x_{0|t} + c2 eps + c1 xi + sqrt(abar_s abar_t) J^T (...); the
    chain begins at the noise level of A^+ y, as the published code does. Source: Song et al. 2023,
    Algorithm 1, with the weights of its authors' code. Raises ValueError for noise in y and an
    operator without singular values.
    """

    def __init__(
        self, measurement: Measurement, coefficients: StepCoefficients, prior: Prior
    ) -> None:
        super().__init__(measurement, coefficients, prior)
        self._belief: torch.Tensor | None = None
        if not all(measurement.exact):
            spread = (1 - coefficients.source).reshape(-1, *[1] * measurement.pinv_y.ndim)
            belief = spread / (spread + measurement.pinv_noise().square())
            like = measurement.pinv_y
            with torch.inference_mode(False), torch.no_grad():
                self._belief = belief.to(device=like.device, dtype=like.dtype)

    def start(self, white: torch.Tensor, *, informed: bool) -> torch.Tensor:
        """sqrt(abar_T) A^+ y + sqrt(1 - abar_T) white, ``informed`` or not."""
        return super().start(white, informed=True)

    def __call__(self, prediction: Prediction) -> torch.Tensor:
        """As above."""
        assert prediction.pullback is not None
        x0, m, steps = prediction.x0, self.measurement, prediction.steps
        if self._belief is None:
            correction = m.impose(x0) - x0
        else:
            correction = m.weigh(self._belief[steps], m.pinv_y - x0)
        return x0 + self.source(steps).sqrt() * prediction.pullback(correction)
