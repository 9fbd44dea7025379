"""Photos on disk <-> image tensors (B, 3, H, W) with values in [-1, 1]."""

import io
import math
import os
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image, ImageDraw, ImageFont, ImageOps

from deqir_lite._files import write_atomically
from deqir_lite.checks import check_choice, check_finite, check_integer

SMALLEST_SIDE = 8
"""Photos with fewer pixels a side are refused: no operator or prior can do anything with them."""

_EIGHT_BIT_MODES = ("1", "L", "LA", "P", "PA", "RGB", "RGBA", "CMYK", "YCbCr")

_FORMATS: dict[str, tuple[str, dict[str, Any]]] = {
    ".png": ("PNG", {}),
    ".jpg": ("JPEG", {"quality": 95, "subsampling": 0}),
    ".jpeg": ("JPEG", {"quality": 95, "subsampling": 0}),
    ".tif": ("TIFF", {}),
    ".tiff": ("TIFF", {}),
}

PICTURE_ENDINGS = tuple(_FORMATS)
"""What the name of a saved picture may end in."""


def load_photo(
    path: str | os.PathLike[str],
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


def to_unit_range(x: torch.Tensor) -> torch.Tensor:
    """Map values from [-1, 1] to [0, 1], clamping what lies outside; shape, dtype, device stay."""
    return ((x + 1) / 2).clamp(0, 1)


def to_uint8(x: torch.Tensor) -> np.ndarray:
    """Turn images (..., C, H, W) in [-1, 1] into 8-bit arrays (..., H, W, 3), C being 1 or 3.

    Values outside [-1, 1] are clamped, then rounded to the nearest of 256 levels; a grey image
    is repeated over three channels. Raises ValueError for NaN, infinity or another shape.
    """
    check_finite("x", x)
    if x.ndim < 3 or x.shape[-3] not in (1, 3) or 0 in x.shape:
        raise ValueError(
            f"x: got shape {tuple(x.shape)}; expected (..., 3, H, W) or (..., 1, H, W)"
        )
    levels = (to_unit_range(x.detach().double().cpu()) * 255).round().to(torch.uint8)
    if x.shape[-3] == 1:
        levels = levels.repeat_interleave(3, dim=-3)
    return levels.movedim(-3, -1).contiguous().numpy()


def to_picture(image: torch.Tensor | np.ndarray | Image.Image) -> Image.Image:
    """Turn one image into an RGB picture of Pillow, pixel for pixel.

    Accepts a tensor (C, H, W) or (1, C, H, W) in [-1, 1] with C = 1 or 3, an 8-bit array
    (H, W, 3), or a Pillow image. Raises ValueError for anything else.
    """
    if isinstance(image, Image.Image):
        return image.convert("RGB")
    if isinstance(image, np.ndarray):
        if image.dtype != np.uint8 or image.ndim != 3 or image.shape[-1] != 3:
            raise ValueError(
                f"image: got an array {image.shape} of {image.dtype}; expected (H, W, 3) of uint8"
            )
        return Image.fromarray(image)
    pixels = to_uint8(image)
    if pixels.ndim == 4 and pixels.shape[0] == 1:
        pixels = pixels[0]
    if pixels.ndim != 3:
        raise ValueError(f"image: got shape {tuple(image.shape)}; expected one image (3, H, W)")
    return Image.fromarray(pixels)


def save_image(path: str | os.PathLike[str], x: torch.Tensor | np.ndarray | Image.Image) -> Path:
    """Save one image as an 8-bit file, all or nothing.

    Args:
        path: ends in .png, .tif or .tiff (lossless), .jpg or .jpeg (quality 95); its folder
            must exist.
        x: a tensor (1, 3, H, W) or (3, H, W), clamped to [-1, 1]; or what ``to_picture`` takes.

    Returns the path. Raises FileNotFoundError when the folder does not exist, ValueError for
    an unknown ending, several images, NaN or infinity; then no file is written.
    """
    path = Path(path)
    check_choice("path ending", path.suffix.lower(), _FORMATS)
    kind, options = _FORMATS[path.suffix.lower()]
    encoded = io.BytesIO()
    to_picture(x).save(encoded, format=kind, **options)
    return write_atomically(path, encoded.getvalue())


def side_by_side(
    images: Sequence[torch.Tensor | np.ndarray | Image.Image],
    labels: Sequence[str],
    height: int = 192,
) -> Image.Image:
    """Put images of one restoration in a row, each over a caption, on white.

    All are shown at one height: the largest image's, enlarged by a whole factor until it has at
    least ``height`` pixels. Enlarging repeats pixels, so nothing is smoothed that was not smooth.

    Args:
        images: what ``to_picture`` takes, at least one; sizes may differ.
        labels: one caption for each image.

    Raises ValueError when there is no image or the numbers differ.
    """
    pictures = [to_picture(image) for image in images]
    if not pictures or len(pictures) != len(labels):
        raise ValueError(
            f"labels: got {len(labels)} for {len(pictures)} images; expected one each, at least one"
        )
    tallest = max(picture.height for picture in pictures)
    shown = tallest * math.ceil(height / tallest)
    pictures = [
        p.resize((max(1, round(p.width * shown / p.height)), shown), Image.Resampling.NEAREST)
        for p in pictures
    ]
    gap, band = 8, 40
    width = sum(p.width for p in pictures) + gap * (len(pictures) + 1)
    sheet = Image.new("RGB", (width, shown + gap + band), "white")
    draw = ImageDraw.Draw(sheet)
    left = gap
    for picture, label in zip(pictures, labels, strict=True):
        sheet.paste(picture, (left, gap))
        font, text = _fit(label, picture.width)
        centre = (left + picture.width / 2, gap + shown + band / 2)
        draw.multiline_text(
            centre, text, fill="black", font=font, anchor="mm", align="center", spacing=2
        )
        left += picture.width + gap
    return sheet


def _fit(label: str, width: int) -> tuple[ImageFont.FreeTypeFont | ImageFont.ImageFont, str]:
    """The largest readable font in which the caption fits in two lines; else cut it short."""
    font = ImageFont.load_default(10)
    for points in (15, 13, 11, 10):
        font = ImageFont.load_default(points)
        lines = _wrap(label, font, width)
        if len(lines) <= 2 and all(font.getlength(line) <= width for line in lines):
            return font, "\n".join(lines)
    while label and font.getlength(label + "…") > width:
        label = label[:-1]
    return font, label.rstrip() + "…"


def _wrap(label: str, font: ImageFont.FreeTypeFont | ImageFont.ImageFont, width: int) -> list[str]:
    """Break a caption at spaces into lines of at most ``width`` pixels where words allow it."""
    lines: list[str] = [""]
    for word in label.split():
        longer = f"{lines[-1]} {word}".strip()
        if lines[-1] and font.getlength(longer) > width:
            lines.append(word)
        else:
            lines[-1] = longer
    return lines
