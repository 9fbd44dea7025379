"""Gaussian images conditioned on a measurement: K = C A^T (A C A^T + sigma_y^2 I)^-1.

C is diagonal in the eigenbasis of a Gaussian photo prior, with variances of the caller's choice.
Every image of a batch is solved for by itself, so that alone and in a batch it gets the same.
"""

import copy
from collections.abc import Callable, Sequence
from functools import cached_property

import torch
from torch import Tensor

from deqir_lite.checks import deviations
from deqir_lite.conjugate_gradients import NotConverged, conjugate_gradients, dot
from deqir_lite.linear_map import linear_map
from deqir_lite.operators.base import LinearOperator
from deqir_lite.priors.gaussian import GaussianPrior, twice
from deqir_lite.priors.near_inverses import (
    filter_groups,
    near_inverse,
    near_null_inverse,
    near_null_shares,
)

_MOST_ITERATIONS = 2000


class NotSolved(ValueError):
    """A solve that did not converge, for the image ``entry`` of its batch."""

    def __init__(self, message: str, entry: int) -> None:
        super().__init__(message)
        self.entry = entry


_OF_GROUPS = {"_floored", "_variances", "_precisions", "_near_null", "_near_seen"}


class Conditioning:
    """K and I - K A for x ~ N(0, C), y = A x + n, n ~ N(0, sigma_y^2 I), and A of photos.

    ``variances`` (n, 3, H, W // 2 + 1) are those of n covariances C in the eigenbasis of
    ``gaussian``, raised to the share ``floor`` of the largest: no direction has infinite
    precision. Images are n groups of a batch ``like`` (B, 3, H, W) each: (n * B, 3, H, W).
    ``sigma_y`` is a number, or one for each image of the batch.

    Without noise the solve is posed in the null space N = I - A^+ A, where the singular values of
    A do not spoil the conditioning: (I - K A) v = N z, the z nearest to v in the norm of C^-1. All
    maps are linear and differentiable; their gradients are solves too. Raises :class:`NotSolved`
    when a solve does not converge to the relative ``tolerance``; with ``most_iterations`` it ends
    there instead. ``shares`` are those that another one has found out for its ``near_null``.
    """

    def __init__(
        self,
        gaussian: GaussianPrior,
        operator: LinearOperator,
        variances: Tensor,
        *,
        like: Tensor,
        sigma_y: float | Sequence[float] | Tensor,
        tolerance: float,
        floor: float = 1e-9,
        most_iterations: int | None = None,
        shares: list[float] | None = None,
    ) -> None:
        self.gaussian, self.operator = gaussian, operator
        self.sigma_y = deviations("sigma_y", sigma_y, len(like)).to(variances)
        largest = variances.amax(dim=(-3, -2, -1), keepdim=True)
        floored = torch.maximum(variances, floor * largest)[:, None]
        self._floored, self.shares = floored, shares
        self.most_iterations = most_iterations
        self.tolerance = max(tolerance, 4 * torch.finfo(variances.dtype).eps)
        with torch.no_grad():
            if bool((self.sigma_y == 0).any()):
                self.shares = shares or near_null_shares(gaussian, operator, floored[:1], like)
                self._near_null = near_null_inverse(gaussian, operator, floored, self.shares)
            if bool((self.sigma_y > 0).any()):
                near = near_inverse(gaussian, operator, floored, self.sigma_y, like)
                self._near_seen = near

    def of_groups(self, groups: slice | Tensor) -> "Conditioning":
        """The same for images of some of the n groups only."""
        part = copy.copy(self)
        for name in sorted(_OF_GROUPS & vars(self).keys()):
            setattr(part, name, getattr(self, name)[groups])
        return part

    @cached_property
    def _variances(self) -> Tensor:
        return twice(self._floored)

    @cached_property
    def _precisions(self) -> Tensor:
        return twice(1 / self._floored)

    def correlate(self, white: Tensor) -> Tensor:
        """C^1/2 white: noise of covariance C from white noise (n * B, 3, H, W)."""
        return self._filter(white, self._variances.sqrt())

    def project(self, v: Tensor) -> Tensor:
        """(I - K A) v for v (n * B, 3, H, W), without noise: the oblique projector onto
        null(A)."""
        return linear_map(v, self._project, self._project_adjoint)

    def gain(self, r: Tensor) -> Tensor:
        """K r (n * B, 3, H, W) for measurements r (n * B, ...), with noise."""
        return linear_map(r, self._gain, self._gain_adjoint)

    # I - K A = N (N C^-1 N)^+ N C^-1 = N + N (N C^-1 N)^+ N C^-1 R and its transpose: where v fits
    # the measurement already, R v = 0 and there is nothing to solve

    def _project(self, v: Tensor) -> Tensor:
        null = self.operator.null_projector(v)
        weighed = self._filter(v - null, self._precisions)
        return null + self._within_null(weighed, dot(v - null, weighed))

    def _project_adjoint(self, v: Tensor) -> Tensor:
        null = self.operator.null_projector(v)
        scale = dot(null, self._filter(null, self._variances))
        solved = self._filter(self._within_null(null, scale), self._precisions)
        return null + self.operator.range_projector(solved)

    def _within_null(self, b: Tensor, scale: Tensor) -> Tensor:
        """N (N C^-1 N)^+ N b."""
        null = self.operator.null_projector
        # all iterates stay in the null space, where N is the identity
        return self._solve(
            lambda u: null(self._filter(u, self._precisions)), null(b), self._near_null, scale
        )

    # K = C A^T S^-1 and its transpose, S = A C A^T + sigma_y^2 I

    def _gain(self, r: Tensor) -> Tensor:
        return self._filter(self.operator.adjoint(self._explain(r)), self._variances)

    def _gain_adjoint(self, v: Tensor) -> Tensor:
        return self._explain(self.operator.applied(self._filter(v, self._variances)))

    def _explain(self, r: Tensor) -> Tensor:
        """S^-1 r."""
        noise = self.sigma_y.square().repeat(len(self._floored))

        def noisy(u: Tensor) -> Tensor:
            seen = self.operator.applied(self._filter(self.operator.adjoint(u), self._variances))
            return seen + noise.reshape(-1, *[1] * (u.ndim - 1)) * u

        return self._solve(noisy, r, self._near_seen, None)

    def _solve(
        self,
        system: Callable[[Tensor], Tensor],
        b: Tensor,
        preconditioner: Callable[[Tensor], Tensor],
        scale: Tensor | None,
    ) -> Tensor:
        shape = [-1, *[1] * (b.ndim - 1)]
        finite = b.isfinite().flatten(1).all(dim=1).reshape(shape)
        whole = bool(finite.all())  # then nothing need be copied
        try:
            solution = conjugate_gradients(
                system,
                b if whole else torch.where(finite, b, 0),
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
        return solution if whole else torch.where(finite, solution, torch.nan)

    def _filter(self, v: Tensor, gains: Tensor) -> Tensor:
        return filter_groups(self.gaussian, v, gains)
