"""The consistency step of DDNM and DeqIR: measured part from y, the rest from the prior."""

import torch

from deqir_lite.operators.base import LinearOperator


class RangeNullConsistency:
    """x0^ = A^+ y + (I - A^+ A) x_{0|t} (Eq. 5).

    Its output satisfies A x0^ = y exactly whenever y lies in the range of A. ``y`` is one batch
    of measurements (B, ...); ``pinv_y`` is A^+ y (B, 3, H, W), computed once.
    """

    def __init__(self, operator: LinearOperator, y: torch.Tensor) -> None:
        self.operator = operator
        self.pinv_y = operator.pinv(y)

    def __call__(self, x0: torch.Tensor) -> torch.Tensor:
        """Correct predictions (n, B, 3, H, W) of n steps, or (B, 3, H, W) of one."""
        return self.pinv_y + self.null(x0)

    def null(self, x: torch.Tensor) -> torch.Tensor:
        """N x = (I - A^+ A) x for (n, B, 3, H, W) or (B, 3, H, W): the linear part of the step."""
        stacked = x.ndim > self.pinv_y.ndim
        flat = x.flatten(0, 1) if stacked else x
        return self.operator.null_projector(flat).view_as(x)
