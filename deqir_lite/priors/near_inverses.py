"""Cheap near inverses: what makes the solves of :class:`Conditioning` short.

Conjugate gradients need the fewer iterations the closer their preconditioner is to the inverse.
C and its inverse are filters, and a filter costs two fast Fourier transforms; a projector or a
measurement between two filters is what has no inverse in closed form.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from deqir_lite.conjugate_gradients import conjugate_gradients, dot
from deqir_lite.operators.base import LinearOperator
from deqir_lite.operators.spectral import SpectralOperator, reciprocal
from deqir_lite.priors.gaussian import GaussianPrior, twice

_SHARES = (0.0, 1e-3, 3e-2)
"""For one large hole, for stripes, for scattered pixels."""

_TRIAL = 5
"""Iterations after which these are compared."""

_PROBES = 8
"""Draws that estimate the variances in a singular basis."""

_EQUAL = 5.0
"""Singular values within this factor count as equal."""


@dataclass(frozen=True)
class NearInverse:
    """``apply`` (a map of images or measurements) with the ``gains`` (n, ...) of n groups."""

    apply: Callable[[Tensor, Tensor], Tensor]
    gains: Tensor

    def __call__(self, v: Tensor) -> Tensor:
        """For v (n * batch, ...), group by group."""
        return self.apply(v, self.gains)

    def __getitem__(self, groups: slice | Tensor) -> "NearInverse":
        return NearInverse(self.apply, self.gains[groups])


def filter_groups(gaussian: GaussianPrior, v: Tensor, gains: Tensor) -> Tensor:
    """The filter with :func:`twice` ``gains`` (n, batch or 1, 3, H, W // 2 + 1) of v
    (n * batch, 3, H, W)."""
    return gaussian.filter_twice(v.unflatten(0, (len(gains), -1)), gains).flatten(0, 1)


def near_null_inverse(
    gaussian: GaussianPrior, operator: LinearOperator, variances: Tensor, shares: list[float]
) -> NearInverse:
    """Near (N C^-1 N)^+ of images in null(A), for ``variances`` (n, 1, 3, H, W // 2 + 1) of C.

    Deep inside a large hole that is N C N. But a lost pixel between known ones is held by them, as
    if by a precision that all frequencies get in addition: N (C^-1 + share D)^-1 N with D the mean
    precision of each colour axis. ``shares``: one for each mask, see :func:`near_null_shares`.
    """
    null = operator.null_projector
    gains = {share: _held(variances, share) for share in set(shares)}

    def apply(u: Tensor, gains: Tensor) -> Tensor:
        return null(filter_groups(gaussian, u, gains))

    if len(gains) == 1:
        return NearInverse(apply, gains[shares[0]])
    return NearInverse(apply, torch.cat([gains[share] for share in shares], dim=1))


def near_null_shares(
    gaussian: GaussianPrior, operator: LinearOperator, variances: Tensor, like: Tensor
) -> list[float]:
    """The best of three shares for each mask, found by trial: by how far a few iterations come with
    it, for a photo like ``like`` (B, 3, H, W) drawn from C with ``variances`` (1, 1, 3, H,
    W // 2 + 1)."""
    null, precisions = operator.null_projector, twice(1 / variances)
    draw = _draw(gaussian, variances, like, torch.Generator().manual_seed(0))
    draw = draw.expand(_different(operator, like), -1, -1, -1)
    b = null(filter_groups(gaussian, operator.range_projector(draw), precisions))
    reached = []
    for share in _SHARES:
        z = conjugate_gradients(
            lambda u: null(filter_groups(gaussian, u, precisions)),
            b,
            tolerance=0.0,
            max_iterations=_TRIAL,
            preconditioner=near_null_inverse(gaussian, operator, variances, [share]),
            strict=False,
        )
        reached.append(dot(b, z))  # conjugate gradients make this as large as they can
    found = torch.stack(reached)
    # of those that are equal to rounding the first, so that all processors choose the same
    best = found >= found.amax(dim=0) * (1 - 100 * torch.finfo(found.dtype).eps)
    return [_SHARES[i] for i in best.int().argmax(dim=0).tolist()]


def near_inverse(
    gaussian: GaussianPrior,
    operator: LinearOperator,
    variances: Tensor,
    sigma_y: Tensor,
    like: Tensor,
) -> NearInverse:
    """Near (A C A^T + sigma_y^2 I)^-1, for ``variances`` (n, 1, 3, H, W // 2 + 1) of C,
    ``sigma_y`` (batch,) and images ``like`` (batch, 3, H, W).

    With A = U S V^T: where the singular values are all about s, (A^+)^T (C + sigma_y^2 / s^2)^-1
    A^+. Where they differ, A is much like a blur and V much like the eigenbasis of C, so
    U (S^2 D + sigma_y^2)^-1 U^T with D the variances of C in the basis V, from some draws. The
    identity where the singular values are not known.
    """
    if not isinstance(operator, SpectralOperator):
        return NearInverse(lambda r, gains: r, variances)
    each = bool((sigma_y != sigma_y[0]).any())
    noise = sigma_y.square()[: None if each else 1].reshape(-1, 1, 1, 1)
    several = _different(operator, like)
    s = operator.singular_values_like(like)[:several]
    kept = s[s > 0]
    if not len(kept) or kept.max() <= _EQUAL * kept.min():

        def between(r: Tensor, gains: Tensor) -> Tensor:
            c = operator.ut(r)
            inverse = reciprocal(operator.singular_values_like(c))
            c = operator.vt(filter_groups(gaussian, operator.v(inverse * c), gains))
            return operator.u(inverse * c)

        return NearInverse(between, twice(1 / (variances + noise / kept.square().mean())))

    def diagonal(r: Tensor, gains: Tensor) -> Tensor:
        c = operator.ut(r).unflatten(0, (len(gains), -1))
        return operator.u((gains * c).flatten(0, 1))

    generator = torch.Generator().manual_seed(0)
    total = torch.zeros(len(variances) * several, *like.shape[1:]).to(like)
    for _ in range(_PROBES):
        draw = _draw(gaussian, variances, like, generator).repeat_interleave(several, dim=0)
        total += operator.vt(draw).square()
    spread = total.unflatten(0, (len(variances), several)) / _PROBES
    return NearInverse(diagonal, 1 / (s.square() * spread + noise))


def _held(variances: Tensor, share: float) -> Tensor:
    precisions = 1 / variances
    if share:
        precisions = precisions + share * precisions.mean(dim=(-2, -1), keepdim=True)
    return twice(1 / precisions)


def _draw(
    gaussian: GaussianPrior, variances: Tensor, like: Tensor, generator: torch.Generator
) -> Tensor:
    """An image of each covariance (n, 3, H, W), from the same white noise."""
    white = torch.randn(1, *like.shape[1:], generator=generator, dtype=torch.float64)
    white = white.to(like).repeat(len(variances), 1, 1, 1)
    return filter_groups(gaussian, white, twice(variances.sqrt()))


def _different(operator: LinearOperator, like: Tensor) -> int:
    """1 where all images of a batch have the same operator, else their number."""
    if not isinstance(operator, SpectralOperator):
        return 1
    return 1 if len(operator.singular_values(tuple(like.shape[-2:]))) == 1 else len(like)
