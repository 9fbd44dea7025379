"""Operators from elsewhere: any deepinv LinearPhysics, with an exact pseudo-inverse by CG."""

import warnings
from collections.abc import Callable
from itertools import chain
from typing import Any

import torch
from torch import Tensor

from deqir_lite.checks import check_exact_size, check_integer, check_size
from deqir_lite.operators.base import LinearOperator, Size

Map = Callable[[Tensor], Tensor]


class DeepinvOperator(LinearOperator):
    """A deepinv ``LinearPhysics`` as an operator: its A and A_adjoint, and A^+ by CGLS.

    A^+ y is the limit of conjugate gradients on A^T A x = A^T y from x = 0, to a relative residual
    of 1e-12 in float64 and 1e-5 in float32; it warns where ``max_iterations`` do not suffice,
    as for blurs with tiny singular values. Its gradient is exact: (A^+)^T is the same solve with
    A and A^T exchanged. Every iteration waits for the device, for the stopping test. There is no
    cheap singular value decomposition: vt, v, ut, u and singular_values raise
    NotImplementedError.

    Args:
        physics: with methods ``A`` and ``A_adjoint`` (deepinv's own noise is not added).
        image_size: (H, W) of the images.
        max_iterations: of CGLS.

    Raises:
        ValueError: no such methods, a wrong size, a measurement that is no single tensor.

    Source: deepinv, https://deepinv.github.io. Its images are in [0, 1], see
    ``measurement_from_unit_range``.
    """

    def __init__(self, physics: Any, image_size: Size, max_iterations: int = 1000) -> None:
        super().__init__()
        if not (callable(getattr(physics, "A", None)) and hasattr(physics, "A_adjoint")):
            raise ValueError(
                f"physics: got {type(physics).__name__}; expected a deepinv LinearPhysics, "
                "with methods A and A_adjoint"
            )
        check_size("image_size", image_size)
        check_integer("max_iterations", max_iterations, 1)
        self.physics, self.max_iterations = physics, max_iterations
        self._size = (image_size[0], image_size[1])
        probe = physics.A(torch.zeros(1, 3, *self._size, **_home(physics)))
        if not isinstance(probe, Tensor):
            raise ValueError(
                f"physics: measures a {type(probe).__name__}; expected a single torch.Tensor"
            )
        self._shape = tuple(probe.shape[1:])

    def _A(self, x: Tensor) -> Tensor:
        return self.physics.A(x)

    def _adjoint(self, y: Tensor) -> Tensor:
        return self.physics.A_adjoint(y)

    def _pinv(self, y: Tensor) -> Tensor:
        return _PseudoInverse.apply(y, self._A, self._adjoint, self.max_iterations)

    def _range_projector(self, x: Tensor) -> Tensor:
        return self._pinv(self._A(x))

    def _no_svd(self, *_: Any) -> Tensor:
        raise NotImplementedError(
            f"{self!r} has no singular value decomposition; use one of deqir_lite.operators"
        )

    _vt = _v = _ut = _u = _singular_values = _no_svd

    def _measurement_shape(self, size: Size) -> tuple[int, ...]:
        return self._shape

    def _image_size(self, shape: tuple[int, ...]) -> Size:
        return self._size

    def _check_size(self, name: str, size: Size) -> None:
        check_exact_size(name, size, self._size)

    def __repr__(self) -> str:
        h, w = self._size
        return f"DeepinvOperator({type(self.physics).__name__}, size={h}x{w})"


def measurement_from_unit_range(operator: LinearOperator, y: Tensor) -> Tensor:
    """The measurement of the image in [-1, 1] from ``y``, that of the same image in [0, 1].

    A (2 u - 1) = 2 A u - A 1.
    """
    size = operator.image_size(y.shape[1:])
    return 2 * y - operator.A(y.new_ones(y.shape[0], 3, *size))


class _PseudoInverse(torch.autograd.Function):
    """y -> A^+ y; the gradient is (A^+)^T = (A^T)^+, so the same solve with the maps exchanged."""

    @staticmethod
    def forward(ctx: Any, y: Tensor, a: Map, at: Map, max_iterations: int) -> Tensor:
        ctx.arguments = (at, a, max_iterations)
        return cgls(y, a, at, max_iterations)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> Any:
        return _PseudoInverse.apply(grads[0], *ctx.arguments), None, None, None


def cgls(y: Tensor, a: Map, at: Map, max_iterations: int) -> Tensor:
    """The least-squares solution of smallest norm, min |a(x) - y|, by conjugate gradients.

    Starts from 0 and therefore stays in the range of A^T. Every image of the batch has its own
    step sizes; the iteration ends when |A^T r| <= tolerance * |A^T y| for all of them.
    """
    tolerance = 1e-12 if y.dtype == torch.float64 else 1e-5
    r, s = y, at(y)
    x, p = torch.zeros_like(s), s
    gamma = first = _square(s)
    for _ in range(max_iterations):
        active = gamma > tolerance**2 * first
        if not bool(active.any()):
            return x
        q = a(p)
        # Images that have converged stand still: their step would be 0 / 0.
        step = _ratio(gamma, _square(q), active)
        x = x + _like(step, p) * p
        r = r - _like(step, q) * q
        s = at(r)
        gamma, previous = _square(s), gamma
        p = s + _like(_ratio(gamma, previous, active), p) * p
    if bool((gamma > tolerance**2 * first).any()):
        reached = float((gamma / first).nan_to_num().max()) ** 0.5
        warnings.warn(
            f"pinv: CGLS stopped after {max_iterations} iterations at a relative residual of "
            f"{reached:.1e}; the operator is ill-conditioned",
            RuntimeWarning,
            stacklevel=2,
        )
    return x


def _square(x: Tensor) -> Tensor:
    return x.flatten(1).square().sum(dim=1)


def _ratio(a: Tensor, b: Tensor, active: Tensor) -> Tensor:
    use = active & (b > 0)
    return torch.where(use, a / torch.where(use, b, 1), 0)


def _like(step: Tensor, x: Tensor) -> Tensor:
    return step.reshape(-1, *(1 for _ in x.shape[1:]))


def _home(physics: Any) -> dict[str, Any]:
    """Device and dtype of the parameters and buffers of a module, if it has any."""
    if not isinstance(physics, torch.nn.Module):
        return {}
    for tensor in chain(physics.parameters(), physics.buffers()):
        if tensor.is_floating_point():
            return {"device": tensor.device, "dtype": tensor.dtype}
    return {}
