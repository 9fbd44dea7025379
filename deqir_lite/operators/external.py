"""Operators from elsewhere: any deepinv LinearPhysics."""

from itertools import chain
from typing import Any

import torch
from torch import Tensor

from deqir_lite.checks import check_exact_size, check_integer, check_size
from deqir_lite.operators.base import LinearOperator, Size, check_adjoint


class DeepinvOperator(LinearOperator):
    """A deepinv ``LinearPhysics`` as an operator, with an exact pseudo-inverse.

    A^+ y is the limit of conjugate gradients, see ``LinearOperator``, to a relative residual of
    1e-12 in float64 and 1e-5 in float32; it warns where ``max_iterations`` do not suffice, as for
    blurs with tiny singular values.

    Args:
        physics: with methods ``A`` and ``A_adjoint`` (deepinv's own noise is not added).
        image_size: (H, W) of the images.
        max_iterations: of the conjugate gradients.

    Raises:
        ValueError: no such methods, an ``A_adjoint`` that is none of A, a wrong size, a measurement
            that is no single tensor.

    Source: deepinv, https://deepinv.github.io. Its images are in [0, 1], see
    ``measurement_from_unit_range``.
    """

    def __init__(self, physics: Any, image_size: Size, *, max_iterations: int = 1000) -> None:
        if not (callable(getattr(physics, "A", None)) and hasattr(physics, "A_adjoint")):
            raise ValueError(
                f"physics: got {type(physics).__name__}; expected a deepinv LinearPhysics, "
                "with methods A and A_adjoint"
            )
        image_size = check_size("image_size", image_size)
        max_iterations = check_integer("max_iterations", max_iterations, 1)
        self.physics, self.max_iterations = physics, max_iterations
        self._size = (image_size[0], image_size[1])
        image = torch.zeros(1, 3, *self._size, **_home(physics))
        probe = physics.A(image)
        if not isinstance(probe, Tensor):
            raise ValueError(
                f"physics: measures a {type(probe).__name__}; expected a single torch.Tensor"
            )
        self._shape = tuple(probe.shape[1:])
        check_adjoint("physics", self._A, self._adjoint, image)

    def _A(self, x: Tensor) -> Tensor:
        return self.physics.A(x)

    def _adjoint(self, y: Tensor) -> Tensor:
        return self.physics.A_adjoint(y)

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


def _home(physics: Any) -> dict[str, Any]:
    """Device and dtype of the parameters and buffers of a module, if it has any."""
    if not isinstance(physics, torch.nn.Module):
        return {}
    for tensor in chain(physics.parameters(), physics.buffers()):
        if tensor.is_floating_point():
            return {"device": tensor.device, "dtype": tensor.dtype}
    return {}
