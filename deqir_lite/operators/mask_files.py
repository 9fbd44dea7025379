"""Masks read from a picture: which pixels of a photo are kept, and which are holes."""

import os
import warnings
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from deqir_lite._files import printable
from deqir_lite.checks import check_choice, check_integer
from deqir_lite.defaults import HOLE
from deqir_lite.images import SMALLEST_SIDE, Frame
from deqir_lite.images.decoding import Pixels, decode_file, oriented

HOLES = ("auto", "black", "white", "transparent", "opaque")
"""What marks a hole. auto: black, or transparent when nothing but alpha varies."""

_SPREAD = 2 / 255
"""Channels closer than this are the same: JPEG moves them."""


@dataclass(frozen=True, eq=False)
class MaskFile:
    """A mask (H, W), 1 = kept and 0 = lost, and what in the file meant a hole."""

    mask: Tensor
    hole: str
    path: Path

    def describe(self) -> str:
        """One line: what was taken for a hole, and how much that is."""
        lost = 1 - float(self.mask.mean())
        height, width = self.mask.shape
        name = printable(self.path.name)
        return f"{name}: {self.hole} = hole, {lost:.1%} of {width}x{height} pixels"


def load_mask(
    path: str | os.PathLike[str],
    *,
    size: int | None = None,
    frame: Frame | None = None,
    hole: str = HOLE,
) -> Tensor:
    """Read a mask (H, W), 1 = kept and 0 = lost; arguments and errors as in :func:`read_mask`."""
    return read_mask(path, size=size, frame=frame, hole=hole).mask


def read_mask(
    path: str | os.PathLike[str],
    *,
    size: int | None = None,
    frame: Frame | None = None,
    hole: str = HOLE,
) -> MaskFile:
    """Read a mask from a picture.

    Brighter and darker than middle grey are white and black; in a file with two values near black,
    such as 0 and 1, the larger one is white. The mask is cropped and resized like its photo, but by
    the nearest neighbour, so that no pixel is kept in part.

    Args:
        path: a picture, as for :func:`deqir_lite.images.photos.load_photo`.
        size: crop the largest centred square and resize it to this side.
        frame: of the photo that the mask belongs to, in place of ``size``. The mask must then have
            the photo's size: upright, or as it is stored in the file (its orientation is applied
            then), or that of the square that was made of it.
        hole: one of ``HOLES``.

    Raises:
        FileNotFoundError: no such file.
        ValueError: no picture; another size than the photo's; grey and alpha both vary, so either
            may be the mask; nothing or everything masked; a picture with mostly other values than
            black and white; a bad argument.
    """
    check_choice("hole", hole, HOLES)
    if size is not None:
        size = check_integer("size", size, minimum=SMALLEST_SIDE)
    pixels, _, path = decode_file(path, name="mask", what="mask")
    label = f"mask: {str(path)!r}"
    for remark in pixels.remarks:
        warnings.warn(f"{label} {remark}", stacklevel=2)
    bright, hole = _bright(pixels, hole, label)
    kept = bright == (hole in ("black", "transparent"))
    kept = _fitted(kept, pixels, frame or Frame(kept.shape, kept.shape, 1, size), label)
    if kept.all():
        raise ValueError(f"{label} masks no pixel: none is {hole} ({_OTHER[hole]} means the hole?)")
    if not kept.any():
        extent = "is black: it" if hole == "black" else "masks every pixel: it"
        raise ValueError(f"{label} {extent} keeps no pixel ({_OTHER[hole]} means the hole?)")
    return MaskFile(torch.from_numpy(kept.copy()).float(), hole, path)


_OTHER = {
    "black": "white", "white": "black", "transparent": "opaque", "opaque": "transparent",
}  # fmt: skip


def _bright(pixels: Pixels, hole: str, label: str) -> tuple[np.ndarray, str]:
    """Where the file is bright, or opaque, (H, W), and what a hole is, no more "auto"."""
    if pixels.cmyk:
        raise ValueError(f"{label} is a CMYK picture; expected black and white, or alpha")
    if pixels.values.dtype.kind == "f" and not np.isfinite(pixels.values).all():
        raise ValueError(f"{label} holds NaN or infinity; expected black and white")
    unit = pixels.values / np.float32(pixels.white)
    alpha = unit[..., -1] if pixels.alpha else None
    colours = unit[..., :-1] if pixels.alpha else unit
    if hole in ("transparent", "opaque"):
        if alpha is None:
            raise ValueError(f"{label} has no alpha; hole {hole!r} needs one, try black or white")
        return _halves(alpha, label), hole
    if alpha is not None and hole == "auto" and np.ptp(alpha) > _SPREAD:
        visible = colours[alpha > 0]  # what lies under full transparency means nothing
        if np.ptp(visible, axis=0).max() > _SPREAD:
            raise ValueError(
                f"{label} varies in grey and in alpha, and either may be the mask; say which is a "
                "hole (--hole): black, white, transparent or opaque"
            )
        return _halves(alpha, label), "transparent"
    return _halves(colours.mean(axis=-1), label), "black" if hole == "auto" else hole


def _halves(grey: np.ndarray, label: str) -> np.ndarray:
    """True in the brighter half of the range."""
    levels = np.unique(grey)
    if len(levels) == 2 and levels[0] == 0 and levels[1] < 0.5:
        return grey > 0  # 0 and 1, or 0 and any label
    between = float(((grey > 0.2) & (grey < 0.8)).mean())
    if len(levels) > 16 and between > 0.5:
        raise ValueError(
            f"{label} looks like a photo: {between:.0%} of its pixels are neither black nor white"
        )
    if len(levels) > 2 and levels[-1] < 0.25:
        raise ValueError(
            f"{label} has {len(levels)} values from {levels[0] * 255:.3g} to "
            f"{levels[-1] * 255:.3g} of 255; expected black and white, or two values"
        )
    return grey > 0.5


def _fitted(kept: np.ndarray, pixels: Pixels, frame: Frame, label: str) -> np.ndarray:
    """The mask cropped and resized as its photo."""
    if frame.size is not None and kept.shape == (frame.size, frame.size):
        return kept
    if kept.shape != frame.upright:
        if kept.shape != frame.stored or pixels.orientation != 1:
            wanted = [frame.upright] if frame.size is None else [frame.upright, (frame.size,) * 2]
            expected = " or ".join(f"{width}x{height}" for height, width in wanted)
            raise ValueError(
                f"{label} has {kept.shape[1]}x{kept.shape[0]} pixels; expected {expected}, "
                "as its photo"
            )
        kept = oriented(kept, frame.orientation)
    kept = kept[frame.crop]
    if frame.size is None:
        return kept
    nearest = Image.fromarray(kept.astype(np.uint8)).resize(
        (frame.size, frame.size), Image.Resampling.NEAREST
    )
    return np.asarray(nearest) > 0
