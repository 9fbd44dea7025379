"""What a photo says about itself, its resolution and EXIF, and what of it holds for a copy."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from PIL import Image, TiffImagePlugin

_EXIF_FOLDER, _GPS_FOLDER = 34665, 34853
_KEPT = (
    270, 271, 272, 305, 306, 315, 316, 18246, 33432, 40091, 40092, 40093, 40094, 40095,
)  # fmt: skip
"""Description, camera, software, dates, artist, rating, copyright and Windows' titles. Not the
orientation, which is applied, nor sizes, offsets and thumbnails, which describe the old pixels."""
_OF_OLD_PIXELS = (40962, 40963, 37500)
"""Width and height; and the maker's notes, which hold offsets into the old file and thumbnails."""


class Metadata(NamedTuple):
    """``exif`` as bytes for Pillow's ``save``, ``dpi`` across and down, ``profile`` of ICC."""

    exif: bytes | None = None
    dpi: tuple[float, float] | None = None
    profile: bytes | None = None


def read_metadata(picture: Image.Image, orientation: int) -> Metadata:
    """What a photo, decoded already, keeps in a copy with its ``orientation`` applied.

    Damaged metadata are none: they are no reason to refuse the pixels.
    """
    return _metadata(_exif_of(picture), picture.info, orientation)


def read_tiff_metadata(path: Any) -> tuple[Metadata, int]:
    """The same of a TIFF that Pillow does not open, and its orientation."""
    try:
        with open(path, "rb") as file:
            exif = Image.Exif()
            exif.load_from_fp(file)
            orientation = int(exif.get(274, 1))
            info = {"icc_profile": exif.get(34675), "dpi": _tiff_dpi(exif)}
            return _metadata(exif, info, orientation), orientation
    except Exception:
        return Metadata(), 1


def _exif_of(picture: Image.Image) -> Image.Exif:
    try:
        return picture.getexif()
    except Exception:
        return Image.Exif()


def _tiff_dpi(exif: Mapping[int, Any]) -> tuple[float, float] | None:
    unit = {2: 1.0, 3: 2.54}.get(exif.get(296, 2))
    if unit is None or 282 not in exif or 283 not in exif:
        return None
    return float(exif[282]) * unit, float(exif[283]) * unit


def _metadata(exif: Image.Exif, info: Mapping[Any, Any], orientation: int) -> Metadata:
    dpi = info.get("dpi")
    try:
        dpi = (float(dpi[0]), float(dpi[1])) if dpi and min(dpi) > 0 else None
    except (TypeError, ValueError, ZeroDivisionError, IndexError):
        dpi = None
    if dpi and orientation > 4:
        dpi = dpi[::-1]
    return Metadata(_kept(exif), dpi, info.get("icc_profile") or None)


def _kept(exif: Image.Exif) -> bytes | None:
    try:
        kept = Image.Exif()
        for tag in _KEPT:
            if tag in exif:
                kept[tag] = exif[tag]
        for folder in (_EXIF_FOLDER, _GPS_FOLDER):
            entries = {t: v for t, v in exif.get_ifd(folder).items() if t not in _OF_OLD_PIXELS}
            if entries:
                kept[folder] = entries
        return kept.tobytes() if len(kept) else None
    except Exception:
        return None


def tiff_directory(metadata: Metadata) -> TiffImagePlugin.ImageFileDirectory_v2:
    """The tags of a TIFF that hold ``metadata``."""
    directory = TiffImagePlugin.ImageFileDirectory_v2()
    if metadata.exif:
        exif = Image.Exif()
        exif.load(metadata.exif)
        for tag in exif:
            directory[tag] = exif.get_ifd(tag) if tag in (_EXIF_FOLDER, _GPS_FOLDER) else exif[tag]
    if metadata.profile:
        directory.tagtype[34675] = 7
        directory[34675] = metadata.profile
    if metadata.dpi:
        directory[282], directory[283] = metadata.dpi
        directory[296] = 2
    return directory
