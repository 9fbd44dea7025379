"""The contract of a linear degradation y = A x, and what follows from its singular values."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from deqir_lite.checks import check_finite, check_size
from deqir_lite.operators.constants import Constants, match_batch

Size = tuple[int, int]


class LinearOperator(ABC):
    r"""A linear map y = A x of images with its exact pseudo-inverse and projectors.

    Images x are (B, 3, H, W), measurements y are (B, \*measurement_shape). The operator knows its
    singular value decomposition A = U S V^T, and everything else follows from it:

        A x   = U S V^T x          A^T y = V S U^T y          A^+ y = V S^+ U^T y
        R x   = A^+ A x            N x   = x - R x            (range and null space, Eq. 5)

    V is an orthonormal basis of the whole image space, so the coefficients V^T x have the shape
    of the image, (B, 3, H, W), and are real for every operator. S is zero on the null space.

    Public methods check their arguments and raise ValueError with one line; the work is done by
    the methods with an underscore. Only ``A`` and ``pinv`` look for NaN, which makes the host wait
    for the device: the projectors run inside the solvers and never do. Results follow the dtype
    and device of the input; constants are built once in float64 and cached per dtype and device.
    All methods can be differentiated.

    Sources: Eq. 5 and Sec. 3.1 of DeqIR for the use of A^+, R and N.
    """

    # The common case: `_channels` measured channels, on a grid `_factor` times coarser, from
    # `_batch` different operators side by side (more than one only for per-image masks).
    _channels = 3
    _factor = 1
    _batch = 1

    def __init__(self) -> None:
        self._constants = Constants()

    # --- the map, its adjoint and its pseudo-inverse ---

    def A(self, x: Tensor) -> Tensor:
        """y = A x for images (B, 3, H, W). ValueError: wrong shape or dtype, NaN or infinity."""
        check_finite("x", x)
        self._check_image("x", x)
        return self._A(x)

    __call__ = A

    def adjoint(self, y: Tensor) -> Tensor:
        """A^T y, (B, 3, H, W). ValueError: y has not the shape or dtype of a measurement."""
        self._check_measurement("y", y)
        return self._adjoint(y)

    def pinv(self, y: Tensor) -> Tensor:
        """A^+ y, (B, 3, H, W), Moore-Penrose. ValueError: wrong shape or dtype, NaN."""
        check_finite("y", y)
        self._check_measurement("y", y)
        return self._pinv(y)

    def range_projector(self, x: Tensor) -> Tensor:
        """R x = A^+ A x: the part of the image that the measurement fixes."""
        self._check_image("x", x)
        return self._range_projector(x)

    def null_projector(self, x: Tensor) -> Tensor:
        """N x = x - R x: the part of the image that the measurement does not see."""
        return x - self.range_projector(x)

    # --- the singular value decomposition A = U S V^T ---

    def vt(self, x: Tensor) -> Tensor:
        """Coefficients V^T x, (B, 3, H, W): an isometry."""
        self._check_image("x", x)
        return self._vt(x)

    def v(self, c: Tensor) -> Tensor:
        """The image V c, (B, 3, H, W): the inverse of ``vt``."""
        self._check_image("c", c)
        return self._v(c)

    def ut(self, y: Tensor) -> Tensor:
        """U^T y on the grid of the coefficients, (B, 3, H, W), zero where S is zero."""
        self._check_measurement("y", y)
        return self._ut(y)

    def u(self, c: Tensor) -> Tensor:
        """The measurement U c; coefficients where S is zero do not count."""
        self._check_image("c", c)
        return self._u(c)

    def singular_values(self, image_size: Size) -> Tensor:
        """The diagonal of S, float64 on the CPU, broadcastable to (B, 3, H, W), zero on null(A).

        Its first axis is 1, or the number of masks where each image has its own.
        """
        self._check_size("image_size", image_size)
        return self._singular_values((image_size[0], image_size[1])).clone()

    def singular_values_like(self, c: Tensor) -> Tensor:
        """The diagonal of S for coefficients ``c``: their dtype, device and batch."""
        self._check_image("c", c)
        return self._diagonal("S", c, lambda s: s)

    # --- shapes ---

    def measurement_shape(self, image_size: Size) -> tuple[int, ...]:
        """The shape of y, without the batch, for images of size (H, W)."""
        self._check_size("image_size", image_size)
        return self._measurement_shape((image_size[0], image_size[1]))

    def image_size(self, measurement_shape: Sequence[int]) -> Size:
        """The size (H, W) of the images whose y has this shape, given without the batch."""
        shape = tuple(measurement_shape)
        size = self._image_size(shape)
        self._check_size("y", size)
        expected = self._measurement_shape(size)
        if shape != expected:
            raise ValueError(f"y: got shape {_batched(shape)}; expected {_batched(expected)}")
        return size

    def _measurement_shape(self, size: Size) -> tuple[int, ...]:
        return (self._channels, size[0] // self._factor, size[1] // self._factor)

    def _image_size(self, shape: tuple[int, ...]) -> Size:
        if len(shape) != 3:
            expected = f"(B, {self._channels}, H/{self._factor}, W/{self._factor})"
            raise ValueError(f"y: got {1 + len(shape)} dimensions; expected {expected}")
        return (shape[1] * self._factor, shape[2] * self._factor)

    # --- what an operator defines ---

    @abstractmethod
    def _vt(self, x: Tensor, /) -> Tensor: ...

    @abstractmethod
    def _v(self, c: Tensor, /) -> Tensor: ...

    @abstractmethod
    def _ut(self, y: Tensor, /) -> Tensor: ...

    @abstractmethod
    def _u(self, c: Tensor, /) -> Tensor: ...

    @abstractmethod
    def _singular_values(self, size: Size, /) -> Tensor: ...

    # --- what follows, and may be overridden by a cheaper form of the same map ---

    def _A(self, x: Tensor, /) -> Tensor:
        c = self._vt(x)
        return self._u(self._diagonal("S", c, lambda s: s) * c)

    def _adjoint(self, y: Tensor, /) -> Tensor:
        c = self._ut(y)
        return self._v(self._diagonal("S", c, lambda s: s) * c)

    def _pinv(self, y: Tensor, /) -> Tensor:
        c = self._ut(y)
        return self._v(self._diagonal("S^+", c, _reciprocal) * c)

    def _range_projector(self, x: Tensor, /) -> Tensor:
        c = self._vt(x)
        return self._v(self._diagonal("S^+S", c, lambda s: (s > 0).to(s)) * c)

    def _check_size(self, name: str, size: Size) -> None:
        check_size(name, size)

    # --- shared machinery ---

    def _check_image(self, name: str, x: Tensor) -> None:
        _check_float(name, x)
        if x.ndim != 4 or x.shape[1] != 3 or 0 in x.shape:
            raise ValueError(f"{name}: got shape {tuple(x.shape)}; expected (B, 3, H, W)")
        self._check_size(name, (x.shape[2], x.shape[3]))
        self._check_batch(name, x)

    def _check_measurement(self, name: str, y: Tensor) -> None:
        _check_float(name, y)
        if y.ndim < 2 or 0 in y.shape:
            raise ValueError(f"{name}: got shape {tuple(y.shape)}; expected (B, ...), not empty")
        self.image_size(tuple(y.shape[1:]))
        self._check_batch(name, y)

    def _check_batch(self, name: str, x: Tensor) -> None:
        if x.shape[0] % self._batch:
            raise ValueError(
                f"{name}: got a batch of {x.shape[0]}; expected a multiple of {self._batch}, "
                "the number of masks"
            )

    def _diagonal(self, name: str, c: Tensor, f: Callable[[Tensor], Tensor]) -> Tensor:
        """f(S), as a factor for the coefficients ``c``."""
        size = (c.shape[-2], c.shape[-1])
        s = self._constants.like((name, size), c, lambda: f(self._singular_values(size)))
        return match_batch(s, c)


def _check_float(name: str, x: Tensor) -> None:
    if not isinstance(x, Tensor) or not x.is_floating_point():
        got = x.dtype if isinstance(x, Tensor) else type(x).__name__
        raise ValueError(f"{name}: got {got}; expected a floating-point torch.Tensor")


def _batched(shape: tuple[int, ...]) -> str:
    return f"(B, {', '.join(map(str, shape))})"


def _reciprocal(s: Tensor) -> Tensor:
    return torch.where(s > 0, 1 / torch.where(s > 0, s, 1), 0)
