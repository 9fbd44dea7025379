"""Colour of more than 8 bits a channel, for which Pillow has no mode: it cuts it silently.

What it cuts of 16-bit PNG and of contiguous TIFF is recovered by decoding twice, once for the high
and once for the low bytes; float colour and planes of TIFF are read by tifffile, PPM here.
"""

import logging
import re
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageFile

from deqir_lite.images.files import Refused, check_pixel_count, refuse

_BITS, _PLANAR, _SUBFILE, _DNG_VERSION = 258, 284, 254, 50706
_OTHER_BYTE = {"B": "L", "L": "B", "N": "B"}  # the machine's own order, N, is L where Pillow runs

Raw = tuple[np.ndarray, float, bool]
"""Pixels as they lie in the file, the value of white, and whether they are CMYK."""


def decode_deep(picture: ImageFile.ImageFile, path: Path, label: str) -> Raw | None:
    """What Pillow would cut; None where it cuts nothing."""
    tags = getattr(picture, "tag_v2", {})
    if tags.get(_DNG_VERSION) or tags.get(_SUBFILE, 0) & 1:
        raise refuse(f"{label} begins with a thumbnail, as a camera's raw file; expected a photo")
    arguments = picture.tile[0].args if picture.tile else ""
    raw = arguments if isinstance(arguments, str) else str(arguments[0]) if arguments else ""
    if tags and max(numbers(tags.get(_BITS, 8))) > 8 and picture.mode not in ("F", "I", "I;16"):
        if tags.get(_PLANAR, 1) == 1 and re.fullmatch(r"(RGBA?|CMYK);16[LBN]", raw):
            return _decode_twice(picture, path)
        if picture.mode != "I;16B":
            return read_tiff(path, label)
    if picture.format == "PNG" and raw.endswith(";16B") and picture.mode != "I;16":
        return _decode_twice(picture, path)
    if picture.format == "PPM" and not isinstance(arguments, str) and picture.mode == "RGB":
        return _deep_ppm(picture, path, label)
    return None


def numbers(value: object) -> tuple[int, ...]:
    return value if isinstance(value, tuple) else (int(value),)  # type: ignore[call-overload]


def _decode_twice(picture: ImageFile.ImageFile, path: Path) -> Raw:
    """16 bits from two decodings to 8 bits, with the file's byte order as it is and turned."""
    if picture.tile[0].args == "LA;16B":  # in mode RGBA, whose four bytes are the two values
        picture.tile = [t._replace(args="RGBA") for t in picture.tile]
        picture.load()
        return np.array(picture).view(">u2").astype(np.uint16), 65535, False
    colour = picture.info.get("transparency")
    with Image.open(path, formats=[str(picture.format)]) as again:
        again.tile = [t._replace(args=_other_byte(t.args)) for t in again.tile]
        high, low = np.asarray(picture), np.asarray(again)
    values = high.astype(np.uint16) << 8 | low
    if picture.mode == "RGB" and isinstance(colour, tuple):  # the one colour that is transparent
        opaque = (values != np.array(colour, dtype=np.uint16)).any(axis=-1, keepdims=True)
        values = np.concatenate([values, opaque.astype(np.uint16) * 65535], axis=-1)
    return values, 65535, picture.mode == "CMYK"


def _other_byte(arguments: Any) -> Any:
    if isinstance(arguments, str):
        return arguments[:-1] + _OTHER_BYTE[arguments[-1]]
    first, *rest = arguments
    return (first[:-1] + _OTHER_BYTE[first[-1]], *rest)


def read_tiff(path: Path, label: str) -> Raw:
    """The first page of a TIFF that Pillow does not know: float colour, channels in planes."""
    import tifffile  # slow to import, and only for these

    logging.getLogger("tifffile").disabled = True  # what it finds odd is said in one line, or not
    try:
        with tifffile.TiffFile(path) as file:
            page = file.pages.first
            size, samples = (page.imagewidth, page.imagelength), page.samplesperpixel
            check_pixel_count(label, size)
            spaces = [tifffile.PHOTOMETRIC.MINISBLACK, tifffile.PHOTOMETRIC.RGB]
            if page.photometric not in spaces or samples > 16:
                kind = getattr(page.photometric, "name", page.photometric)
                raise ValueError(f"{samples} channels of {kind}; expected grey or RGB")
            values, extra, bits = page.asarray(), page.extrasamples or (), page.bitspersample
            if page.axes == "SYX":
                values = np.moveaxis(values, 0, -1)
            if values.shape not in (size[::-1], (*size[::-1], samples)) or not values.size:
                raise ValueError(f"pixels of the shape {values.shape} for {size[0]}x{size[1]}")
    except (MemoryError, Refused):
        raise
    except Exception as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise refuse(f"{label} is a TIFF that is not read here ({reason})") from error
    if values.ndim == 3 and extra and extra[0] != 2:  # not plain alpha
        if extra[0] == 1:
            raise refuse(f"{label} has colours multiplied by alpha; save it with straight alpha")
        values = values[..., : -len(extra)]
    if values.dtype.kind == "f":
        values = values.astype(np.float32 if values.dtype.itemsize < 8 else np.float64)
        white = 1.0
    elif values.dtype in (np.uint8, np.uint16):
        white = float(2 ** numbers(bits)[0] - 1)
    else:
        raise refuse(f"{label} has {values.dtype} pixels; expected 8 or 16 bits, or floats")
    if values.ndim == 3 and not 1 <= values.shape[-1] <= 4:
        raise refuse(f"{label} has {values.shape[-1]} channels; expected 1 to 4")
    return values, white, False


def _deep_ppm(picture: ImageFile.ImageFile, path: Path, label: str) -> Raw | None:
    """Colour of up to 16 bits in a binary PPM: big-endian values behind a header."""
    codec, _, offset, arguments = picture.tile[0]
    assert isinstance(arguments, tuple)
    most = int(arguments[-1])
    if most < 256:
        return None
    width, height = picture.size
    if codec != "ppm":
        raise refuse(f"{label} is a PPM in text with more than 8 bits; expected a binary one")
    if path.stat().st_size - offset < width * height * 6:
        raise ValueError("image file is truncated")
    values = np.fromfile(path, dtype=">u2", count=width * height * 3, offset=offset)
    return values.reshape(height, width, 3).astype(np.uint16), float(most), False
