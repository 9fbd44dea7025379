"""Conjugate gradients for a batch of independent systems, with the same result as one by one.

Every entry of the batch has its own step sizes and stands still once it has converged. The
stopping test makes the host wait for the device in each iteration.
"""

import warnings
from collections.abc import Callable

import torch
from torch import Tensor

from deqir_lite.linear_map import Map, linear_map


class NotConverged(RuntimeError):
    """A solve that stopped before its tolerance; ``entry`` of the batch is the farthest from it."""

    def __init__(self, message: str, entry: int) -> None:
        super().__init__(message)
        self.entry = entry


def conjugate_gradients(
    operator: Map,
    b: Tensor,
    *,
    tolerance: float,
    max_iterations: int,
    preconditioner: Map = lambda v: v,
    scale: Tensor | None = None,
    strict: bool = True,
) -> Tensor:
    """Solve operator(x) = b for a symmetric positive definite map, each batch entry by itself.

    ``preconditioner``: a symmetric positive definite map that is close to the inverse of
    ``operator``. An entry stops when its residual r, in the norm of the preconditioner M, is
    small: r^T M r at most ``tolerance``^2 times ``scale`` (B,), by default b^T M b. Raises
    :class:`NotConverged` with the residual reached when ``max_iterations`` do not suffice; unless
    ``strict``, x is then as it is.
    """

    def direction(r: Tensor) -> tuple[Tensor, Tensor]:
        z = preconditioner(r)
        return z, dot(r, z)

    def product(p: Tensor) -> tuple[Tensor, Tensor]:
        q = operator(p)
        return q, dot(p, q)

    x, reached = _iterate(b, direction, product, tolerance, max_iterations, scale)
    if strict and reached is not None:
        raise NotConverged(
            f"conjugate gradients: relative residual {float(reached.max()):.1e} after "
            f"{max_iterations} iterations; wanted {tolerance:.1e}",
            int(reached.argmax()),
        )
    return x


def least_squares(
    y: Tensor, a: Map, at: Map, *, max_iterations: int, strict: bool = True
) -> Tensor:
    """x = A^+ y, the minimiser of |a(x) - y| of smallest norm; ``at`` is the adjoint of ``a``.

    Conjugate gradients on A^T A x = A^T y from x = 0 (CGLS), which stay in the range of A^T, to
    |A^T (y - A x)| <= 1e-12 |A^T y| in float64 and 1e-5 in float32; warns, if ``strict``, where
    ``max_iterations`` do not suffice. The gradient is exact: (A^+)^T = (A^T)^+ is the same solve
    with the maps exchanged.
    """
    return linear_map(
        y,
        lambda r: _cgls(r, a, at, max_iterations, strict),
        lambda r: _cgls(r, at, a, max_iterations, strict),
    )


def _cgls(y: Tensor, a: Map, at: Map, max_iterations: int, strict: bool) -> Tensor:
    # The residual that is updated is y - A x: A^T of it would lose half of the digits.
    def direction(r: Tensor) -> tuple[Tensor, Tensor]:
        z = at(r)
        return z, dot(z, z)

    def product(p: Tensor) -> tuple[Tensor, Tensor]:
        q = a(p)
        return q, dot(q, q)

    tolerance = 1e-12 if y.dtype == torch.float64 else 1e-5
    x, reached = _iterate(y, direction, product, tolerance, max_iterations)
    if strict and reached is not None:
        warnings.warn(
            f"pinv: CGLS stopped after {max_iterations} iterations at a relative residual of "
            f"{float(reached.max()):.1e}; the operator is ill-conditioned",
            RuntimeWarning,
            stacklevel=2,
        )
    return x


def _iterate(
    r: Tensor,
    direction: Callable[[Tensor], tuple[Tensor, Tensor]],
    product: Callable[[Tensor], tuple[Tensor, Tensor]],
    tolerance: float,
    max_iterations: int,
    scale: Tensor | None = None,
) -> tuple[Tensor, Tensor | None]:
    """x, from x = 0 with the residual ``r``; and the relative residuals (B,) where that was not
    enough.

    ``direction(r)``: the preconditioned residual, and its squared norm (B,), which is to shrink;
    ``product(p)``: what a step along p takes off the residual, and the curvature along p (B,).
    """
    p, size = direction(r)
    x, scale = torch.zeros_like(p), size if scale is None else scale
    for k in range(max_iterations + 1):
        active = size > tolerance**2 * scale
        if not bool(active.any()):
            return x, None
        if k == max_iterations:
            break
        q, curvature = product(p)
        step = _ratio(size, curvature, active)
        x, r = x.addcmul(_like(step, p), p), r.addcmul(_like(step, q), q, value=-1)
        del q  # of large photos each image counts
        z, after = direction(r)
        p, size = z.addcmul(_like(_ratio(after, size, active), p), p), after
        del z
    return x, (size / scale).nan_to_num().sqrt()


def dot(u: Tensor, v: Tensor) -> Tensor:
    """The inner product of each batch entry of u and v (B, ...), as (B,)."""
    return (u * v).flatten(1).sum(dim=1)


def _ratio(a: Tensor, b: Tensor, active: Tensor) -> Tensor:
    """a / b; 0 for entries that have converged, where both may vanish: they stand still."""
    use = active & (b > 0)
    return torch.where(use, a / torch.where(use, b, 1), 0)


def _like(step: Tensor, x: Tensor) -> Tensor:
    return step.reshape(-1, *(1 for _ in x.shape[1:]))
