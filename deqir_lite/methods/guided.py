"""What the steps share that pull x0^ towards y through the network."""

import torch

from deqir_lite.measurement import Measurement
from deqir_lite.methods.coefficients import StepCoefficients
from deqir_lite.methods.consistency import ConsistencyStep, Steps
from deqir_lite.operators.base import check_adjoint
from deqir_lite.operators.spectral import SpectralOperator
from deqir_lite.priors.base import Prior


class GuidedConsistency(ConsistencyStep):
    """x0^ = x_{0|t} + J^T (...), with the Jacobian J of x_{0|t} in x_{s+1}, whose products with
    vectors cost one backward pass of the network each.

    Raises ValueError for an operator whose adjoint is none.
    """

    knows_noise = True
    needs_pullback = True

    def __init__(
        self, measurement: Measurement, coefficients: StepCoefficients, prior: Prior
    ) -> None:
        super().__init__(measurement, coefficients, prior)
        operator = measurement.operator
        if not isinstance(operator, SpectralOperator):
            check_adjoint("operator", operator.applied, operator.adjoint, measurement.pinv_y)

    def missing(self, x0: torch.Tensor) -> torch.Tensor:
        """y - A x0 for a stack (n, B, 3, H, W), as (n, B, ...)."""
        seen = self.measurement.operator.applied(x0.flatten(0, 1))
        return self.measurement.y - seen.unflatten(0, x0.shape[:2])

    def back(self, e: torch.Tensor) -> torch.Tensor:
        """A^T e for a stack (n, B, ...), as (n, B, 3, H, W)."""
        return self.measurement.operator.adjoint(e.flatten(0, 1)).unflatten(0, e.shape[:2])

    def source(self, steps: Steps) -> torch.Tensor:
        """abar_{s+1} of n steps, (n, 1, ...), where the states are."""
        like = self.measurement.pinv_y
        source = self.coefficients.source.to(device=like.device, dtype=like.dtype)[steps]
        return source.reshape(-1, *[1] * like.ndim)

    def linear(self, v: torch.Tensor, steps: Steps) -> torch.Tensor:
        """v - abar_{s+1} A^+ A v: what a pull leaves that trusts the network as far as the level
        of the noise does; near enough for the linear model of a sweep, and without a network."""
        return v - self.source(steps) * (v - self.measurement.null(v))

    def linear_adjoint(self, v: torch.Tensor, steps: Steps) -> torch.Tensor:
        """The same: it is symmetric."""
        return self.linear(v, steps)
