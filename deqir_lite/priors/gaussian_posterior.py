"""The exact posterior of a Gaussian photo prior under a linear measurement."""

from collections.abc import Callable

import torch

from deqir_lite.checks import check_finite, check_interval
from deqir_lite.operators.protocol import MeasurementOperator
from deqir_lite.priors.gaussian import GaussianPrior

LinearMap = Callable[[torch.Tensor], torch.Tensor]


class GaussianPosterior:
    """p(x | y) for x ~ N(mean, Lam) and y = A x + n, n ~ N(0, sigma_y^2 I).

    mean: m + Lam A^T (A Lam A^T + sigma_y^2)^-1 (y - A m); draws by correcting draws of the prior.
    The inner system is solved by conjugate gradients to ``tolerance`` (relative). Without noise it
    is posed in image space, as R x = A^+ y with R = A^+ A, where the singular values of A no longer
    spoil its conditioning.
    """

    def __init__(
        self,
        prior: GaussianPrior,
        operator: MeasurementOperator,
        y: torch.Tensor,
        sigma_y: float = 0.0,
        tolerance: float = 1e-12,
    ) -> None:
        check_finite("y", y)
        check_interval("sigma_y", sigma_y, 0.0, float("inf"))
        self.prior, self.sigma_y, self.tolerance = prior, sigma_y, tolerance
        self._shape = operator.pinv(y).shape
        self.y: torch.Tensor
        self.forward: LinearMap
        self.backward: LinearMap
        if sigma_y > 0:
            self.y, self.forward, self.backward = y, operator.A, operator.adjoint
        else:
            self.y = operator.pinv(y)
            self.forward = self.backward = operator.range_projector

    def mean(self) -> torch.Tensor:
        """E[x | y], (B, 3, H, W)."""
        return self._condition(self.prior.mean(self.y).expand(self._shape), self.y)

    def sample(self, generator: torch.Generator) -> torch.Tensor:
        """One draw from p(x | y) for each measurement, (B, 3, H, W)."""
        batch, _, height, width = self._shape
        draw = self.prior.sample((batch, height, width), generator).to(self.y)
        noise = torch.randn(self.y.shape, generator=generator, dtype=torch.float64).to(self.y)
        return self._condition(draw, self.y + self.sigma_y * noise)

    def _condition(self, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        solution = conjugate_gradients(
            self._gram, y - self.forward(x), self.tolerance, max_iterations=20 * y[0].numel()
        )
        return x + self.prior.covariance(self.backward(solution))

    def _gram(self, w: torch.Tensor) -> torch.Tensor:
        image = self.prior.covariance(self.backward(w))
        if self.sigma_y > 0:
            return self.forward(image) + self.sigma_y**2 * w
        # identity on the null space keeps the system regular; the solution has no part there
        return self.forward(image) + w - self.forward(w)


def conjugate_gradients(
    operator: LinearMap, b: torch.Tensor, tolerance: float, max_iterations: int
) -> torch.Tensor:
    """Solve operator(x) = b for a symmetric positive definite map, each batch entry by itself.

    Stops when every entry's residual norm is at most ``tolerance`` times that of b; raises
    RuntimeError with the residual reached when ``max_iterations`` do not suffice.
    """

    def dot(u: torch.Tensor, v: torch.Tensor) -> torch.Tensor:
        return (u * v).flatten(1).sum(1).reshape(-1, *[1] * (u.ndim - 1))

    x, r = torch.zeros_like(b), b
    p, rr = r, dot(r, r)
    target = tolerance**2 * rr
    for _ in range(max_iterations):
        if bool((rr <= target).all()):
            return x
        product = operator(p)
        curvature = dot(p, product)
        step = torch.where(curvature > 0, rr / curvature, torch.zeros_like(rr))
        x, r = x + step * p, r - step * product
        rr, previous = dot(r, r), rr
        p = r + torch.where(previous > 0, rr / previous, torch.zeros_like(rr)) * p
    if bool((rr <= target).all()):
        return x
    reached = float((rr / dot(b, b)).sqrt().max())
    raise RuntimeError(
        f"conjugate gradients: relative residual {reached:.1e} after {max_iterations} iterations; "
        f"wanted {tolerance:.1e}"
    )
