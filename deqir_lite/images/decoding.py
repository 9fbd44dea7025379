"""From a picture file to an array of its pixels, at the depth that the file has, upright."""

import warnings
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from PIL import Image, ImageFile, UnidentifiedImageError

from deqir_lite._files import check_regular
from deqir_lite.images.deep import Raw, decode_deep, numbers, read_tiff
from deqir_lite.images.files import open_picture, refuse
from deqir_lite.images.metadata import Metadata, read_metadata, read_tiff_metadata

_ORIENTATION, _BITS, _PHOTOMETRIC = 274, 258, 262
_EIGHT_BIT_MODES = ("1", "L", "LA", "P", "PA", "RGB", "RGBA", "RGBX", "CMYK", "YCbCr")


class Pixels(NamedTuple):
    """``values`` (H, W, C) up to ``white``, as they are to be seen: the orientation is applied.

    C is 1 (grey), 2 (grey, alpha), 3, 4 (colour, alpha), or with ``cmyk`` the four inks.
    ``stored`` is the size (H, W) in the file, before ``orientation``, 1 to 8 as in EXIF.
    ``remarks`` say what of the file is not among them, each to be put behind its name.
    """

    values: np.ndarray
    white: float
    stored: tuple[int, int]
    orientation: int
    cmyk: bool = False
    remarks: tuple[str, ...] = ()

    @property
    def alpha(self) -> bool:
        """Whether the last channel is alpha."""
        return not self.cmyk and self.values.shape[-1] in (2, 4)


Decoded = tuple[Pixels, Metadata, Path]


def decode_file(path: Any, *, name: str = "path", what: str = "photo") -> Decoded:
    """The pixels in a file, its metadata and its path; errors as in :func:`open_picture`."""
    path = check_regular(name, path, what)
    label = f"{name}: {str(path)!r}"
    try:
        with open_picture(path, name=name, what=what) as picture:
            pixels = _decode(picture, path, label)
            return pixels, read_metadata(picture, pixels.orientation), path
    except ValueError as error:
        if not isinstance(error.__cause__, UnidentifiedImageError) or not _is_tiff(path):
            raise
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            values, white, _ = read_tiff(path, label)
            metadata, orientation = read_tiff_metadata(path)
        return _upright(values, white, orientation, orientation), metadata, path


def _decode(picture: ImageFile.ImageFile, path: Path, label: str) -> Pixels:
    # Of a TIFF, Pillow applies the orientation itself and forgets it; of a PNG, it decodes the
    # pixels to find it, and cuts them.
    before = _orientation(picture) if picture.format == "TIFF" else 1
    remarks = _remarks(picture, path)
    found = decode_deep(picture, path, label)
    if found is None:
        picture.load()
        found = _simple(picture, label)
    rest = _orientation(picture)
    pixels = _upright(*found[:2], rest if before == 1 else before, rest)
    return pixels._replace(cmyk=found[2], remarks=remarks)


def _upright(values: np.ndarray, white: float, orientation: int, rest: int) -> Pixels:
    """``rest`` of the ``orientation`` of the file is still to be applied."""
    values = oriented(values if values.ndim == 3 else values[..., None], rest)
    height, width = values.shape[:2]
    stored = (width, height) if orientation > 4 else (height, width)
    return Pixels(values, white, stored, orientation)


def oriented(pixels: np.ndarray, orientation: int) -> np.ndarray:
    """An array (H, W, ...) as EXIF's ``orientation``, 1 to 8, wants it to be seen."""
    if orientation > 4:
        pixels = pixels.swapaxes(0, 1)
    if orientation in (3, 4, 7, 8):
        pixels = pixels[::-1]
    if orientation in (2, 3, 6, 7):
        pixels = pixels[:, ::-1]
    return pixels


def _orientation(picture: Image.Image) -> int:
    try:
        found = picture.getexif().get(_ORIENTATION, 1)
    except Exception:  # damaged metadata say nothing
        return 1
    return found if found in range(1, 9) else 1


def _simple(picture: Image.Image, label: str) -> Raw:
    """What Pillow decodes at full depth."""
    tags = getattr(picture, "tag_v2", {})
    if picture.mode.startswith("I;16") or (picture.mode == "I" and picture.format == "PPM"):
        values = np.asarray(picture).astype(np.uint16)
        white = float(2 ** numbers(tags.get(_BITS, 16))[0] - 1)
        transparent = picture.info.get("transparency")
        if isinstance(transparent, int):
            values = np.stack([values, (values != transparent) * np.uint16(white)], axis=-1)
    elif picture.mode == "F":
        values, white = np.asarray(picture), 1.0
    elif picture.mode not in _EIGHT_BIT_MODES:
        raise refuse(
            f"{label} has pixels of Pillow's mode {picture.mode!r}; expected grey, RGB, RGBA, "
            "palette or CMYK with 8 or 16 bits, or floats"
        )
    else:
        return np.asarray(_eight_bits(picture)), 255.0, picture.mode == "CMYK"
    if tags.get(_PHOTOMETRIC) == 0:  # white is zero, which Pillow heeds for 8 bits only
        values = np.asarray(white - values, dtype=values.dtype)
    return values, white, False


def _eight_bits(picture: Image.Image) -> Image.Image:
    if picture.mode == "CMYK":
        return picture
    grey = picture.mode in ("1", "L", "LA")
    if picture.has_transparency_data:
        return _converted(picture, "LA" if grey and picture.mode != "1" else "RGBA")
    return _converted(picture, "L" if grey else "RGB")


def _converted(picture: Image.Image, mode: str) -> Image.Image:
    """Pillow makes a copy where there is nothing to convert, too."""
    return picture if picture.mode == mode else picture.convert(mode)


def _remarks(picture: Image.Image, path: Path) -> tuple[str, ...]:
    remarks = []
    bits = _bits(picture, path)
    if bits > 8:
        remarks.append(
            f"has {bits} bits a channel, of which 8 are read; a 16-bit TIFF or PNG is read whole"
        )
    frames = 1 if picture.format == "MPO" else getattr(picture, "n_frames", 1)  # MPO: previews
    if frames > 1:
        remarks.append(f"holds {frames} pictures; the first is read")
    return tuple(remarks)


def _bits(picture: Image.Image, path: Path) -> int:
    """Bits a channel in the modern formats, of which Pillow's decoders keep 8."""
    if picture.format == "HEIF":
        return int(picture.info.get("bit_depth") or 8)
    if picture.format not in ("AVIF", "JPEG2000") or picture.mode.startswith("I"):
        return 8
    with path.open("rb") as file:
        head = file.read(4096)
    if picture.format == "AVIF":
        place = head.find(b"av1C")
        flags = head[place + 6] if 0 <= place < len(head) - 6 else 0
        return (12 if flags & 0x20 else 10) if flags & 0x40 else 8
    place = head.find(b"\xff\x4f\xff\x51")  # SIZ: 38 bytes of sizes, then each channel's bits
    return (head[place + 42] & 0x7F) + 1 if 0 <= place < len(head) - 42 else 8


def _is_tiff(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(4) in (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
