"""The empty measurement: unconditional sampling is the restoration of what was not seen at all."""

import torch
from torch import Tensor

from deqir_lite.checks import check_exact_size, check_size
from deqir_lite.operators.base import Size, check_float
from deqir_lite.operators.spectral import SpectralOperator


class NoMeasurement(SpectralOperator):
    """A measures nothing: y (B, 0) is empty, N = I and A^+ y = 0.

    So a chain with ``y = torch.empty(B, 0)`` draws B images of ``image_size`` (H, W) from the
    prior: x0^ = x_{0|t}, and with the rule :class:`DDIMNoise` it is the sampler of DDIM. All forms,
    solvers and methods work as for any operator. Raises ValueError for another size.
    """

    def __init__(self, image_size: Size) -> None:
        super().__init__()
        check_size("image_size", image_size)
        self._size = (image_size[0], image_size[1])

    def _vt(self, x: Tensor) -> Tensor:
        return x.clone()  # not x itself: coefficients may be changed in place

    _v = _vt

    def _ut(self, y: Tensor) -> Tensor:
        return y.new_zeros(len(y), 3, *self._size)

    def _u(self, c: Tensor) -> Tensor:
        return c.flatten(1)[:, :0]

    _A = _u
    _adjoint = _pinv = _ut

    def _range_projector(self, x: Tensor) -> Tensor:
        return torch.zeros_like(x)

    def _singular_values(self, size: Size) -> Tensor:
        return torch.zeros(1, 1, 1, 1, dtype=torch.float64)

    def _measurement_shape(self, size: Size) -> tuple[int, ...]:
        return (0,)

    def _image_size(self, shape: tuple[int, ...]) -> Size:
        return self._size

    def _check_size(self, name: str, size: Size) -> None:
        check_exact_size(name, size, self._size)

    def _check_measurement(self, name: str, y: Tensor) -> None:
        check_float(name, y)
        if y.ndim != 2 or y.shape[1] != 0 or len(y) == 0:
            raise ValueError(f"{name}: got shape {tuple(y.shape)}; expected (B, 0), nothing")

    def __repr__(self) -> str:
        return f"NoMeasurement(size={self._size[0]}x{self._size[1]})"
