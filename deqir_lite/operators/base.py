"""The contract of a linear degradation y = A x."""

from abc import ABC, abstractmethod
from collections.abc import Sequence

import torch
from torch import Tensor

from deqir_lite.checks import check_finite, check_size, is_float
from deqir_lite.conjugate_gradients import least_squares
from deqir_lite.linear_map import Map, rounded

Size = tuple[int, ...]
"""(H, W) of an image; () for operators on vectors."""


class LinearOperator(ABC):
    r"""A linear map y = A x with its adjoint, pseudo-inverse and projectors.

        R x = A^+ A x       N x = x - R x            (range and null space, Eq. 5)

    Images x are (B, 3, H, W), measurements y are (B, \*measurement_shape). A subclass defines
    ``_A`` and ``_adjoint``; A^+ then comes from conjugate gradients, at most ``max_iterations`` of
    them, and waits for the device in each. Operators whose singular value decomposition is known
    are :class:`SpectralOperator`.

    Public methods check their arguments and raise ValueError with one line; the work is done by
    the methods with an underscore. Only ``A`` and ``pinv`` look for NaN, which makes the host wait
    for the device: the projectors run inside the solvers and never do. Results follow the dtype
    and device of the input; float16 and bfloat16 are computed with in float32, and the result is
    rounded once. All methods can be differentiated.

    Sources: Eq. 5 and Sec. 3.1 of DeqIR for the use of A^+, R and N.
    """

    max_iterations = 1000

    # The common case: `_channels` measured channels, on a grid `_factor` times coarser, from
    # `_batch` different operators side by side (more than one only for per-image masks).
    _channels = 3
    _factor = 1
    _batch = 1

    # --- the map, its adjoint and its pseudo-inverse ---

    def A(self, x: Tensor) -> Tensor:
        """y = A x for images (B, 3, H, W). ValueError: wrong shape or dtype, NaN or infinity."""
        check_finite("x", x)
        self._check_image("x", x)
        return rounded(self._A, x)

    __call__ = A

    def applied(self, x: Tensor) -> Tensor:
        """A x without the look for NaN, which makes the host wait: for use inside of sweeps."""
        self._check_image("x", x)
        return rounded(self._A, x)

    def adjoint(self, y: Tensor) -> Tensor:
        """A^T y, (B, 3, H, W). ValueError: y has not the shape or dtype of a measurement."""
        self._check_measurement("y", y)
        return rounded(self._adjoint, y)

    def pinv(self, y: Tensor) -> Tensor:
        """A^+ y, (B, 3, H, W), Moore-Penrose. ValueError: wrong shape or dtype, NaN."""
        check_finite("y", y)
        self._check_measurement("y", y)
        return rounded(self._pinv, y)

    def range_projector(self, x: Tensor) -> Tensor:
        """R x = A^+ A x: the part of the image that the measurement fixes."""
        self._check_image("x", x)
        return rounded(self._range_projector, x)

    def null_projector(self, x: Tensor) -> Tensor:
        """N x = x - R x: the part of the image that the measurement does not see."""
        self._check_image("x", x)
        return rounded(lambda x: x - self._range_projector(x), x)

    # --- shapes ---

    def measurement_shape(self, image_size: Size) -> tuple[int, ...]:
        """The shape of y, without the batch, for images of size (H, W)."""
        self._check_size("image_size", image_size)
        return self._measurement_shape(tuple(image_size))

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

    # --- what an operator defines, and what it may override by a cheaper form of the same map ---

    @abstractmethod
    def _A(self, x: Tensor, /) -> Tensor: ...

    @abstractmethod
    def _adjoint(self, y: Tensor, /) -> Tensor: ...

    def _pinv(self, y: Tensor, /) -> Tensor:
        return least_squares(y, self._A, self._adjoint, max_iterations=self.max_iterations)

    def _range_projector(self, x: Tensor, /) -> Tensor:
        return self._pinv(self._A(x))

    # --- checks ---

    def _check_size(self, name: str, size: Size) -> None:
        check_size(name, size)

    def _check_image(self, name: str, x: Tensor) -> None:
        check_float(name, x)
        if x.ndim != 4 or x.shape[1] != 3 or 0 in x.shape:
            raise ValueError(f"{name}: got shape {tuple(x.shape)}; expected (B, 3, H, W)")
        self._check_size(name, (x.shape[2], x.shape[3]))
        self._check_batch(name, x)

    def _check_measurement(self, name: str, y: Tensor) -> None:
        check_float(name, y)
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


def match_batch(constant: Tensor, x: Tensor) -> Tensor:
    """Repeat a per-image constant (b, ...) for a batch of n * b images, the image index fastest.

    The solvers flatten states (T, B, ...) to (T * B, ...), so that image b sits at k * B + b.
    """
    b = constant.shape[0]
    if b in (1, x.shape[0]):
        return constant
    return constant.repeat(x.shape[0] // b, *(1 for _ in constant.shape[1:]))


def check_adjoint(name: str, a: Map, at: Map, x: Tensor) -> None:
    """Raise ValueError unless ``at`` is the adjoint of ``a``, as far as one probe tells:
    <a x, u> = <x, at u> for a white image like ``x`` (B, 3, H, W) and a white measurement u."""
    generator = torch.Generator().manual_seed(0)

    def white(like: Tensor) -> Tensor:
        return torch.randn(like.shape, generator=generator, dtype=torch.float64).to(like)

    probe = white(x)
    seen = a(probe)
    u = white(seen)
    try:
        back = at(u)
    except NotImplementedError as error:
        raise ValueError(f"{name}: has no adjoint") from error
    if back.shape != probe.shape:
        raise ValueError(
            f"{name}: its adjoint gives {tuple(back.shape)} for images {tuple(probe.shape)}"
        )
    there, here = float((seen * u).sum()), float((probe * back).sum())
    if not abs(there - here) <= 1e-3 * float(seen.norm()):  # of a wrong one about the norm
        raise ValueError(
            f"{name}: its adjoint is not that of A: <A x, u> = {there:.4g}, but <x, A^T u> = "
            f"{here:.4g} for a probe"
        )


def check_float(name: str, x: Tensor) -> None:
    """Raise ValueError unless ``x`` is a floating-point tensor; its values are not looked at."""
    if not isinstance(x, Tensor) or not is_float(x):
        got = x.dtype if isinstance(x, Tensor) else type(x).__name__
        raise ValueError(f"{name}: got {got}; expected a floating-point torch.Tensor")


def _batched(shape: tuple[int, ...]) -> str:
    return f"(B, {', '.join(map(str, shape))})"
