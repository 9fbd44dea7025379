"""The exact posterior of a Gaussian photo prior under a linear measurement."""

import torch

from deqir_lite.checks import check_finite, check_interval
from deqir_lite.conjugate_gradients import conjugate_gradients, dot
from deqir_lite.operators.base import LinearOperator
from deqir_lite.priors.gaussian import GaussianPrior


class GaussianPosterior:
    """p(x | y) for x ~ N(mean, Lam) and y = A x + n, n ~ N(0, sigma_y^2 I).

    The mean, and draws by correcting draws of the prior (which is how a draw x becomes one given
    y): with noise x + Lam A^T (A Lam A^T + sigma_y^2)^-1 (y + n - A x). Without noise the
    correction is posed in the null space N = I - A^+ A, as the x' = A^+ y + N z nearest to x in
    the norm of Lam^-1, where the singular values of A do not spoil the conditioning. Conjugate
    gradients solve for either to ``tolerance`` (relative).
    """

    def __init__(
        self,
        prior: GaussianPrior,
        operator: LinearOperator,
        y: torch.Tensor,
        *,
        sigma_y: float = 0.0,
        tolerance: float = 1e-12,
    ) -> None:
        check_finite("y", y)
        check_interval("sigma_y", sigma_y, 0.0, float("inf"))
        self.prior, self.operator, self.y = prior, operator, y
        self.sigma_y = sigma_y
        self.tolerance = max(tolerance, torch.finfo(y.dtype).eps)
        self._pinv_y = operator.pinv(y)

    def mean(self) -> torch.Tensor:
        """E[x | y], (B, 3, H, W)."""
        return self._condition(self.prior.mean(self.y).expand(self._pinv_y.shape), 0.0)

    def sample(self, generator: torch.Generator) -> torch.Tensor:
        """One draw from p(x | y) for each measurement, (B, 3, H, W)."""
        batch, _, height, width = self._pinv_y.shape
        draw = self.prior.sample((batch, height, width), generator).to(self.y)
        noise = torch.randn(self.y.shape, generator=generator, dtype=torch.float64).to(self.y)
        return self._condition(draw, self.sigma_y * noise)

    def _condition(self, x: torch.Tensor, noise: torch.Tensor | float) -> torch.Tensor:
        if self.sigma_y == 0:
            return self._nearest(x)
        A, covariance = self.operator.A, self.prior.covariance
        solution = conjugate_gradients(
            lambda w: A(covariance(self.operator.adjoint(w))) + self.sigma_y**2 * w,
            self.y + noise - A(x),
            tolerance=self.tolerance,
            max_iterations=20 * self.y[0].numel(),
        )
        return x + covariance(self.operator.adjoint(solution))

    def _nearest(self, x: torch.Tensor) -> torch.Tensor:
        """The x' with A x' = y that minimises (x' - x)^T Lam^-1 (x' - x)."""
        null, values = self.operator.null_projector, self.prior.eigenvalues(x)
        # a direction without variance would have infinite precision
        values = values.clamp(min=1e-9 * float(values.max()))

        def precision(v: torch.Tensor) -> torch.Tensor:
            return self.prior.filter(v, 1 / values)

        change = x - self._pinv_y
        z = conjugate_gradients(
            lambda v: null(precision(v)),
            null(precision(change)),
            tolerance=self.tolerance,
            max_iterations=20 * x[0].numel(),
            preconditioner=lambda v: null(self.prior.filter(v, values)),
            scale=dot(change, precision(change)),
        )
        return self._pinv_y + null(z)
