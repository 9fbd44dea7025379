"""What is known of one batch of photos: y = A x + n, and what follows from it for x."""

from collections.abc import Sequence

import torch

from deqir_lite._repr import short
from deqir_lite.checks import deviations
from deqir_lite.operators.base import LinearOperator


class Measurement:
    """``y`` (B, ...), the ``operator`` A that made it, and the noise level ``sigma_y`` of n.

    ``pinv_y`` is A^+ y (B, 3, H, W), computed once. ``sigma_y`` is the standard deviation of white
    noise in y, in the units of y, one number or one for each image; kept as (B,) like y. Images
    whose level is 0 have an exact y: ``exact``, one bool each. Raises ValueError where the
    operator refuses y, or a level is negative, NaN or infinite, or their number is not B.
    """

    def __init__(
        self,
        operator: LinearOperator,
        y: torch.Tensor,
        *,
        sigma_y: float | Sequence[float] | torch.Tensor = 0.0,
    ) -> None:
        self.operator, self.y, self.pinv_y = operator, y, operator.pinv(y)
        levels = deviations("sigma_y", sigma_y, len(y))
        self.exact = [level == 0 for level in levels.tolist()]
        self.sigma_y = levels.to(device=y.device, dtype=y.dtype)

    def null(self, x: torch.Tensor) -> torch.Tensor:
        """N x = (I - A^+ A) x for (B, 3, H, W), or for a stack (n, B, 3, H, W) of such batches."""
        stacked = x.ndim > self.pinv_y.ndim
        flat = x.flatten(0, 1) if stacked else x
        return self.operator.null_projector(flat).view_as(x)

    def impose(self, x: torch.Tensor) -> torch.Tensor:
        """A^+ y + N x (Eq. 5), shapes as in :meth:`null`: x with its measured part replaced.

        A of the result is y exactly whenever y lies in the range of A.
        """
        return self.pinv_y + self.null(x)

    def __repr__(self) -> str:
        return f"Measurement({self.operator!r}, y={short(self.y)}, exact={short(self.exact)})"
