"""Images in rows over their captions."""

import math
from collections.abc import Sequence

import numpy as np
import torch
from PIL import Image, ImageDraw, ImageFont

from deqir_lite.checks import check_integer
from deqir_lite.images.pictures import to_picture


def side_by_side(
    images: Sequence[torch.Tensor | np.ndarray | Image.Image],
    labels: Sequence[str],
    *,
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
    _check_labels(len(images), len(labels))
    pictures = [to_picture(image) for image in images]
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


def in_rows(
    images: Sequence[torch.Tensor | np.ndarray | Image.Image],
    labels: Sequence[str],
    *,
    ncols: int = 4,
    height: int = 128,
) -> Image.Image:
    """Images over their captions, in rows of ``ncols``; the last one may be shorter.

    Arguments and errors as those of :func:`side_by_side`, row by row.
    """
    ncols = check_integer("ncols", ncols, 1)
    _check_labels(len(images), len(labels))
    rows = [
        side_by_side(images[k : k + ncols], labels[k : k + ncols], height=height)
        for k in range(0, len(images), ncols)
    ]
    size = max(row.width for row in rows), sum(row.height for row in rows)
    sheet = Image.new("RGB", size, "white")
    for k, row in enumerate(rows):
        sheet.paste(row, (0, sum(above.height for above in rows[:k])))
    return sheet


def _check_labels(images: int, labels: int) -> None:
    if not images or images != labels:
        raise ValueError(
            f"labels: got {labels} for {images} images; expected one each, at least one"
        )


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
