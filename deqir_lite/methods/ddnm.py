"""The consistency step of DDNM and DeqIR: measured part from y, the rest from the prior."""

import torch

from deqir_lite.methods.consistency import ConsistencyStep, Prediction, Steps


class RangeNullConsistency(ConsistencyStep):
    """x0^ = A^+ y + (I - A^+ A) x_{0|t} (Eq. 5).

    Its output satisfies A x0^ = y exactly whenever y lies in the range of A.
    """

    linear_is_null = True

    @property
    def meets_y(self) -> bool:
        """True."""
        return True

    def __call__(self, prediction: Prediction) -> torch.Tensor:
        """As above."""
        return self.measurement.impose(prediction.x0)

    def linear(self, v: torch.Tensor, steps: Steps) -> torch.Tensor:
        """N v = (I - A^+ A) v."""
        return self.measurement.null(v)

    def linear_adjoint(self, v: torch.Tensor, steps: Steps) -> torch.Tensor:
        """N v: an orthogonal projector is symmetric."""
        return self.measurement.null(v)
