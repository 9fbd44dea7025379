"""Image tensors in [-1, 1] -> 8-bit pictures, in memory and on disk."""

import os
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from deqir_lite._files import write_atomically
from deqir_lite.checks import check_finite
from deqir_lite.images.encoding import check_ending, encode

_IN_A_ROW, _GAP = 8, 2


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
    """Turn one image into an RGB picture of Pillow, pixel for pixel, transparent ones on white.

    Accepts a tensor (C, H, W) or (1, C, H, W) in [-1, 1] with C = 1 or 3, an 8-bit array
    (H, W, 3), or a Pillow image. Raises ValueError for anything else.
    """
    if isinstance(image, Image.Image):
        if image.mode.startswith(("I", "F")):  # Pillow would clip them, not scale them
            raise ValueError(f"image: got a picture of Pillow's mode {image.mode}; expected 8 bits")
        if image.has_transparency_data:
            white = Image.new("RGBA", image.size, "white")
            image = Image.alpha_composite(white, image.convert("RGBA"))
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
    """Save one image, or a batch of them in rows, as an 8-bit file in sRGB, all or nothing.

    Args:
        path: ends in .png, .tif, .tiff, .webp (lossless), .jpg or .jpeg (quality 95); its folder
            must exist.
        x: a tensor (B, 3, H, W) or (3, H, W), clamped to [-1, 1]; or what ``to_picture`` takes.
            Several images stand in rows of up to 8, 2 white pixels between them, as in torchvision.

    Returns the path. Raises FileNotFoundError when the folder does not exist, ValueError for
    an unknown ending, an empty batch, NaN or infinity; then no file is written.
    """
    path, ending = check_ending(path)
    if isinstance(x, torch.Tensor) and x.ndim == 4 and len(x) > 1:
        pixels = _in_rows(to_uint8(x))
    else:
        pixels = np.asarray(to_picture(x))
    return write_atomically(path, encode(pixels, ending))


def _in_rows(images: np.ndarray) -> np.ndarray:
    """(B, H, W, 3) -> one array with up to 8 images a row."""
    count, height, width, _ = images.shape
    columns = min(count, _IN_A_ROW)
    rows = -(-count // columns)
    down, across = height + _GAP, width + _GAP
    sheet = np.full((rows * down - _GAP, columns * across - _GAP, 3), 255, dtype=np.uint8)
    for k, image in enumerate(images):
        top, left = k // columns * down, k % columns * across
        sheet[top : top + height, left : left + width] = image
    return sheet
