"""A photo and all that a restored copy of it keeps, and the writing of the copy."""

import os
import warnings
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F

from deqir_lite._files import write_atomically
from deqir_lite.checks import check_finite
from deqir_lite.images.encoding import ENCODINGS, check_ending, encode
from deqir_lite.images.metadata import Metadata
from deqir_lite.images.profiles import Profile


class Frame(NamedTuple):
    """How the pixels of a file became an image: what a mask of the same photo has to follow.

    ``stored`` is the size (H, W) in the file, ``upright`` after EXIF's ``orientation``; ``size``
    the side of the square that was cropped and resized, or None.
    """

    stored: tuple[int, int]
    upright: tuple[int, int]
    orientation: int
    size: int | None

    @property
    def crop(self) -> tuple[slice, slice]:
        """Rows and columns of the largest centred square; of everything without ``size``."""
        if self.size is None:
            return slice(None), slice(None)
        side = min(self.upright)
        top, left = ((n - side) // 2 for n in self.upright)
        return slice(top, top + side), slice(left, left + side)


@dataclass(frozen=True, eq=False)
class PhotoFile:
    """A photo and all that a restored copy of it keeps.

    Attributes:
        image: (1, 3, H, W) in [-1, 1], sRGB; white where wholly transparent.
        alpha: opacity (1, 1, H, W) in [0, 1], float64, or None.
        depth: "uint8", "uint16" or "float32": of a value in the file.
        metadata: EXIF without orientation, dots per inch, ICC profile.
        frame: orientation, crop and size.
        path: the file.
        grey: whether the file has a single channel of colour.
    """

    image: torch.Tensor
    alpha: torch.Tensor | None
    depth: str
    metadata: Metadata
    frame: Frame
    path: Path
    grey: bool

    def within(self, rows: slice, columns: slice) -> "PhotoFile":
        """This part of the photo, whose frame stays that of the whole."""
        alpha = None if self.alpha is None else self.alpha[..., rows, columns]
        return replace(self, image=self.image[..., rows, columns], alpha=alpha)

    def on_white(self) -> torch.Tensor:
        """The image as it looks on white paper: with transparent pixels laid on it."""
        if self.alpha is None:
            return self.image
        alpha = self.alpha.to(self.image)
        return self.image * alpha + (1 - alpha)


def write_photo(path: str | os.PathLike[str], image: torch.Tensor, photo: PhotoFile) -> Path:
    """Write a restored ``image`` with all that was kept of ``photo``, all or nothing.

    Alpha, ICC profile, EXIF, resolution and depth are the photo's, as far as the format of the
    ending holds them: a warning says what it does not. Alpha is resized where the restored image
    has another size. Colours are converted from sRGB to the photo's profile. Of a grey file a grey
    one is made where the channels of ``image`` are all the same.

    Args:
        path: as in :func:`save_image`.
        image: (1, 3, H, W) or (3, H, W), clamped to [-1, 1].
        photo: what was restored.

    Returns the path. Raises as :func:`save_image` does.
    """
    path, ending = check_ending(path)
    check_finite("image", image)
    *batch, channels, height, width = image.shape if image.ndim > 2 else (0, 0, 0)
    if batch not in ([], [1]) or channels != 3 or 0 in (height, width):
        raise ValueError(
            f"image: got shape {tuple(image.shape)}; expected (1, 3, H, W), one image for one photo"
        )
    how = ENCODINGS[ending]
    image = image.detach().double().cpu().reshape(3, height, width).permute(1, 2, 0)
    unit = (image.numpy() / 2 + 0.5).clip(0, 1)
    alpha = None
    if photo.alpha is not None:
        alpha = _alpha(photo.alpha, unit.shape[:2])
        if not how.alpha:
            warnings.warn(f"path: {ending} has no alpha; laid on white", stacklevel=2)
            unit, alpha = unit * alpha + (1 - alpha), None
    metadata = photo.metadata
    if photo.grey and (unit == unit[..., :1]).all():
        unit, metadata = unit[..., :1], metadata._replace(profile=None)  # that is one of colours
    elif metadata.profile is not None:
        profile = Profile(metadata.profile)
        if not profile.is_srgb():
            unit = profile.from_srgb(unit)
    if alpha is not None:
        unit = np.concatenate([unit, alpha], axis=-1)
    depth = photo.depth if photo.depth in how.depths else how.depths[-1]
    if depth != photo.depth:
        warnings.warn(
            f"path: the photo has {photo.depth} values; {ending} holds {depth}", stacklevel=2
        )
    return write_atomically(path, encode(_quantised(unit, depth), ending, metadata))


def _quantised(unit: np.ndarray, depth: str) -> np.ndarray:
    if depth == "float32":
        return unit.astype(np.float32)
    return (unit * np.iinfo(depth).max).round().astype(depth)


def _alpha(alpha: torch.Tensor, size: tuple[int, ...]) -> np.ndarray:
    if alpha.shape[-2:] != size:
        alpha = F.interpolate(alpha, size, mode="bilinear", antialias=True).clamp(0, 1)
    return alpha[0, 0, ..., None].numpy()
