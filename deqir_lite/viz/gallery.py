"""Images side by side, pixel for pixel."""

import html
import math
import textwrap
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from PIL import Image

from deqir_lite.checks import check_integer
from deqir_lite.images import to_picture
from deqir_lite.viz._pictures import webp_address
from deqir_lite.viz.style import DPI, BookFigure, book_style

_GAP = 10  # pixels between images
_LINE = 16  # pixels for a line of a title
_LETTER = 6.9  # average width of a letter of a title, in pixels
_NARROWEST = 88  # pixels of a picture on a page; fewer of them stand in a row on a narrow screen
_WIDEST = 320  # pixels of a small picture on a page: two of them nearly fill the column
_LARGE = 200  # pixels of a side from which on single pixels are not looked at
_FIRST = ' style="grid-column:1"'  # on a narrow screen, too, a row begins on the left


class PhotoFigure(BookFigure):
    """A figure of photos: on a page a grid that fits its width, elsewhere one picture.

    The grid has the photos pixel for pixel, enlarged by the browser, and their titles as text.
    """

    def __init__(
        self, pictures: Sequence[Image.Image], titles: Sequence[str], ncols: int, **options: Any
    ) -> None:
        super().__init__(**options)
        self._pictures, self._titles, self._ncols = pictures, titles, ncols

    def _repr_html_(self) -> str:
        share = f"(100% - {self._ncols - 1} * 0.6rem) / {self._ncols}"
        width = max(max(picture.size) for picture in self._pictures)
        widest = self._ncols * max(width, _WIDEST)
        panels = [
            '<div{row}><img class="dark-light" alt="{alt}" src="{source}" style="width:100%;'
            'height:auto;margin:0;image-rendering:pixelated">{title}</div>'.format(
                alt=html.escape(f"{title or 'photo'} (picture {k} of {len(self._pictures)})"),
                source=webp_address(picture, quality=None if min(picture.size) < _LARGE else 90),
                title=f"<div>{html.escape(title)}</div>" if title else "",
                row=_FIRST if (k - 1) % self._ncols == 0 else "",
            )
            for k, (picture, title) in enumerate(
                zip(self._pictures, self._titles, strict=True), start=1
            )
        ]
        return (
            '<div class="photo-grid" role="group" aria-label="" style="display:grid;gap:0.6rem;'
            f"max-width:{widest}px;margin:auto;text-align:center;line-height:1.25;"
            f'grid-template-columns:repeat(auto-fill,minmax(max({_NARROWEST}px,{share}),1fr))">'
            f"{''.join(panels)}</div>"
        )


def show_images(
    images: torch.Tensor | Sequence[torch.Tensor | np.ndarray | Image.Image],
    *,
    titles: Sequence[str] | None = None,
    ncols: int | None = None,
    scale: int | None = None,
) -> PhotoFigure:
    """Show images in a grid; every pixel becomes a square of whole screen pixels.

    Args:
        images: a tensor (B, 3, H, W) in [-1, 1], or a sequence of single images as
            ``deqir_lite.images.to_picture`` takes them. Sizes may differ: smaller ones, such as
            the measurement of a super-resolution, are enlarged to the largest by a whole factor.
        titles: one for each image; long ones are wrapped.
        ncols: images in a row; default: up to 5.
        scale: screen pixels for a pixel of the largest image; default: enough for 150 pixels.

    Returns the figure, one axes for each image. Raises ValueError when there is no image, the
    numbers differ, or an argument is out of range.
    """
    shown = [to_picture(image) for image in images]
    pictures = [np.asarray(picture) for picture in shown]
    if not pictures:
        raise ValueError("images: got none; expected at least one")
    if titles is not None and len(titles) != len(pictures):
        raise ValueError(f"titles: got {len(titles)} for {len(pictures)} images; expected one each")
    ncols = min(5, len(pictures)) if ncols is None else ncols
    ncols = check_integer("ncols", ncols, minimum=1)
    height = max(p.shape[0] for p in pictures)
    width = max(p.shape[1] for p in pictures)
    scale = math.ceil(150 / max(height, width)) if scale is None else scale
    scale = check_integer("scale", scale, minimum=1)

    cell_height, cell_width = height * scale, width * scale
    wrapped = [
        textwrap.fill(title, max(8, int(cell_width / _LETTER))) for title in titles or ()
    ] or [""] * len(pictures)
    lines = max(title.count("\n") + 1 for title in wrapped) if titles else 0
    band = lines * _LINE + (6 if lines else 0)
    nrows = math.ceil(len(pictures) / ncols)
    total_width = ncols * cell_width + (ncols + 1) * _GAP
    total_height = nrows * (cell_height + band + _GAP) + _GAP

    with book_style():
        figure = PhotoFigure(
            shown,
            titles or [""] * len(shown),
            ncols,
            figsize=(total_width / DPI, total_height / DPI),
            dpi=DPI,
        )
        for k, (picture, title) in enumerate(zip(pictures, wrapped, strict=True)):
            row, column = divmod(k, ncols)
            factor = min(cell_height // picture.shape[0], cell_width // picture.shape[1])
            shown_height, shown_width = picture.shape[0] * factor, picture.shape[1] * factor
            # Whole pixels from the top left corner: then no row or column is drawn wider.
            left = _GAP + column * (cell_width + _GAP) + (cell_width - shown_width) // 2
            top = _GAP + row * (cell_height + band + _GAP) + band
            ax = figure.add_axes(
                (
                    left / total_width,
                    1 - (top + shown_height) / total_height,
                    shown_width / total_width,
                    shown_height / total_height,
                )
            )
            ax.set_axis_off()
            ax.imshow(picture, interpolation="none", aspect="auto")
            ax.set_title(title, fontsize=9, pad=4)
    return figure
