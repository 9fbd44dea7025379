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
    gaussian: GaussianPrior, operator: LinearOperator, variances: Tensor, like: Tensor
) -> NearInverse:
    """Near (N C^-1 N)^+ of images in null(A), for ``variances`` (n, 1, 3, H, W // 2 + 1) of C and
    images ``like`` (B, 3, H, W).

    Deep inside a large hole that is N C N. But a lost pixel between known ones is held by them, as
    if by a precision that all frequencies get in addition: N (C^-1 + share D)^-1 N with D the mean
    precision of each colour axis. For each mask the best of three shares is found by trial: by how
    far a few iterations come with it, for a photo drawn from the first C.
    """
    null = operator.null_projector
    precisions = 1 / variances
    mean = precisions.mean(dim=(-2, -1), keepdim=True)
    choices = [twice(1 / (precisions + share * mean)) for share in _SHARES]
    first = twice(precisions[:1])

    def apply(u: Tensor, gains: Tensor) -> Tensor:
        return null(filter_groups(gaussian, u, gains))

    draw = _draws(gaussian, variances[:1], 1, like).expand(_different(operator, like), -1, -1, -1)
    b = apply(operator.range_projector(draw), first)
    reached = []
    for gains in choices:
        z = conjugate_gradients(
            lambda u: apply(u, first),
            b,
            tolerance=0.0,
            max_iterations=_TRIAL,
            preconditioner=NearInverse(apply, gains[:1]),
            strict=False,
        )
        reached.append(dot(b, z))  # conjugate gradients make this as large as they can
    best = torch.stack(reached).argmax(dim=0).tolist()
    if len(set(best)) == 1:
        return NearInverse(apply, choices[best[0]])
    return NearInverse(apply, torch.cat([choices[i] for i in best], dim=1))


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

    draws = _draws(gaussian, variances, _PROBES, like).repeat_interleave(several, dim=0)
    spread = operator.vt(draws).square().unflatten(0, (len(variances), _PROBES, several)).mean(1)
    return NearInverse(diagonal, 1 / (s.square() * spread + noise))


def _draws(gaussian: GaussianPrior, variances: Tensor, count: int, like: Tensor) -> Tensor:
    """``count`` images of each covariance (n * count, 3, H, W), always the same."""
    shape = (count, *like.shape[1:])
    white = torch.randn(shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    white = white.to(like).repeat(len(variances), 1, 1, 1)
    return filter_groups(gaussian, white, twice(variances.sqrt()))


def _different(operator: LinearOperator, like: Tensor) -> int:
    """1 where all images of a batch have the same operator, else their number."""
    if not isinstance(operator, SpectralOperator):
        return 1
    return 1 if len(operator.singular_values(tuple(like.shape[-2:]))) == 1 else len(like)
