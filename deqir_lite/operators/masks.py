"""Masks (H, W) with 1 = kept and 0 = lost, drawn from a seed."""

import torch
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

from deqir_lite.checks import check_integer, check_interval, check_size, is_number, plain, shown
from deqir_lite.operators.base import Size

_TEXT = "every restored photo is one fixed point of a long chain of small steps"


def random_mask(image_size: Size, *, ratio: float = 0.5, seed: int = 0) -> Tensor:
    """Keep exactly ``round(ratio * H * W)`` pixels (at least one), drawn without replacement.

    Raises ValueError unless 0 < ratio <= 1.
    """
    image_size, generator = _begin(image_size, seed)
    ratio = check_ratio("ratio", ratio)
    count = image_size[0] * image_size[1]
    mask = torch.zeros(count)
    mask[torch.randperm(count, generator=generator)[: max(1, round(ratio * count))]] = 1
    return mask.reshape(*image_size)


def box_mask(image_size: Size, *, fraction: float = 0.4, seed: int = 0) -> Tensor:
    """Lose one box whose sides are ``fraction`` of the image's, at a random place."""
    image_size, generator = _begin(image_size, seed)
    fraction = check_interval("fraction", fraction, 0, 1)
    height, width = (max(1, round(fraction * n)) for n in image_size)
    top = _draw(generator, image_size[0] - height + 1)
    left = _draw(generator, image_size[1] - width + 1)
    mask = torch.ones(*image_size)
    mask[top : top + height, left : left + width] = 0
    return mask


def stripe_mask(image_size: Size, *, period: int = 8, width: int = 3, seed: int = 0) -> Tensor:
    """Lose ``width`` of every ``period`` columns, as in the paper's figures; the seed shifts them.

    Raises ValueError unless 1 <= width < period.
    """
    image_size, generator = _begin(image_size, seed)
    period = check_integer("period", period, 2)
    width = check_integer("width", width, 1)
    if width >= period:
        raise ValueError(f"width: got {width}; expected less than the period, {period}")
    column = (torch.arange(image_size[1]) + _draw(generator, period)) % period
    return (column >= width).float().expand(*image_size).clone()


def text_mask(image_size: Size, *, seed: int = 0) -> Tensor:
    """Lose the strokes of lines of text, drawn with the font that Pillow carries."""
    image_size, generator = _begin(image_size, seed)
    height, width = image_size
    words = _TEXT.split()
    size = max(7, height // 9)
    font = ImageFont.load_default(size)
    stroke = max(0, size // 16)
    canvas = Image.new("L", (width, height), 0)
    draw = ImageDraw.Draw(canvas)
    draw.fontmode = "1"  # no antialiasing: a pixel is either kept or lost
    top = -_draw(generator, size // 2)
    while top < height:
        first = _draw(generator, len(words))
        line = " ".join(words[first:] + words[:first])
        draw.text((-_draw(generator, size), top), line, fill=1, font=font, stroke_width=stroke)
        top += 2 * size
    return _kept(canvas)


def scratch_mask(image_size: Size, *, count: int = 12, seed: int = 0) -> Tensor:
    """Lose ``count`` long, bent scratches, as on an old print.

    Raises ValueError unless count >= 1.
    """
    image_size, generator = _begin(image_size, seed)
    count = check_integer("count", count, 1)
    height, width = image_size
    canvas = Image.new("L", (width, height), 0)
    draw = ImageDraw.Draw(canvas)
    scale = torch.tensor([width, height], dtype=torch.float64)
    for _ in range(count):
        start, end = torch.rand(2, 2, generator=generator, dtype=torch.float64)
        bend = (start + end) / 2 + 0.1 * torch.randn(2, generator=generator, dtype=torch.float64)
        points = [tuple((p * scale).tolist()) for p in (start, bend, end)]
        draw.line(points, fill=1, width=max(1, min(height, width) // 64))
    return _kept(canvas)


def check_ratio(name: str, value: float) -> float:
    """The plain ``value``; ValueError unless 0 < value <= 1."""
    value = plain(value)
    if not is_number(value) or not 0 < value <= 1:
        raise ValueError(f"{name}: got {shown(value)}; expected a number in (0, 1]")
    return value


def _begin(image_size: Size, seed: int) -> tuple[tuple[int, int], torch.Generator]:
    seed = check_integer("seed", seed, 0)
    return check_size("image_size", image_size), torch.Generator().manual_seed(seed)


def _draw(generator: torch.Generator, below: int) -> int:
    return int(torch.randint(below, (), generator=generator))


def _kept(canvas: Image.Image) -> Tensor:
    drawn = torch.frombuffer(bytearray(canvas.tobytes()), dtype=torch.uint8)
    return 1 - drawn.reshape(canvas.height, canvas.width).float()
