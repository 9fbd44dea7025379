"""Photos on disk -> image tensors (1, 3, H, W) in sRGB with values in [-1, 1]."""

import os
import warnings
from collections.abc import Callable

import numpy as np
import torch
from PIL import Image

from deqir_lite.checks import check_integer
from deqir_lite.images.decoding import Pixels, decode_file
from deqir_lite.images.encoding import PICTURE_ENDINGS
from deqir_lite.images.photo_files import Frame, PhotoFile
from deqir_lite.images.profiles import Profile

SMALLEST_SIDE = 8
"""Photos with fewer pixels a side are refused: no operator or prior can do anything with them."""

_AT_ONCE = 2**22
"""Pixels that are turned into floats at once."""

PHOTO_ENDINGS = (
    *PICTURE_ENDINGS, ".bmp", ".jpe", ".jfif", ".avif", ".heic", ".heif", ".hif", ".jp2", ".j2k",
    ".ppm", ".pgm", ".pnm", ".pfm",
)  # fmt: skip
"""What the name of a photo ends in, where a folder is searched for photos."""


def load_photo(
    path: str | os.PathLike[str],
    *,
    size: int | None = None,
    dtype: torch.dtype = torch.float32,
    device: torch.device | str | None = None,
) -> torch.Tensor:
    """Read a photo as a tensor (1, 3, H, W) in [-1, 1], transparent pixels laid on white.

    All else, arguments and errors too, as in :func:`read_photo`.
    """
    return read_photo(path, size=size, dtype=dtype, device=device).on_white()


def read_photo(
    path: str | os.PathLike[str],
    *,
    size: int | None = None,
    dtype: torch.dtype = torch.float32,
    device: torch.device | str | None = None,
    name: str = "path",
) -> PhotoFile:
    """Read a photo with all that is to be kept of it.

    8-bit value v becomes v / 127.5 - 1; values of 16 bits, and floats in [0, 1], are scaled alike.
    Grey and palette photos become RGB, an ICC profile is converted to sRGB, the EXIF orientation
    is applied. Warns of a profile that cannot be read, of values of which only 8 bits can be read,
    and of several pictures in a file, of which the first is read.

    Args:
        path: a PNG, JPEG, TIFF or WebP file, or of another format in ``RASTER_FORMATS``.
        size: crop the largest centred square and resize it (antialiased, Lanczos) to
            ``size`` x ``size`` pixels; None keeps the photo as it is.
        dtype: floating-point type of the image.
        device: where the image lives; None is torch's default.
        name: the argument that messages name.

    Raises:
        FileNotFoundError: no such file.
        ValueError: no regular file, not a picture, corrupt, fewer than 8 pixels a side, more pixels
            than :func:`allow_pixels` allows, floats beyond [0, 1], or a bad ``size``.
    """
    if size is not None:
        size = check_integer("size", size, minimum=SMALLEST_SIDE)
    if not isinstance(dtype, torch.dtype) or not dtype.is_floating_point:
        raise ValueError(f"dtype: got {dtype}; expected a floating-point dtype")
    pixels, metadata, path = decode_file(path, name=name)
    label = f"{name}: {str(path)!r}"
    height, width = pixels.values.shape[:2]
    if min(width, height) < SMALLEST_SIDE:
        raise ValueError(
            f"{label} has {width}x{height} pixels; "
            f"expected at least {SMALLEST_SIDE}x{SMALLEST_SIDE}"
        )
    for remark in pixels.remarks:
        warnings.warn(f"{label} {remark}", stacklevel=2)
    frame = Frame(pixels.stored, (height, width), pixels.orientation, size)
    depth = "uint16" if pixels.values.dtype == np.uint16 else "uint8"
    depth = "float32" if pixels.values.dtype.kind == "f" else depth
    colours, alpha = _unit(pixels, frame, label)
    colours, profile = _to_srgb(colours, pixels, metadata.profile, label)
    if alpha is not None:
        colours = np.where(alpha > 0, colours, 1.0)
    return PhotoFile(
        _tensor(colours).mul_(2).sub_(1).to(dtype=dtype, device=device),
        None if alpha is None else _tensor(alpha),
        depth,
        metadata._replace(profile=profile),
        frame,
        path,
        pixels.values.shape[-1] < 3,
    )


def _tensor(unit: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(np.ascontiguousarray(unit.transpose(2, 0, 1)))[None]


def _unit(pixels: Pixels, frame: Frame, label: str) -> tuple[np.ndarray, np.ndarray | None]:
    """Colours (H, W, C) and alpha (H, W, 1), float64 in [0, 1], cropped and resized first."""
    values = pixels.values[frame.crop]  # first: a large photo is never held in floats whole
    low, high = float(values.min()), float(values.max())
    if values.dtype.kind == "f" and not (low >= -1e-3 and high <= 1 + 1e-3):
        raise ValueError(f"{label} has values from {low:.4g} to {high:.4g}; expected [0, 1]")
    if frame.size is None or frame.size == values.shape[0]:
        unit = values / pixels.white
        np.clip(unit, 0, 1, out=unit)
        return (unit[..., :-1], unit[..., -1:]) if pixels.alpha else (unit, None)
    if not pixels.alpha:
        return _resize(lambda rows: _floats(values[rows], pixels.white), values, frame.size), None

    def opaque(rows: slice) -> np.ndarray:
        return _floats(values[rows][..., -1:], pixels.white)

    # Colours weighted by alpha: else what lies hidden under transparency would shine through.
    alpha = _resize(opaque, values, frame.size)
    weighted = _resize(
        lambda rows: _floats(values[rows][..., :-1], pixels.white) * opaque(rows),
        values,
        frame.size,
    )
    return np.divide(weighted, alpha, out=np.ones_like(weighted), where=alpha > 0).clip(0, 1), alpha


def _floats(values: np.ndarray, white: float) -> np.ndarray:
    return values.astype(np.float32) / np.float32(white)


def _resize(read: Callable[[slice], np.ndarray], values: np.ndarray, size: int) -> np.ndarray:
    """Lanczos with a support that grows with the reduction, on the floats that ``read`` makes of
    some rows of ``values``: no rounding to 8 bits.

    Pillow goes along the rows first and then along the columns. Here the rows are done some at a
    time, so that a large photo is never held in floats whole.
    """
    height, width = values.shape[:2]
    step = max(1, _AT_ONCE // width)
    strips = []
    for top in range(0, height, step):
        strip = read(slice(top, top + step))
        narrow = [_lanczos(strip[..., c], size, len(strip)) for c in range(strip.shape[-1])]
        strips.append(np.stack(narrow, axis=-1))
    rows = np.concatenate(strips)
    planes = [_lanczos(rows[..., c], size, size) for c in range(rows.shape[-1])]
    # Lanczos overshoots at edges; photos stay in their range.
    return np.clip(np.stack(planes, axis=-1), 0, 1).astype(np.float64)


def _lanczos(plane: np.ndarray, width: int, height: int) -> np.ndarray:
    picture = Image.fromarray(np.ascontiguousarray(plane))
    return np.asarray(picture.resize((width, height), Image.Resampling.LANCZOS))


def _to_srgb(
    colours: np.ndarray, pixels: Pixels, data: bytes | None, label: str
) -> tuple[np.ndarray, bytes | None]:
    """sRGB (H, W, 3), and the profile that a copy in colour is to have."""
    space = "CMYK" if pixels.cmyk else "GRAY" if colours.shape[-1] == 1 else "RGB"
    profile = None
    if data is not None:
        try:
            profile = Profile(data)
            if profile.space != space and (profile.space, space) != ("RGB", "GRAY"):
                raise ValueError(
                    f"its colour profile is for {profile.space}, its pixels are {space}"
                )
        except ValueError as error:
            warnings.warn(f"{label}: {error}; it is taken as sRGB", stacklevel=3)
            profile = None
    if space == "GRAY" and (profile is None or profile.space == "RGB"):
        colours = np.repeat(colours, 3, axis=-1)
    if profile is None and space == "CMYK":
        return (1 - colours[..., :3]) * (1 - colours[..., 3:]), None
    if profile is None:
        return colours, None
    if not profile.is_srgb():
        if not profile.exact and pixels.white > 255:
            warnings.warn(
                f"{label}: its colour profile is made of tables, which work with 8 bits",
                stacklevel=3,
            )
        colours = profile.to_srgb(colours)
    return colours, data if profile.reversible else None
