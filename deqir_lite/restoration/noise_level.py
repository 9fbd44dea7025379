"""How noisy a measurement is, told from the part of it that no photo explains."""

from typing import Any

import torch
from torch import Tensor

from deqir_lite.checks import check_finite, check_kinds
from deqir_lite.conjugate_gradients import conjugate_gradients
from deqir_lite.operators.base import LinearOperator, check_adjoint
from deqir_lite.operators.conversion import as_operator
from deqir_lite.operators.spectral import SpectralOperator
from deqir_lite.priors.gaussian import GaussianPrior
from deqir_lite.priors.load import load_gaussian

_ASSUMED = 0.015
"""The noise level that the explanation assumes: lower ones let real noise pass for a photo's
finest detail, higher ones leave detail that is then taken for noise."""

_FEWEST = 64
"""Measured values; of fewer the median is off by more than a tenth."""


@torch.no_grad()
def estimate_sigma_y(operator: Any, y: Tensor, *, gaussian: GaussianPrior | None = None) -> Tensor:
    """The standard deviation of white noise in each y (B, ...), as (B,).

    ``operator``: a :class:`LinearOperator`, or what :func:`as_operator` makes one of.

    A E[x | y], under the Gaussian photo prior (the bundled one by default) and an assumed noise, is
    the part of y that photos explain. What is left of y is compared with what the same map leaves
    of white noise n of deviation 1:
        sigma_y = median |y - A E[x | y]| / median |n - A K n|.
    The median looks away from the few places where a photo has edges: the estimate of Donoho and
    Johnstone 1994, with this residual in place of a wavelet's finest scale, so that y may have
    holes, be small, or no picture at all. Values in which A sees nothing do not count. Exact y of
    photos come out at .004 to .01, their finest detail; grey ones at .03, with much texture at
    .09: what tells noise from detail is mostly its colour. Raises ValueError where too few values
    are left, images are no photos, or the adjoint is none.
    """
    check_kinds(estimate_sigma_y, locals())
    check_finite("y", y)
    y = y.double() if y.dtype == torch.float64 else y.float()
    operator = as_operator(operator, y=y)
    size = operator.image_size(y.shape[1:])
    if len(size) != 2:
        raise ValueError("sigma_y: an estimate needs photos; the operator is one on vectors")
    gaussian = gaussian or load_gaussian()
    if not isinstance(operator, SpectralOperator):
        check_adjoint("operator", operator.applied, operator.adjoint, y.new_zeros(1, 3, *size))
    generator = torch.Generator().manual_seed(0)

    def white(*shape: int) -> Tensor:
        return torch.randn(shape, generator=generator, dtype=torch.float64).to(y)

    probe = white(1, 3, *size).expand(len(y), -1, -1, -1)
    probed = operator.applied(probe)
    seen = probed != 0
    fewest = int(seen.flatten(1).sum(dim=1).min())
    if fewest < _FEWEST:
        raise ValueError(
            f"sigma_y: an estimate needs {_FEWEST} measured values, but there are only {fewest}; "
            "give a number"
        )
    left = y - operator.applied(gaussian.mean(y).expand_as(probe))
    noise = white(1, *y.shape[1:]).expand_as(y)
    power = probed.square().flatten(1).sum(dim=1) / probe.square().flatten(1).sum(dim=1)
    medians = []
    for r in (left, noise):  # one after the other: large photos are many values
        r = torch.where(seen, r, 0)
        unexplained = r - operator.applied(_explanation(operator, r, gaussian, power))
        kept = unexplained.abs().where(seen, torch.nan)
        medians.append(kept.flatten(1).nanmedian(dim=1).values.double().cpu())
    return medians[0] / medians[1]


def _explanation(
    operator: LinearOperator, r: Tensor, gaussian: GaussianPrior, power: Tensor
) -> Tensor:
    """K r = (A^T A + s^2 Lam^-1)^-1 A^T r; ``power`` (B,) I stands for A^T A where it need not be
    exact, in the preconditioner."""
    power = power.reshape(-1, 1, 1, 1)
    x = operator.adjoint(r)
    precision = _ASSUMED**2 / gaussian.eigenvalues(x).clamp(min=1e-6)
    return conjugate_gradients(
        lambda u: operator.adjoint(operator.applied(u)) + gaussian.filter(u, precision),
        x,
        tolerance=1e-3,
        max_iterations=60,
        preconditioner=lambda u: gaussian.filter(u, 1 / (power + precision)),
        strict=False,
    )
