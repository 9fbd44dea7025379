"""The exact posterior of a Gaussian photo prior under a linear measurement."""

import torch

from deqir_lite._repr import short
from deqir_lite.checks import check_deviation, check_finite, check_kinds
from deqir_lite.operators.base import LinearOperator
from deqir_lite.priors.conditioning import Conditioning
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
        check_kinds(GaussianPosterior.__init__, locals())
        check_finite("y", y)
        sigma_y = check_deviation("sigma_y", sigma_y)
        self.prior, self.operator, self.y = prior, operator, y
        self.sigma_y = sigma_y
        self._pinv_y = operator.pinv(y)
        self._conditioning = Conditioning(
            prior,
            operator,
            prior.eigenvalues(self._pinv_y)[None],
            like=self._pinv_y,
            sigma_y=sigma_y,
            tolerance=tolerance,
        )

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
            return self._pinv_y + self._conditioning.project(x - self._pinv_y)
        return x + self._conditioning.gain(self.y + noise - self.operator.A(x))

    def __repr__(self) -> str:
        return f"GaussianPosterior({self.prior!r}, {self.operator!r}, y={short(self.y)})"
