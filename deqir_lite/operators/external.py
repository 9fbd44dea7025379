"""Operators from deepinv: any of its linear physics, directly."""

from collections.abc import Callable
from itertools import chain
from typing import Any

import torch
from torch import Tensor

from deqir_lite.checks import check_size
from deqir_lite.memory import is_out_of_memory
from deqir_lite.operators.base import LinearOperator, Size
from deqir_lite.operators.probing import ProbedOperator


class DeepinvOperator(ProbedOperator):
    """A deepinv ``LinearPhysics`` as an operator, see :class:`ProbedOperator`: its ``A_dagger``
    where that is exact, else conjugate gradients.

    The precision is what the physics computes in (``physics.to(torch.float64)`` is for proofs);
    its own noise is not added. A physics that is changed later must be given anew.

    Args:
        physics: with methods ``A`` and ``A_adjoint``.
        image_size: (H, W) of the images.
        max_iterations: of the conjugate gradients.
        tolerance: the largest relative error of A^+ that is accepted.

    Raises:
        ValueError: no such methods; they fail for photos of this size; A is not linear, A_adjoint
            not its adjoint, A^+ farther off than ``tolerance``; a measurement that is no single,
            real tensor.

    Source: deepinv, https://deepinv.github.io. Its images are in [0, 1], see
    :func:`measurement_from_unit_range`.
    """

    def __init__(
        self,
        physics: Any,
        image_size: Size,
        *,
        max_iterations: int = 1000,
        tolerance: float = 1e-2,
    ) -> None:
        if not is_physics(physics):
            raise ValueError(
                f"physics: got {type(physics).__name__}; expected a deepinv LinearPhysics, "
                "with methods A and A_adjoint"
            )
        image_size = check_size("image_size", image_size)
        self.physics = physics
        super().__init__(
            "physics",
            image_size,
            like=_probe(physics, image_size),
            direct=self._own_pinv if hasattr(physics, "A_dagger") else None,
            max_iterations=max_iterations,
            tolerance=tolerance,
        )

    def _A(self, x: Tensor) -> Tensor:
        return _asked(self.physics, "A", x)

    def _adjoint(self, y: Tensor) -> Tensor:
        return _asked(self.physics, "A_adjoint", y)

    def _own_pinv(self, y: Tensor) -> Tensor:
        return _asked(self.physics, "A_dagger", y)

    def __repr__(self) -> str:
        return self._repr(type(self.physics).__name__)


def is_physics(value: object) -> bool:
    """Whether ``value`` has the methods of a deepinv LinearPhysics."""
    methods = (getattr(value, name, None) for name in ("A", "A_adjoint"))
    return not isinstance(value, (type, LinearOperator)) and all(map(callable, methods))


def image_size_of(physics: Any, y: Tensor) -> Size:
    """The size (H, W) of the photos that ``physics`` has measured as ``y``: that of A_adjoint y."""
    back = _asked(physics, "A_adjoint", y[:1])
    if back.ndim != 4 or back.shape[1] != 3:
        raise ValueError(
            f"physics: its adjoint gives {tuple(back.shape)} for y {tuple(y[:1].shape)}; expected "
            "photos (1, 3, H, W)"
        )
    return (back.shape[2], back.shape[3])


def measurement_from_unit_range(operator: LinearOperator, y: Tensor) -> Tensor:
    """The measurement of the image in [-1, 1] from ``y``, that of the same image in [0, 1].

    A (2 u - 1) = 2 A u - A 1; so noise in y is twice as large, too.
    """
    return 2 * y - _of_ones(operator, y)


def measurement_to_unit_range(operator: LinearOperator, y: Tensor) -> Tensor:
    """The inverse of :func:`measurement_from_unit_range`: A u = (A (2 u - 1) + A 1) / 2."""
    return (y + _of_ones(operator, y)) / 2


def _of_ones(operator: LinearOperator, y: Tensor) -> Tensor:
    size = operator.image_size(y.shape[1:])
    return operator.A(y.new_ones(y.shape[0], 3, *size))


def _probe(physics: Any, image_size: Size) -> Tensor:
    """A tensor of the device and the precision of a physics: float64 if it takes that."""
    home = torch.zeros(())
    if isinstance(physics, torch.nn.Module):
        found = [t for t in chain(physics.parameters(), physics.buffers()) if t.is_floating_point()]
        home = torch.zeros_like(found[0], dtype=torch.float32) if found else home
    if home.device.type == "mps":
        return home
    try:
        image = home.new_zeros(1, 3, *image_size, dtype=torch.float64)
        _asked(physics, "A_adjoint", _asked(physics, "A", image))
    except ValueError:
        return home
    return home.double()


def _asked(physics: Any, method: str, v: Tensor) -> Tensor:
    """``method`` of somebody else's ``physics``, like v; ValueError in one line when that fails."""
    name, function = type(physics).__name__, getattr(physics, method)
    out = _called(function, v, f"physics: {method} of {name}")
    if not isinstance(out, Tensor) or not out.is_floating_point():
        got = out.dtype if isinstance(out, Tensor) else f"a {type(out).__name__}"
        raise ValueError(
            f"physics: {method} of {name} returns {got}; expected a single real torch.Tensor"
        )
    return out.to(v.dtype)


def _called(function: Callable[[Tensor], Any], v: Tensor, what: str) -> Any:
    try:
        return function(v)
    except Exception as error:  # their code can raise anything
        if is_out_of_memory(error):
            raise
        reason = " ".join(str(error).split())[:200]
        raise ValueError(
            f"{what} raised {type(error).__name__} for {v.dtype} {tuple(v.shape)}: {reason}"
        ) from error
