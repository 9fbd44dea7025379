"""Photos on disk -> image tensors (1, 3, H, W) with values in [-1, 1]."""

import os
import warnings
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageOps

from deqir_lite.checks import check_integer
from deqir_lite.images.pictures import PICTURE_ENDINGS

SMALLEST_SIDE = 8
"""Photos with fewer pixels a side are refused: no operator or prior can do anything with them."""

PHOTO_ENDINGS = (*PICTURE_ENDINGS, ".webp", ".bmp")
"""What the name of a photo ends in, where a folder is searched for photos."""

_EIGHT_BIT_MODES = ("1", "L", "LA", "P", "PA", "RGB", "RGBA", "CMYK", "YCbCr")


def load_photo(
    path: str | os.PathLike[str],
    *,
    size: int | None = None,
    dtype: torch.dtype = torch.float32,
    device: torch.device | str | None = None,
) -> torch.Tensor:
    """Read a photo as a tensor (1, 3, H, W) in [-1, 1].

    8-bit value v becomes v / 127.5 - 1; 16-bit values are scaled alike. Grey and palette photos
    become RGB, transparent pixels are laid on white, the EXIF orientation is applied.

    Args:
        path: a PNG, JPEG or TIFF file, or any other raster format that Pillow reads.
        size: crop the largest centred square and resize it (antialiased, Lanczos) to
            ``size`` x ``size`` pixels; None keeps the photo as it is.
        dtype: floating-point type of the result.
        device: where the result lives; None is torch's default.

    Raises:
        FileNotFoundError: no such file.
        ValueError: not an image, corrupt, fewer than 8 pixels a side, or a bad ``size``.
    """
    path = Path(path)
    if size is not None:
        check_integer("size", size, minimum=SMALLEST_SIDE)
    if not dtype.is_floating_point:
        raise ValueError(f"dtype: got {dtype}; expected a floating-point dtype")
    if not path.exists():
        raise FileNotFoundError(f"path: no photo {str(path)!r}")
    if path.is_dir():
        raise ValueError(f"path: {str(path)!r} is a folder; expected a photo")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about odd metadata: only the pixels count here
            with Image.open(path) as file:
                file.load()
                photo = ImageOps.exif_transpose(file)
    except Exception as error:  # a damaged file can make a decoder raise nearly anything
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise ValueError(f"path: {str(path)!r} is no readable photo ({reason})") from error
    width, height = photo.size
    if min(width, height) < SMALLEST_SIDE:
        raise ValueError(
            f"path: {str(path)!r} has {width}x{height} pixels; "
            f"expected at least {SMALLEST_SIDE}x{SMALLEST_SIDE}"
        )
    if size is not None:  # crop first: a large photo is then never held in floats whole
        side = min(width, height)
        left, top = (width - side) // 2, (height - side) // 2
        photo = photo.crop((left, top, left + side, top + side))
    unit = _unit_rgb(photo, path)
    if size is not None and size != unit.shape[0]:
        unit = _resize(unit, size)
    image = torch.from_numpy(unit).permute(2, 0, 1).unsqueeze(0) * 2 - 1
    return image.contiguous().to(dtype=dtype, device=device)


def _unit_rgb(photo: Image.Image, path: Path) -> np.ndarray:
    """Any Pillow mode -> float64 (H, W, 3) in [0, 1]."""
    if photo.mode.startswith("I"):  # one grey channel of 16 bits, kept at full precision
        grey = np.asarray(photo).astype(np.float64) / 65535
        if grey.min() < 0 or grey.max() > 1:
            raise ValueError(f"path: {str(path)!r} has values beyond 16 bits; expected 8 or 16")
        return np.repeat(grey[..., None], 3, axis=2)
    if photo.mode not in _EIGHT_BIT_MODES:
        raise ValueError(
            f"path: {str(path)!r} has pixels of Pillow's mode {photo.mode!r}; "
            "expected grey, RGB, RGBA, palette or CMYK with 8 or 16 bits"
        )
    if photo.has_transparency_data:
        rgba = np.asarray(photo.convert("RGBA")).astype(np.float64) / 255
        opacity = rgba[..., 3:]
        return rgba[..., :3] * opacity + (1 - opacity)
    return np.asarray(photo.convert("RGB")).astype(np.float64) / 255


def _resize(unit: np.ndarray, size: int) -> np.ndarray:
    """Lanczos with a support that grows with the reduction, on floats: no rounding to 8 bits."""
    planes = [
        Image.fromarray(unit[..., c].astype(np.float32)).resize(
            (size, size), Image.Resampling.LANCZOS
        )
        for c in range(3)
    ]
    # Lanczos overshoots at edges; photos stay in their range.
    return np.clip(np.stack([np.asarray(p) for p in planes], axis=-1), 0, 1).astype(np.float64)
