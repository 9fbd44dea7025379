"""Measurements whose posterior is known: of a Gaussian photo prior, and of a mixture like it.

Photos are small, so that matrices can be written down.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch

from deqir_lite.checks import check_choice
from deqir_lite.operators import make_task
from deqir_lite.operators.spectral import SpectralOperator
from deqir_lite.priors.gaussian import GaussianPrior
from deqir_lite.priors.mixture import GaussianMixturePrior

UNDECIDED = 0.2
"""The least weight that every component has in the posterior of a mixture, so that a method can
miss one."""

DISTANCE = 6.0
"""From one component of the mixture to the other, in deviations of either along this line."""


_PHOTO_SEED = 1_618_033_988


def one_gaussian(gaussian: GaussianPrior, size: int) -> GaussianMixturePrior:
    """The Gaussian photo prior for photos of ``size`` x ``size``, with its covariance written
    down."""
    mean, covariance = _moments(gaussian, size)
    weights = torch.ones(1, dtype=torch.float64)
    return GaussianMixturePrior(weights, mean[None], covariance[None], schedule=gaussian.schedule)


def two_gaussians(gaussian: GaussianPrior, size: int) -> GaussianMixturePrior:
    """The mean plus or minus stripes, four pixels wide from one to the next, each as likely.

    The components' covariance is what makes that of the whole the Gaussian's, Lam - d d^T with the
    stripes d: so the Gaussian is the best one for this mixture, and the weighted step has it.
    """
    mean, covariance = _moments(gaussian, size)
    stripes = torch.cos(torch.pi / 2 * torch.arange(size, dtype=torch.float64))
    stripes = stripes.expand(3, size, size).flatten()
    length = stripes @ torch.linalg.solve(covariance, stripes)
    # d^T Lam^-1 d = r^2 puts the components 2 r / sqrt(1 - r^2) of their deviations apart
    stripes *= DISTANCE / ((4 + DISTANCE**2) * length).sqrt()
    within = covariance - torch.outer(stripes, stripes)
    weights = torch.ones(2, dtype=torch.float64)
    means = torch.stack([mean + stripes, mean - stripes])
    return GaussianMixturePrior(
        weights, means, within.expand(2, -1, -1), schedule=gaussian.schedule
    )


def _moments(gaussian: GaussianPrior, size: int) -> tuple[torch.Tensor, torch.Tensor]:
    count = 3 * size**2
    units = torch.eye(count, dtype=torch.float64).view(count, 3, size, size)
    covariance = gaussian.covariance(units).flatten(1)
    return gaussian.mean(units).expand(3, size, size).flatten(), (covariance + covariance.mT) / 2


PRIORS: dict[str, Callable[[GaussianPrior, int], GaussianMixturePrior]] = {
    "gaussian": one_gaussian,
    "mixture": two_gaussians,
}
"""The priors by name, made of the Gaussian photo prior.

:meta hide-value:
"""


@dataclass(frozen=True, eq=False)
class KnownPosterior:
    """A measurement ``y`` (1, ...) and p(x_0 | y), a mixture with ``weights`` (K,), ``means``
    (K, d) and ``covariances`` (K, d, d); ``gaussian`` has the covariance of its ``prior``."""

    gaussian: GaussianPrior
    prior: GaussianMixturePrior
    operator: SpectralOperator
    y: torch.Tensor
    weights: torch.Tensor
    means: torch.Tensor
    covariances: torch.Tensor

    @property
    def mean(self) -> torch.Tensor:
        """E[x_0 | y], (d,)."""
        return self.weights @ self.means

    @property
    def variance(self) -> float:
        """The trace of the covariance."""
        apart = (self.means - self.mean).square().sum(dim=1)
        within = self.covariances.diagonal(dim1=1, dim2=2).sum(dim=1)
        return float(self.weights @ (within + apart))

    def draw(self, count: int, generator: torch.Generator) -> torch.Tensor:
        """Draws (count, d); without noise in y the covariances are singular."""
        values, axes = torch.linalg.eigh(self.covariances)
        which = torch.multinomial(self.weights, count, replacement=True, generator=generator)
        white = torch.randn(count, len(self.mean), generator=generator, dtype=torch.float64)
        scaled = white[:, None] * values.clamp(min=0).sqrt()
        drawn = self.means + torch.einsum("kij,bkj->bki", axes, scaled)
        return drawn[torch.arange(count), which]


def pose(
    gaussian: GaussianPrior,
    prior: str,
    task: str,
    sigma_y: float,
    photos: int = 1,
    size: int = 8,
    seed: int = 0,
) -> list[KnownPosterior]:
    """A task's y of ``photos`` that a prior draws: of the first ones whose posterior is undecided
    between the components, of a Gaussian so of the first ones."""
    check_choice("prior", prior, PRIORS)
    drawn = PRIORS[prior](gaussian, size)
    operator, shape = make_task(task, (size, size)), (3, size, size)
    units = torch.eye(3 * size**2, dtype=torch.float64)
    left, values, right = torch.linalg.svd(
        operator.A(units.unflatten(1, shape)).flatten(1).mT, full_matrices=False
    )
    seen = values > 1e-10 * values[0]
    left, values, right = left[:, seen], values[seen], right[seen]
    if sigma_y == 0:  # y is exact however small its singular value
        left, values = left / values, torch.ones_like(values)
    # far from the seeds of chains, which else would draw the photo's own noise again
    generator = torch.Generator().manual_seed(_PHOTO_SEED + seed)
    found: list[KnownPosterior] = []
    while len(found) < photos:
        y = operator.A(drawn.sample(1, generator).unflatten(1, shape))
        y = y + sigma_y * torch.randn(y.shape, generator=generator, dtype=torch.float64)
        exact = drawn.posterior(values[:, None] * right, y.flatten() @ left, sigma_y=sigma_y)
        if bool((exact[0] >= UNDECIDED).all()):
            found.append(KnownPosterior(gaussian, drawn, operator, y, *exact))
    return found
