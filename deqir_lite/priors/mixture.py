"""Gaussian mixtures: priors with an exact score, an exact posterior and several modes."""

import math

import torch

from deqir_lite.checks import check_deviation, check_finite
from deqir_lite.schedule import NoiseSchedule, linear_schedule


class GaussianMixturePrior:
    """x_0 ~ sum_k weights_k N(means_k, covariances_k) in d dimensions.

    ``weights`` (K,), ``means`` (K, d), ``covariances`` (K, d, d), symmetric positive definite.
    Inputs may have any shape (B, ...) with d entries each: points of the plane for pictures of
    trajectories, small images for tests.
    """

    def __init__(
        self,
        weights: torch.Tensor,
        means: torch.Tensor,
        covariances: torch.Tensor,
        *,
        schedule: NoiseSchedule | None = None,
    ) -> None:
        for name, value in (("weights", weights), ("means", means), ("covariances", covariances)):
            check_finite(name, value)
        count, dim = means.shape if means.ndim == 2 else (0, 0)
        if count < 1 or weights.shape != (count,) or covariances.shape != (count, dim, dim):
            raise ValueError(
                f"weights {tuple(weights.shape)}, means {tuple(means.shape)}, covariances "
                f"{tuple(covariances.shape)}: expected (K,), (K, d), (K, d, d)"
            )
        if not bool((weights > 0).all()):
            raise ValueError("weights: expected positive numbers")
        self.weights = weights.double() / weights.double().sum()
        self.means = means.double()
        symmetric = torch.allclose(covariances, covariances.mT)
        self.variances, self.axes = torch.linalg.eigh(covariances.double())
        if not symmetric or not bool((self.variances > 0).all()):
            raise ValueError("covariances: expected symmetric positive definite matrices")
        self.schedule = schedule or linear_schedule()

    def __call__(self, x_t: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
        """eps(x_t) = -sqrt(1 - abar) grad log p_t(x_t), exact; x_t (B, ...), t (B,)."""
        flat = self._flatten(x_t)
        signal, noise = self.schedule.at(t, flat)
        offset, variance = self._whiten(flat, signal, noise)
        share = torch.softmax(self._log_density(offset, variance), dim=1)
        # (abar Sigma_k + 1 - abar)^-1 (x - sqrt(abar) mu_k), summed over the components
        shared = share[..., None] * offset / variance  # first: einsum would make (B, K, d, d) of it
        pull = torch.einsum("kij,bkj->bi", self.axes.to(flat), shared)
        return (noise * pull).view_as(x_t)

    def _flatten(self, x: torch.Tensor) -> torch.Tensor:
        flat = x.flatten(1)
        if flat.shape[1] != self.means.shape[1]:
            raise ValueError(
                f"x_t: got shape {tuple(x.shape)}; expected (B, ...) with {self.means.shape[1]} "
                "entries each"
            )
        return flat

    def _whiten(
        self, x: torch.Tensor, signal: torch.Tensor, noise: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Offsets (B, K, d) from the noisy means in each component's axes, and their variances."""
        difference = x[:, None] - signal[:, None] * self.means.to(x)
        offset = torch.einsum("kji,bkj->bki", self.axes.to(x), difference)
        variance = (signal.square()[:, None] * self.variances.to(x)) + noise.square()[:, None]
        return offset, variance

    def _log_density(self, offset: torch.Tensor, variance: torch.Tensor) -> torch.Tensor:
        """log weights_k N(x; component k), (B, K), without the constant d/2 log 2 pi."""
        quadratic = (offset.square() / variance + variance.log()).sum(-1)
        return self.weights.to(offset).log() - quadratic / 2

    def log_density(self, x_t: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
        """log p_t(x_t) (B,): the density whose gradient is the score."""
        flat = self._flatten(x_t)
        offset, variance = self._whiten(flat, *self.schedule.at(t, flat))
        log_p = torch.logsumexp(self._log_density(offset, variance), dim=1)
        return log_p - flat.shape[1] / 2 * math.log(2 * math.pi)

    def responsibilities(self, x_0: torch.Tensor) -> torch.Tensor:
        """p(component | x_0) for x_0 (B, ...): (B, K). Their mean over draws of p(x_0 | y) is
        p(component | y)."""
        flat = self._flatten(x_0)
        one = torch.ones_like(flat[:, :1])
        return torch.softmax(self._log_density(*self._whiten(flat, one, 0 * one)), dim=1)

    def covariances(self) -> torch.Tensor:
        """(K, d, d)."""
        return (self.axes * self.variances[:, None]) @ self.axes.mT

    def sample(self, count: int, generator: torch.Generator) -> torch.Tensor:
        """Draws (count, d), float64."""
        which = torch.multinomial(self.weights, count, replacement=True, generator=generator)
        white = torch.randn(count, self.means.shape[1], generator=generator, dtype=torch.float64)
        shaped = torch.einsum("bij,bj->bi", self.axes[which], white * self.variances[which].sqrt())
        return self.means[which] + shaped

    def posterior(
        self, matrix: torch.Tensor, y: torch.Tensor, *, sigma_y: float = 0.0
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """p(x_0 | y) for y = matrix x_0 + N(0, sigma_y^2 I), again a mixture.

        ``matrix`` (p, d), ``y`` (p,). Returns weights (K,), means (K, d) and covariances (K, d,
        d); the covariances are singular where sigma_y = 0. Rows of ``matrix`` must be linearly
        independent if there is no noise.
        """
        check_finite("matrix", matrix)
        check_finite("y", y)
        sigma_y = check_deviation("sigma_y", sigma_y)
        columns = self.means.shape[1]
        if matrix.ndim != 2 or matrix.shape[1] != columns or y.shape != matrix.shape[:1]:
            raise ValueError(
                f"matrix {tuple(matrix.shape)}, y {tuple(y.shape)}: expected (p, "
                f"{self.means.shape[1]}) and (p,)"
            )
        a, y, prior = matrix.double(), y.double(), self.covariances()
        if sigma_y == 0 and int(torch.linalg.matrix_rank(a)) < len(a):
            raise ValueError("matrix: its rows are linearly dependent; that needs sigma_y > 0")
        cross = prior @ a.T
        evidence = a @ cross + sigma_y**2 * torch.eye(len(y), dtype=torch.float64)
        gain = torch.linalg.solve(evidence, cross.mT).mT
        surprise = y - self.means @ a.T
        solved = torch.linalg.solve(evidence, surprise[..., None])[..., 0]
        log_weights = self.weights.log() - ((surprise * solved).sum(-1) + evidence.logdet()) / 2
        means = self.means + (gain @ surprise[..., None])[..., 0]
        return torch.softmax(log_weights, 0), means, prior - gain @ cross.mT

    def __repr__(self) -> str:
        count, dim = self.means.shape
        return f"GaussianMixturePrior({count} in {dim} dimensions)"
