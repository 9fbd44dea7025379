"""What is known of the damage of photos: read for each of them, as it was said once for all."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from deqir_lite._files import check_regular
from deqir_lite.checks import check_choice, check_integer
from deqir_lite.cli import options as o
from deqir_lite.cli.app import read_deviation

if TYPE_CHECKING:
    from torch import Tensor

    from deqir_lite.images import Frame, PhotoFile
    from deqir_lite.operators.mask_files import MaskFile
    from deqir_lite.restoration import Damage


class Taken(NamedTuple):
    """A photo with its damage, and what is to be said of how files were read."""

    photo: PhotoFile
    damage: Damage
    remarks: list[str]


@dataclass(frozen=True)
class Known:
    """The options of ``restore`` that say what is known of the damage."""

    mask: str | None
    hole: str
    upscale: int | None
    kernel: str | None
    colorize: bool
    sigma_y: float | Literal["auto"] | None

    @classmethod
    def of(cls, given: dict[str, Any]) -> Known:
        """Checked as far as that goes without torch: ValueError or OSError for bad options."""
        check_mask(given["mask"], given["hole"])
        if given["upscale"] is not None:
            check_integer("upscale", given["upscale"], 2)
        kernel, noise = given["kernel"], given["sigma_y"]
        if kernel is not None and kernel.split(":")[0] not in o.kernel_names():
            check_regular("kernel", kernel, "kernel")
        return cls(**given | {"sigma_y": None if noise is None else read_deviation(noise)})

    def prepare(self, max_pixels: int | None) -> None:
        """Check the rest that goes without a photo, and set the limit of photos."""
        from deqir_lite.operators.named_kernels import is_kernel_name, named_kernel

        if self.kernel is not None and is_kernel_name(self.kernel):
            named_kernel(self.kernel)
        limit_pixels(max_pixels)

    def read(self, path: Path) -> Taken:
        """A photo and its damage; ValueError or OSError where they do not go together."""
        from deqir_lite.images import read_photo
        from deqir_lite.operators.kernel_files import read_kernel
        from deqir_lite.operators.named_kernels import is_kernel_name, named_kernel
        from deqir_lite.restoration import Damage

        photo = read_photo(path, name="photo")
        factor = self.upscale or 1
        holes = None if self.mask is None else read_holes(self.mask, photo.frame, self.hole)
        remarks = [] if holes is None else [f"mask: {holes.describe()}"]
        height, width = photo.frame.upright
        kernel: Tensor | None = None
        if self.kernel is not None and is_kernel_name(self.kernel):
            kernel = named_kernel(self.kernel)
            remarks.append(f"kernel: {self.kernel}, {kernel.shape[1]}x{kernel.shape[0]} taps")
        elif self.kernel is not None:
            found = read_kernel(self.kernel, image_size=(height * factor, width * factor))
            kernel = found.kernel
            remarks.append(f"kernel: {found.describe()}")
        damage = Damage(
            mask=None if holes is None else holes.mask,
            kernel=kernel,
            upscale=factor,
            colorize=self.colorize,
        )
        return Taken(photo, damage, remarks)


def check_mask(mask: str | None, hole: str) -> None:
    """Refuse what is neither a bundled mask nor a file, and an unknown kind of holes."""
    check_choice("hole", hole, o.names(o.HOLES))
    if mask is not None and mask not in o.names(o.MASKS):
        check_file("mask", mask, o.MASKS)


def check_file(name: str, path: str, bundled: str) -> None:
    """Refuse what is no file; of what is not there, say which names would do."""
    try:
        check_regular(name, path, name)
    except FileNotFoundError as error:
        raise FileNotFoundError(f"{error}; bundled: {bundled}") from error


def limit_pixels(max_pixels: int | None) -> None:
    """Let pictures have more pixels, or fewer."""
    if max_pixels is not None:
        from deqir_lite.images import allow_pixels

        allow_pixels(max_pixels)


def read_holes(mask: str, frame: Frame, hole: str) -> MaskFile:
    """The mask of a photo: a file, or a bundled one by name, of which the middle is taken."""
    from deqir_lite.bundled import mask_path
    from deqir_lite.operators.mask_files import read_mask

    if mask not in o.names(o.MASKS):
        return read_mask(mask, frame=frame, hole=hole)
    height, width = (frame.size, frame.size) if frame.size else frame.upright
    side = max(height, width)
    found = read_mask(mask_path(mask), size=side, hole=hole)
    top, left = (side - height) // 2, (side - width) // 2
    return replace(found, mask=found.mask[top : top + height, left : left + width])
