"""Gaussian images conditioned on a measurement: K = C A^T (A C A^T + sigma_y^2 I)^-1.

C is diagonal in the eigenbasis of a Gaussian photo prior, with variances of the caller's choice.
Every image of a batch is solved for by itself, so that alone and in a batch it gets the same.
"""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from deqir_lite.checks import deviations
from deqir_lite.conjugate_gradients import NotConverged, conjugate_gradients, dot
from deqir_lite.linear_map import linear_map
from deqir_lite.operators.base import LinearOperator
from deqir_lite.priors.gaussian import GaussianPrior

_MOST_ITERATIONS = 2000


class NotSolved(ValueError):
    """A solve that did not converge, for the image ``entry`` of its batch."""

    def __init__(self, message: str, entry: int) -> None:
        super().__init__(message)
        self.entry = entry


class Conditioning:
    """K and I - K A for x ~ N(0, C), y = A x + n, n ~ N(0, sigma_y^2 I), and A of photos.

    ``variances`` (B or 1, 3, H, W // 2 + 1) of C in the eigenbasis of ``gaussian``, raised to the
    share ``floor`` of the largest: no direction has infinite precision. ``sigma_y`` is a number, or
    one for each of the B variances. Without noise
    the solve is posed in the null space N = I - A^+ A, where the singular values of A do not spoil
    the conditioning: (I - K A) v = N z, the z nearest to v in the norm of C^-1. All maps are
    linear and differentiable; their gradients are solves too. Raises :class:`NotSolved` when a
    solve does not converge to the relative ``tolerance``; with ``most_iterations`` it ends there
    instead.
    """

    def __init__(
        self,
        gaussian: GaussianPrior,
        operator: LinearOperator,
        variances: Tensor,
        *,
        sigma_y: float | Sequence[float] | Tensor,
        tolerance: float,
        floor: float = 1e-9,
        most_iterations: int | None = None,
    ) -> None:
        self.gaussian, self.operator = gaussian, operator
        self.sigma_y = deviations("sigma_y", sigma_y, len(variances)).to(variances)
        largest = variances.amax(dim=(-3, -2, -1), keepdim=True)
        self.variances = torch.maximum(variances, floor * largest)
        self.most_iterations = most_iterations
        self.tolerance = max(tolerance, 4 * torch.finfo(variances.dtype).eps)

    def correlate(self, white: Tensor) -> Tensor:
        """C^1/2 white: noise of covariance C from white noise (B, 3, H, W)."""
        return self.gaussian.filter(white, self.variances.sqrt())

    def project(self, v: Tensor) -> Tensor:
        """(I - K A) v for v (B, 3, H, W), without noise: the oblique projector onto null(A)."""
        return linear_map(v, self._project, self._project_adjoint)

    def gain(self, r: Tensor) -> Tensor:
        """K r (B, 3, H, W) for measurements r (B, ...), with noise."""
        return linear_map(r, self._gain, self._gain_adjoint)

    # I - K A = N (N C^-1 N)^+ N C^-1 = N + N (N C^-1 N)^+ N C^-1 R and its transpose: where v fits
    # the measurement already, R v = 0 and there is nothing to solve

    def _project(self, v: Tensor) -> Tensor:
        null = self.operator.null_projector(v)
        weighed = self._precision(v - null)
        return null + self._within_null(weighed, dot(v - null, weighed))

    def _project_adjoint(self, v: Tensor) -> Tensor:
        null = self.operator.null_projector(v)
        scale = dot(null, self._covariance(null))
        solved = self._precision(self._within_null(null, scale))
        return null + self.operator.range_projector(solved)

    def _within_null(self, b: Tensor, scale: Tensor) -> Tensor:
        """N (N C^-1 N)^+ N b."""
        null = self.operator.null_projector
        z = self._solve(
            lambda u: null(self._precision(null(u))),
            null(b),
            lambda u: null(self._covariance(null(u))),
            scale,
        )
        return null(z)

    # K = C A^T S^-1 and its transpose, S = A C A^T + sigma_y^2 I

    def _gain(self, r: Tensor) -> Tensor:
        return self._covariance(self.operator.adjoint(self._weigh(r)))

    def _gain_adjoint(self, v: Tensor) -> Tensor:
        return self._weigh(self.operator.applied(self._covariance(v)))

    def _weigh(self, r: Tensor) -> Tensor:
        def noisy(u: Tensor) -> Tensor:
            seen = self.operator.applied(self._covariance(self.operator.adjoint(u)))
            return seen + self.sigma_y.square().reshape(-1, *[1] * (u.ndim - 1)) * u

        return self._solve(noisy, r, lambda u: u, None)

    def _solve(
        self,
        system: Callable[[Tensor], Tensor],
        b: Tensor,
        preconditioner: Callable[[Tensor], Tensor],
        scale: Tensor | None,
    ) -> Tensor:
        shape = [-1, *[1] * (b.ndim - 1)]
        finite = b.isfinite().flatten(1).all(dim=1).reshape(shape)
        try:
            solution = conjugate_gradients(
                system,
                torch.where(finite, b, 0),
                tolerance=self.tolerance,
                max_iterations=self.most_iterations or _MOST_ITERATIONS,
                strict=self.most_iterations is None,
                preconditioner=preconditioner,
                scale=None if scale is None else torch.where(finite.flatten(), scale, 0),
            )
        except NotConverged as error:
            raise NotSolved(
                f"measurement: its weighted pseudo-inverse did not converge ({error}); a looser "
                "tolerance, float64 or a larger sigma_y would help",
                error.entry,
            ) from error
        return torch.where(finite, solution, torch.nan)

    def _covariance(self, v: Tensor) -> Tensor:
        return self.gaussian.filter(v, self.variances)

    def _precision(self, v: Tensor) -> Tensor:
        return self.gaussian.filter(v, 1 / self.variances)
