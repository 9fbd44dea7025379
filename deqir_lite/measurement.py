"""What is known of one batch of photos: y = A x + n, and what follows from it for x."""

import math
import warnings
from collections.abc import Sequence

import torch

from deqir_lite._repr import short
from deqir_lite.checks import deviations
from deqir_lite.operators.base import LinearOperator, match_batch
from deqir_lite.operators.spectral import SpectralOperator


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
        self._levels = deviations("sigma_y", sigma_y, len(y))
        self.exact = [level == 0 for level in self._levels.tolist()]
        self.sigma_y = self._levels.to(device=y.device, dtype=y.dtype)

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

    @property
    def spectral(self) -> SpectralOperator:
        """The operator; ValueError where its singular values are not known."""
        if not isinstance(self.operator, SpectralOperator):
            raise ValueError(
                f"operator: got {self.operator!r}, whose singular values are not known; expected "
                "one with them (all named tasks and small matrices), or a method that needs none: "
                "ddnm, weighted, dps, mmps"
            )
        return self.operator

    def pinv_noise(self, *, least: float = 0.0) -> torch.Tensor:
        """sigma_y / s: the deviation of the noise in A^+ y along each singular vector, infinite
        where A sees nothing.

        float64 on the CPU, broadcastable to (B, 3, H, W); sigma_y is taken as ``least`` at least.
        Raises ValueError for an operator without singular values.
        """
        like = self.pinv_y
        values = match_batch(self.spectral.singular_values(tuple(like.shape[2:])), like)
        levels = self._levels.clamp(min=least)
        if bool((levels == levels[0]).all()):
            levels = levels[:1]
        levels = levels.reshape(-1, *[1] * (like.ndim - 1))
        seen = values > 0
        return torch.where(seen, levels / torch.where(seen, values, 1), torch.inf)

    def check_noise(self) -> None:
        """Raise ValueError where the noise hides everything, and warn where y has too little.

        A photo of n values in [-1, 1] has no coefficient above sqrt(n), and y none above the
        largest singular value times that: below noise of this size y says nothing of the photo.
        And y with noise is at least about as large as the noise, unless that is in other units.
        """
        level = float(self._levels.max())
        if level <= 1:
            return
        shape = tuple(self.pinv_y.shape[1:])
        most = _gain(self.operator, self.pinv_y[:1]) * math.sqrt(math.prod(shape))
        if level >= most:
            raise ValueError(
                f"sigma_y: got {level:g}, but from {most:.3g} on noise hides everything that y "
                f"says of photos {shape}, so that nothing is measured; expected less, in units "
                "where white - black = 2"
            )
        sizes = self.y.flatten(1).double().square().mean(dim=1).sqrt().cpu()
        ratios = self._levels / sizes
        if bool((ratios > 2).any()):
            k = int(ratios.argmax())
            warnings.warn(
                f"sigma_y: got {float(self._levels[k]):g}, but all of y is no larger than "
                f"{float(sizes[k]):.2g} (RMS); of 255 grey values 25 would be .2, as white - black "
                "= 2",
                stacklevel=3,
            )

    def coefficients(self, x: torch.Tensor) -> torch.Tensor:
        """V^T x in the singular basis of the operator, for a stack (n, B, 3, H, W)."""
        return self.spectral.vt(x.flatten(0, 1)).view_as(x)

    def image(self, c: torch.Tensor) -> torch.Tensor:
        """V c: the inverse of :meth:`coefficients`."""
        return self.spectral.v(c.flatten(0, 1)).view_as(c)

    def weigh(self, weight: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
        """``weight`` of n steps times x (n, B, 3, H, W): a number each, (n, 1, 1, 1, 1), or a
        diagonal (n, 1 or B, 3, H, W) in the singular basis of the operator, V diag(weight) V^T x.
        """
        if weight.shape[1:].numel() == 1:
            return weight * x
        return self.image(weight * self.coefficients(x))

    def __repr__(self) -> str:
        return f"Measurement({self.operator!r}, y={short(self.y)}, exact={short(self.exact)})"


def _gain(operator: LinearOperator, like: torch.Tensor) -> float:
    """The largest singular value, by twenty steps of the power method where none is known;
    infinite where there is no adjoint for them."""
    if isinstance(operator, SpectralOperator):
        return float(operator.singular_values(tuple(like.shape[2:])).max())
    generator = torch.Generator().manual_seed(0)
    v = torch.rand(like.shape, generator=generator, dtype=torch.float64).to(like)
    try:
        for _step in range(20):
            v = operator.adjoint(operator.applied(v / v.norm()))
    except NotImplementedError:
        return math.inf
    return float(v.norm().sqrt())
