"""MMPS: E[x_0 | x_t, y] with the covariance that the network itself implies."""

from collections.abc import Callable

import torch

from deqir_lite.checks import check_integer
from deqir_lite.measurement import Measurement
from deqir_lite.methods.coefficients import StepCoefficients
from deqir_lite.methods.consistency import Prediction, Steps
from deqir_lite.methods.guided import GuidedConsistency
from deqir_lite.priors.base import Prior

_LEAST_NOISE = 0.02
"""sigma_y is taken as .01 at least, of images in [0, 1]: networks have no positive covariance."""


class MMPSConsistency(GuidedConsistency):
    """x0^ = x_{0|t} + C_t A^T (A C_t A^T + sigma_y^2)^-1 (y - A x_{0|t}).

    C_t = (1 - abar_t) / sqrt(abar_t) J^T is the covariance of x_0 given x_t that Tweedie's formula
    has, exact for an exact denoiser. So x0^ is E[x_0 | x_t, y] under a Gaussian prior, as that of
    the weighted step, whose C_t is that of a Gaussian under any prior. The solve is GMRES of
    ``iterations`` steps, each with one backward pass, since a network's J need not be symmetric:
    its residual never grows. sigma_y counts as .02 at least. Source: Rozet et al. 2024, Sec. 4.
    """

    def __init__(
        self,
        measurement: Measurement,
        coefficients: StepCoefficients,
        prior: Prior,
        *,
        iterations: int = 3,
    ) -> None:
        super().__init__(measurement, coefficients, prior)
        self.iterations = check_integer("iterations", iterations, 1)

    def __call__(self, prediction: Prediction) -> torch.Tensor:
        """As above."""
        pullback = prediction.pullback
        assert pullback is not None
        source, m = self.source(prediction.steps), self.measurement
        spread = (1 - source) / source.sqrt()
        variance = m.sigma_y.clamp(min=_LEAST_NOISE).square().reshape(-1, *[1] * (m.y.ndim - 1))

        def carried(e: torch.Tensor) -> torch.Tensor:
            return spread * pullback(self.back(e))

        def seen(e: torch.Tensor) -> torch.Tensor:
            moved = carried(e)
            return variance * e + m.operator.applied(moved.flatten(0, 1)).unflatten(0, e.shape[:2])

        solved = gmres(seen, self.missing(prediction.x0), iterations=self.iterations)
        return prediction.x0 + carried(solved)

    def linear(self, v: torch.Tensor, steps: Steps) -> torch.Tensor:
        """N v = (I - A^+ A) v, as for the weighted step."""
        return self.measurement.null(v)


def gmres(
    operator: Callable[[torch.Tensor], torch.Tensor], b: torch.Tensor, *, iterations: int
) -> torch.Tensor:
    """x with the least |b - operator(x)| among the first ``iterations`` powers of the operator on
    b (n, B, ...), each entry (n, B) by itself. The operator need not be symmetric.

    Source: Saad and Schultz 1986.
    """

    def dot(u: torch.Tensor, v: torch.Tensor) -> torch.Tensor:
        return (u * v).flatten(2).sum(dim=2)

    def scaled(v: torch.Tensor, by: torch.Tensor) -> torch.Tensor:
        return v * by.reshape(*by.shape, *[1] * (v.ndim - 2))

    def unit(v: torch.Tensor, size: torch.Tensor) -> torch.Tensor:
        return scaled(v, torch.where(size > 0, 1 / torch.where(size > 0, size, 1), 0))

    norm = dot(b, b).sqrt()
    basis = [unit(b, norm)]
    columns = []
    for k in range(iterations):
        w, entries = operator(basis[k]), [torch.zeros_like(norm)] * (k + 1)
        for _ in range(2):  # once more: else rounding spoils the basis
            for i, q in enumerate(basis):
                h = dot(w, q)
                w, entries[i] = w - scaled(q, h), entries[i] + h
        size = dot(w, w).sqrt()
        least = 1e-14 if b.dtype == torch.float64 else 1e-6
        size = torch.where(size > least * torch.stack(entries).abs().sum(dim=0), size, 0)
        zeros = [torch.zeros_like(size)] * (iterations - k - 1)
        columns.append(torch.stack([*entries, size, *zeros], dim=-1))
        basis.append(unit(w, size))
    hessenberg = torch.stack(columns, dim=-1)  # (n, B, iterations + 1, iterations)
    weights = torch.linalg.pinv(hessenberg)[..., 0] * norm[..., None]
    return torch.stack([scaled(q, weights[..., k]) for k, q in enumerate(basis[:iterations])]).sum(
        dim=0
    )
