"""From a damaged photo and what is known of its damage to what is to be restored."""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from torch import Tensor

from deqir_lite.checks import (
    check_exact_size,
    check_images,
    check_integer,
    check_kinds,
    deviations,
    plain,
    several,
    shown,
)
from deqir_lite.operators import (
    BicubicDownsampling,
    DamagedPhoto,
    FFTBlur,
    Grayscale,
    Inpainting,
    LinearOperator,
    MaskedGrayscale,
)
from deqir_lite.operators.base import Size
from deqir_lite.operators.kernels import check_kernel
from deqir_lite.restoration.noise_level import estimate_sigma_y
from deqir_lite.restoration.plan import check_room
from deqir_lite.restoration.problem import Problem, are_grey

Levels = float | Sequence[float] | Tensor | Literal["auto"] | None

ROUNDING = 2 / 255 / 12**0.5
"""The standard deviation of what the 255 steps of an 8-bit file cut off, in units of [-1, 1]."""

_DETAIL, _GREY_DETAIL = 0.03, 0.15
"""More than :func:`estimate_sigma_y` finds in exact y of any bundled photo, in colour and grey."""

_ENOUGH = 512
"""The side of the middle of a photo that is looked at for noise."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Damage:
    """What is known of how a photo was damaged; all of it may be combined.

    A photo of h x w pixels was made of the one that is wanted in this order: it was blurred, lost
    its colours, was made smaller, and got holes; and noise, of which :func:`pose_damaged` is told.

    Attributes:
        mask: (h, w), 1 = kept and 0 = lost, in pixels of the photo as it is.
        kernel: of the blur, 2-D with odd sides, in pixels of the photo that is wanted.
        upscale: the photo that is wanted has so many times the pixels along each side: it was made
            smaller bicubically, as usual.
        colorize: the photo is grey, the mean of the channels.
    """

    mask: Tensor | None = None
    kernel: Tensor | None = None
    upscale: int = 1
    colorize: bool = False

    def __post_init__(self) -> None:
        if self.kernel is not None:
            check_kernel("kernel", self.kernel, ndim=2)
        check_kinds(Damage.__init__, vars(self))
        check_integer("upscale", self.upscale, 1)
        if not isinstance(self.colorize, bool):
            raise ValueError(f"colorize: got {shown(self.colorize)}; expected True or False")

    @property
    def parts(self) -> list[str]:
        """What there is, in words."""
        said = {
            "kernel": self.kernel is not None,
            f"upscale {self.upscale}": self.upscale > 1,
            "colorize": self.colorize,
            "mask": self.mask is not None,
        }
        return [name for name, there in said.items() if there]

    def operator(self, size: Size) -> LinearOperator:
        """The y = A x that gives photos of ``size`` (h, w): one with a known decomposition where
        there is one, else :class:`DamagedPhoto`."""
        parts = {part.split()[0] for part in self.parts}
        if self.mask is not None:
            check_exact_size("mask", self.mask.shape[-2:], size, of="the photo")
        if not parts:  # nothing but noise
            return FFTBlur([[1.0]])
        if parts == {"upscale"}:
            return BicubicDownsampling(self.upscale)
        if parts == {"colorize"}:
            return Grayscale()
        if self.mask is not None and parts <= {"mask", "colorize"}:
            return MaskedGrayscale(self.mask) if self.colorize else Inpainting(self.mask)
        return DamagedPhoto(
            size,
            mask=self.mask,
            kernel=self.kernel,
            factor=self.upscale,
            grey=self.colorize,
        )

    def within(self, rows: slice, columns: slice) -> "Damage":
        """The same for this part of the photo."""
        return replace(self, mask=None if self.mask is None else self.mask[..., rows, columns])


def pose_damaged(picture: Tensor, damage: Damage, *, sigma_y: Levels = None) -> Problem:
    """The restoration of damaged photos (B, 3, h, w), all with the same ``damage``.

    ``sigma_y`` is the noise in them, in units of [-1, 1], a number or one for each photo; "auto" is
    what :func:`estimate_sigma_y` finds. None is none; but where a photo has several kinds of
    damage, or blur, exact values would be pressed too hard, so it is the rounding of 8-bit files.
    A photo whose channels are the same stays grey, unless it lost its colours. Warns of noise that
    is there and was not spoken of. Raises ValueError for what is no photo, no damage, a mask of
    another size, a kernel larger than the photo, and an ``upscale`` that no memory can hold.
    """
    check_kinds(pose_damaged, locals())
    check_images("picture", picture)
    height, width = picture.shape[-2:]
    _check_said(damage, sigma_y, (height, width))
    if damage.upscale > 1:
        large = height * damage.upscale, width * damage.upscale
        check_room("upscale", damage.upscale, large, picture.device, batch=len(picture))
    operator = damage.operator((height, width))
    y = picture.mean(dim=1, keepdim=True) if damage.colorize else picture
    if damage.mask is not None:
        y = y * damage.mask.to(y)  # what holes hold is no measurement
    if isinstance(sigma_y, str) and sigma_y == "auto":
        levels = _noise_in(y, damage)
    else:
        composed = isinstance(operator, DamagedPhoto)
        given = (ROUNDING if composed else 0.0) if sigma_y is None else sigma_y
        levels = deviations("sigma_y", given, len(y), "'auto'")
        if sigma_y is None:
            _warn_of_noise(y, damage)
    name = " + ".join(damage.parts) or "noise"
    grey = None if damage.colorize else are_grey(picture)
    if isinstance(operator, DamagedPhoto):
        return Problem(name, operator, y, None, levels, operator.crop, grey)
    return Problem(name, operator, y, None, levels, grey=grey)


def _check_said(damage: Damage, sigma_y: Levels, size: Size) -> None:
    """Refuse where nothing is to be restored, and kernels that are larger than the photo."""
    auto = isinstance(sigma_y, str)
    if not damage.parts and (sigma_y is None or not (auto or _any(sigma_y))):
        raise ValueError(
            "damage: nothing was said of it; expected one or more of mask, kernel, upscale and "
            f"colorize, or sigma_y above 0 or 'auto' (noise), got sigma_y {shown(sigma_y)}"
        )
    if damage.kernel is not None:
        rows, columns = damage.kernel.shape
        height, width = (n * damage.upscale for n in size)
        if rows > height or columns > width:
            raise ValueError(
                f"kernel: has {columns}x{rows} taps, more than the photo's {width}x{height} pixels"
            )


def _any(sigma_y: Levels) -> bool:
    """Whether some level is not 0."""
    return any(several(sigma_y) or [plain(sigma_y)])


def _noise_in(y: Tensor, damage: Damage) -> Tensor:
    """The estimate in the middle of the photos, which tells as much as all of a large one."""
    size = y.shape[-2:]
    low = [max(0, (n - _ENOUGH) // 2) for n in size]
    middle = [slice(start, start + min(n, _ENOUGH)) for start, n in zip(low, size, strict=True)]
    try:
        part = damage.within(middle[0], middle[1])
        seen = y[..., middle[0], middle[1]].contiguous()
        return estimate_sigma_y(part.operator(tuple(seen.shape[-2:])), seen)
    except ValueError:  # the middle is one large hole
        if size[0] <= _ENOUGH and size[1] <= _ENOUGH:
            raise
        return estimate_sigma_y(damage.operator(tuple(size)), y)


def _warn_of_noise(y: Tensor, damage: Damage) -> None:
    """Say so when photos of whose noise nothing was said have more than their finest detail is
    taken for: that of grey ones is hard to tell from noise."""
    try:
        found = float(_noise_in(y, damage).max())
    except ValueError:  # too little is measured to tell
        return
    if found > (_DETAIL if y.shape[1] > 1 else _GREY_DETAIL):
        warnings.warn(
            f"sigma_y: the photo is taken as exact, but looks as if it had noise of {found:.2g}; "
            'sigma_y="auto" (--sigma-y auto) or a number takes it into account',
            stacklevel=3,
        )
