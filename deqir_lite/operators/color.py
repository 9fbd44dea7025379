"""Colorization: only the brightness of every pixel is measured."""

import torch
import torch.nn.functional as F
from torch import Tensor

from deqir_lite.checks import check_choice
from deqir_lite.operators.base import LinearOperator, Size
from deqir_lite.operators.householder import reflect, reflection
from deqir_lite.operators.spectral import SpectralOperator

_WEIGHTS = {"equal": (1 / 3, 1 / 3, 1 / 3), "paper": (0.3333, 0.3334, 0.3333)}


class Grayscale(SpectralOperator):
    """y = sum_c w_c x_c, (B, 1, H, W); A^+ y = w y / |w|^2, which repeats y for equal weights.

    V turns the colours of each pixel so that the first coefficient is the brightness along w/|w|,
    with singular value |w|; the other two span the colours that grey does not see.

    Args:
        weights: "equal" for the mean of the channels, "paper" for the .3333, .3334, .3333 of the
            published code.

    Raises:
        ValueError: unknown weights.

    Source: the colorization task of Sec. 5.
    """

    _channels = 1

    def __init__(self, *, weights: str = "equal") -> None:
        super().__init__()
        check_choice("weights", weights, _WEIGHTS)
        self.weights = weights
        self._w = torch.tensor(_WEIGHTS[weights], dtype=torch.float64).reshape(1, 3, 1, 1)

    def _A(self, x: Tensor) -> Tensor:
        red, green, blue = _WEIGHTS[self.weights]
        return red * x[:, :1] + green * x[:, 1:2] + blue * x[:, 2:]

    def _adjoint(self, y: Tensor) -> Tensor:
        return self._constants.like("w", y, lambda: self._w) * y

    def _pinv(self, y: Tensor) -> Tensor:
        return self._constants.like("w/|w|^2", y, lambda: self._w / self._w.square().sum()) * y

    _range_projector = LinearOperator._range_projector

    def _vt(self, x: Tensor) -> Tensor:
        return reflect(x, self._constants.like("H", x, self._reflection), dim=1)

    _v = _vt

    def _ut(self, y: Tensor) -> Tensor:
        return first_channel(y)

    def _u(self, c: Tensor) -> Tensor:
        return c[:, :1]

    def _singular_values(self, size: Size) -> Tensor:
        s = torch.zeros(1, 3, 1, 1, dtype=torch.float64)
        s[:, 0] = self._w.norm()
        return s

    def _reflection(self) -> Tensor:
        return reflection(self._w / self._w.norm(), dim=1)

    def __repr__(self) -> str:
        return f"Grayscale(weights={self.weights!r})"


def first_channel(y: Tensor) -> Tensor:
    """(B, 1, H, W) as the first of three channels, the others zero."""
    return F.pad(y, (0, 0, 0, 0, 0, 2))
