"""An array of pixels -> the bytes of a picture file, with alpha, depth and metadata.

Pillow writes 8 bits. 16-bit colour PNG and 16-bit or float TIFF, for which it has no mode, are put
together here: uncompressed lines between the headers.
"""

import io
import os
import struct
import zlib
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from PIL import Image

from deqir_lite.checks import check_choice
from deqir_lite.images.metadata import Metadata, tiff_directory


class Encoding(NamedTuple):
    """A file format: Pillow's name and options, and what it can hold."""

    format: str
    options: dict[str, Any]
    depths: tuple[str, ...] = ("uint8",)
    alpha: bool = True
    longest_side: int = 2**31 - 1


_JPEG = Encoding("JPEG", {"quality": 95, "subsampling": 0}, alpha=False, longest_side=65535)
_TIFF = Encoding("TIFF", {}, ("uint8", "uint16", "float32"))
ENCODINGS = {
    ".png": Encoding("PNG", {}, ("uint8", "uint16")),
    ".jpg": _JPEG,
    ".jpeg": _JPEG,
    ".tif": _TIFF,
    ".tiff": _TIFF,
    ".webp": Encoding("WEBP", {"lossless": True}, longest_side=16383),
}
"""By the ending of the file's name."""

_NONE = Metadata()

PICTURE_ENDINGS = tuple(ENCODINGS)
"""What the name of a saved picture may end in."""


def check_ending(path: Any) -> tuple[Path, str]:
    """The path of a picture to write and its ending, a key of ``ENCODINGS``; else ValueError."""
    if not isinstance(path, (str, bytes, os.PathLike)):
        raise ValueError(f"path: got {path!r}; expected the path of a picture to write")
    path = Path(os.fsdecode(path))
    ending = path.suffix.lower()
    check_choice("path ending", ending, ENCODINGS)
    return path, ending


def encode(pixels: np.ndarray, ending: str, metadata: Metadata = _NONE) -> bytes:
    """The file of an array (H, W, C) of a type that the format holds: C is 1 (grey), 2 (grey,
    alpha), 3 or 4 (colour, alpha).

    Raises ValueError when the picture has more pixels a side than the format can.
    """
    how = ENCODINGS[ending]
    height, width = pixels.shape[:2]
    if max(height, width) > how.longest_side:
        raise ValueError(
            f"path: a picture of {width}x{height} pixels; {ending} holds at most "
            f"{how.longest_side} a side, .png and .tif more"
        )
    if pixels.dtype != np.uint8:
        return (_png16 if how.format == "PNG" else _deep_tiff)(pixels, metadata)
    options = dict(how.options)
    if metadata.profile:
        options["icc_profile"] = metadata.profile
    if metadata.exif and len(metadata.exif) < 65000:  # of JPEG; others hold more, nobody needs it
        options["exif"] = metadata.exif
    if metadata.dpi and how.format != "WEBP":
        options["dpi"] = metadata.dpi
    encoded = io.BytesIO()
    Image.fromarray(pixels[..., 0] if pixels.shape[-1] == 1 else pixels).save(
        encoded, format=how.format, **options
    )
    return encoded.getvalue()


def _png16(pixels: np.ndarray, metadata: Metadata) -> bytes:
    """Source: the PNG specification, third edition, 11.2 and 11.3."""
    height, width, channels = pixels.shape
    lines = pixels.astype(">u2").reshape(height, -1).view(np.uint8)
    lines[1:] -= lines[:-1].copy()  # filter 2, up: photos become a third smaller
    filtered = np.concatenate([np.full((height, 1), 2, dtype=np.uint8), lines], axis=1)
    colour = {1: 0, 2: 4, 3: 2, 4: 6}[channels]
    chunks = [(b"IHDR", struct.pack(">IIBBBBB", width, height, 16, colour, 0, 0, 0))]
    if metadata.profile:
        chunks.append((b"iCCP", b"ICC Profile\0\0" + zlib.compress(metadata.profile)))
    if metadata.dpi:
        metre = [round(dots / 0.0254) for dots in metadata.dpi]
        chunks.append((b"pHYs", struct.pack(">IIB", *metre, 1)))
    if metadata.exif:
        chunks.append((b"eXIf", metadata.exif.removeprefix(b"Exif\0\0")))
    chunks += [(b"IDAT", zlib.compress(filtered.tobytes(), 6)), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
        for name, data in chunks
    )


def _deep_tiff(pixels: np.ndarray, metadata: Metadata) -> bytes:
    """Source: TIFF 6.0, sections 6, 18 and 19."""
    height, width, channels = pixels.shape
    data = pixels.astype(pixels.dtype.newbyteorder("<")).tobytes()
    directory = tiff_directory(metadata)
    directory[256], directory[257] = width, height
    directory[258] = (8 * pixels.itemsize,) * channels
    directory[259], directory[277], directory[278] = 1, channels, height
    directory[262] = 1 if channels < 3 else 2  # black is zero, or RGB
    directory[279], directory[284] = len(data), 1
    directory[339] = (3 if pixels.dtype.kind == "f" else 1,) * channels
    if channels in (2, 4):
        directory[338] = 2  # alpha that the colours are not multiplied with
    directory[273] = 0  # counted from the end of the directory by its writer
    file = io.BytesIO()
    directory.save(file)
    return file.getvalue() + data
