"""Open the file that a user names: a regular one, of a raster format, with pixels that fit."""

import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from PIL import Image, ImageFile, UnidentifiedImageError

from deqir_lite._files import check_regular
from deqir_lite.checks import check_integer

RASTER_FORMATS = (
    "PNG", "JPEG", "MPO", "TIFF", "WEBP", "AVIF", "JPEG2000", "GIF", "BMP", "DIB", "PPM", "HEIF",
)  # fmt: skip
"""Pillow's names of what is opened. Not whatever Pillow knows: it runs Ghostscript on EPS, and
takes nearly any bytes for some old formats."""

_RAW_ENDINGS = (
    ".3fr", ".arw", ".cr2", ".cr3", ".dng", ".nef", ".orf", ".pef", ".raf", ".rw2", ".srw",
)  # fmt: skip
_DRAWINGS = {
    b"%!PS": "an EPS or PostScript drawing",
    b"\xc5\xd0\xd3\xc6": "an EPS drawing",
    b"%PDF": "a PDF document",
    b"<svg": "an SVG drawing",
    b"<?xm": "an XML document, such as an SVG drawing",
}
_HEIC_BRANDS = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1")


def allow_pixels(max_pixels: int) -> None:
    """Let pictures of up to ``max_pixels`` be opened, from now on, in this process.

    A small file can hold a picture that fills the memory, so Pillow refuses more than twice
    ``PIL.Image.MAX_IMAGE_PIXELS``, 179 megapixels by default. Raises ValueError unless
    ``max_pixels`` is a positive integer.
    """
    max_pixels = check_integer("max_pixels", max_pixels, 1)
    Image.MAX_IMAGE_PIXELS = -(-max_pixels // 2)


@contextmanager
def open_picture(
    path: Any, *, name: str = "path", what: str = "photo"
) -> Iterator[ImageFile.ImageFile]:
    """The picture in a file, not decoded yet; errors while it is decoded are reported alike.

    Raises FileNotFoundError, and ValueError in one line for what is no regular file, no picture of
    ``RASTER_FORMATS``, damaged, or larger than :func:`allow_pixels` allows.
    """
    path = check_regular(name, path, what)
    label = f"{name}: {str(path)!r}"
    if path.suffix.lower() in _RAW_ENDINGS:
        raise ValueError(
            f"{label} is a camera's raw file; expected a developed {what}, as 16-bit TIFF or PNG"
        )
    try:
        with path.open("rb") as file, warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about odd metadata: only the pixels count here
            head = file.read(32)
            _register_heif(head)
            known = [f for f in RASTER_FORMATS if f in _readable()]
            with Image.open(path, formats=known) as found:
                yield found
    except MemoryError:
        raise
    except Refused as error:
        raise ValueError(str(error)) from None
    except Image.DecompressionBombError as error:
        counted = re.search(r"\((\d+) pixels\)", str(error))  # nothing else tells
        raise ValueError(f"{label} {_too_many(counted[1] if counted else 'more')}") from error
    except UnidentifiedImageError as error:
        raise ValueError(f"{label} is no readable {what} ({_instead(head)})") from error
    except Exception as error:  # a damaged file can make a decoder raise nearly anything
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise ValueError(f"{label} is no readable {what} ({reason})") from error


class Refused(ValueError):
    """A complete message, to be passed on as it is."""


def refuse(message: str) -> ValueError:
    """An error for use inside :func:`open_picture`, whose message is complete already."""
    return Refused(message)


def check_pixel_count(label: str, size: tuple[int, int]) -> None:
    """Refuse a (width, height) above the limit where Pillow has not done so itself."""
    limit = Image.MAX_IMAGE_PIXELS
    if limit and size[0] * size[1] > 2 * limit:
        raise refuse(f"{label} {_too_many(size[0] * size[1])}")


def _too_many(count: int | str) -> str:
    return (
        f"has {count} pixels, above the limit of {2 * (Image.MAX_IMAGE_PIXELS or 0)}, as a small "
        "file may fill the memory; --max-pixels or deqir_lite.images.allow_pixels set another one"
    )


def _readable() -> set[str]:
    Image.init()
    return set(Image.OPEN)


def _is_heic(head: bytes) -> bool:
    return head[4:8] == b"ftyp" and head[8:12] in _HEIC_BRANDS


def _register_heif(head: bytes) -> None:
    if _is_heic(head):
        try:
            import pillow_heif
        except ImportError:
            return
        pillow_heif.register_heif_opener()


def _instead(head: bytes) -> str:
    """What a file that Pillow does not take for a picture seems to be."""
    if not head:
        return "the file is empty"
    if _is_heic(head):
        if "HEIF" in _readable():
            return "it is HEIC, but damaged or no still picture"
        return "HEIC needs the package pillow-heif: pip install 'deqir-lite[heic]'"
    for start, what in _DRAWINGS.items():
        if head.lstrip(b"\xef\xbb\xbf \r\n").startswith(start):
            return f"it is {what}; expected pixels"
    return "its content is of none of " + ", ".join(RASTER_FORMATS)
