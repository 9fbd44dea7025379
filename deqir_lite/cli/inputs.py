"""What is known of the damage of photos: read for each of them, as it was said once for all."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, NamedTuple

from torch import Tensor

from deqir_lite.bundled import mask_names, mask_path
from deqir_lite.checks import check_choice, check_integer
from deqir_lite.cli.app import read_deviation
from deqir_lite.cli.record import digest
from deqir_lite.images import Frame, PhotoFile, allow_pixels, read_photo
from deqir_lite.operators.kernel_files import read_kernel
from deqir_lite.operators.mask_files import HOLES, MaskFile, read_mask
from deqir_lite.operators.named_kernels import is_kernel_name, named_kernel
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
    def of(cls, given: dict[str, Any], max_pixels: int | None) -> "Known":
        """Checked as far as that goes without a photo: ValueError or OSError for bad options."""
        set_limits(given["hole"], max_pixels)
        if given["upscale"] is not None:
            check_integer("upscale", given["upscale"], 2)
        kernel = given["kernel"]
        if kernel is not None and is_kernel_name(kernel):
            named_kernel(kernel)
        noise = given["sigma_y"]
        return cls(**given | {"sigma_y": None if noise is None else read_deviation(noise)})

    def digests(self) -> dict[str, str]:
        """Of the files of mask and kernel."""
        files = {"mask": self.mask, "kernel": self.kernel}
        return {
            f"{name}_sha256": digest(Path(file))
            for name, file in files.items()
            if file is not None and os.path.isfile(file)
        }

    def read(self, path: Path) -> Taken:
        """A photo and its damage; ValueError or OSError where they do not go together."""
        photo = read_photo(path)
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


def set_limits(hole: str, max_pixels: int | None) -> None:
    """Check what a hole is, and let pictures have more pixels, or fewer."""
    check_choice("hole", hole, HOLES)
    if max_pixels is not None:
        check_integer("max-pixels", max_pixels, 1)
        allow_pixels(max_pixels)


def read_holes(mask: str, frame: Frame, hole: str) -> MaskFile:
    """The mask of a photo: a bundled one by name, which fits any square one, or a file."""
    if mask not in mask_names():
        return read_mask(mask, frame=frame, hole=hole)
    height, width = (frame.size, frame.size) if frame.size else frame.upright
    if height != width:
        raise ValueError(
            f"mask: {mask} is for square photos, this one has {width}x{height} pixels; expected a "
            "picture of that size"
        )
    return read_mask(mask_path(mask), size=height, hole=hole)
