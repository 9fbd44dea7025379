"""A photo with several kinds of damage at once: blurred, made small, grey, and with holes."""

import torch.nn.functional as F
from torch import Tensor

from deqir_lite.checks import check_exact_size, check_integer, check_size
from deqir_lite.conjugate_gradients import least_squares
from deqir_lite.operators.base import LinearOperator, Size
from deqir_lite.operators.fourier import FFTBlur
from deqir_lite.operators.masking import Inpainting
from deqir_lite.operators.resampling import BicubicDownsampling

_FEW_ITERATIONS = 30
"""In float32, of the pseudo-inverse of a blur: more of them only magnify its rounding."""


class DamagedPhoto(LinearOperator):
    """y = m * D G (k * x), (B, 3 or 1, h, w): blur, mean of the channels, bicubic shrinking and
    holes, in this order; what is not given is left out.

    A photo does not end where its picture ends: what was blurred into it comes from beyond its
    border too. So images are larger than y by the kernel, and only :attr:`crop` of them is the
    photo; what lies around it is not seen but by its edge, and nothing wraps around. There is no
    singular value decomposition; A^+ comes from conjugate gradients, for a blur in float32 from so
    few that they do not magnify rounding.

    Args:
        size: (h, w) of the picture y.
        mask: (h, w), 1 = kept and 0 = lost, as for ``Inpainting``.
        kernel: of the blur, in pixels of the restored photo, as for ``FFTBlur``.
        factor: the photo has so many times the pixels of y along each side.
        grey: whether y has one channel.

    Raises:
        ValueError: a mask of another size than y; bad arguments of the parts.

    Source: the border as in Almeida and Figueiredo 2013, "Deconvolving images with unknown
    boundaries"; the composed degradations of Fig. 10.
    """

    def __init__(
        self,
        size: Size,
        *,
        mask: Tensor | None = None,
        kernel: Tensor | None = None,
        factor: int = 1,
        grey: bool = False,
    ) -> None:
        check_size("size", size)
        check_integer("factor", factor, 1)
        self.factor, self.grey = factor, grey
        self._channels = 1 if grey else 3
        self._measured = (size[0], size[1])
        self._holes = None if mask is None else Inpainting(mask)
        if self._holes is not None:
            check_exact_size("mask", self._holes.mask.shape[-2:], self._measured, of="the photo")
        self._shrink = BicubicDownsampling(factor) if factor > 1 else None
        self._blur = None if kernel is None else FFTBlur(kernel, threshold=0.0)
        self.photo_size = (size[0] * factor, size[1] * factor)
        margins = (0, 0) if self._blur is None else tuple(self._blur.kernel.shape)
        self._margins = tuple(n // 2 for n in margins)
        self._images: Size = self.photo_size
        if self._blur is not None:
            height, width = (n + 2 * m for n, m in zip(self.photo_size, self._margins, strict=True))
            self._images = height, width

    @property
    def mask(self) -> Tensor | None:
        """(1, 1, h, w), float64, or None."""
        return None if self._holes is None else self._holes.mask

    @property
    def crop(self) -> tuple[slice, slice]:
        """Rows and columns of an image that are the photo."""
        top, left = self._margins
        return slice(top, top + self.photo_size[0]), slice(left, left + self.photo_size[1])

    def _A(self, x: Tensor) -> Tensor:
        if self.grey:
            x = x.mean(dim=1, keepdim=True)
        if self._blur is not None:
            x = self._blur._A(x)[..., *self.crop]
        if self._shrink is not None:
            x = self._shrink._A(x)
        return x if self._holes is None else self._holes._A(x)

    def _adjoint(self, y: Tensor) -> Tensor:
        if self._holes is not None:
            y = self._holes._A(y)
        if self._shrink is not None:
            y = self._shrink._adjoint(y)
        if self._blur is not None:
            top, left = self._margins
            below, right = (n - s.stop for n, s in zip(self._images, self.crop, strict=True))
            y = self._blur._adjoint(F.pad(y, (left, right, top, below)))
        return (y / 3).repeat(1, 3, 1, 1) if self.grey else y

    def _pinv(self, y: Tensor) -> Tensor:
        few = self._blur is not None and y.element_size() < 8
        return least_squares(
            y,
            self._A,
            self._adjoint,
            max_iterations=_FEW_ITERATIONS if few else self.max_iterations,
            strict=not few,
        )

    def _measurement_shape(self, size: Size) -> tuple[int, ...]:
        return (self._channels, *self._measured)

    def _image_size(self, shape: tuple[int, ...]) -> Size:
        return self._images

    def _check_size(self, name: str, size: Size) -> None:
        check_exact_size(name, size, self._images)

    def __repr__(self) -> str:
        parts = (
            [] if self._blur is None else [f"taps={'x'.join(map(str, self._blur.kernel.shape))}"]
        )
        parts += [f"factor={self.factor}"] if self.factor > 1 else []
        parts += ["grey"] if self.grey else []
        parts += [] if self._holes is None else [self._holes._mask_repr()]
        height, width = self._measured
        return f"DamagedPhoto({height}x{width}, {', '.join(parts)})"
