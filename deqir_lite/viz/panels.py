"""A figure of several panels: side by side where there is room, else one below the other."""

import itertools

import numpy as np
from matplotlib.figure import Figure
from PIL import Image

from deqir_lite.viz._pictures import webp_address

_FLEX = "display:flex;flex-wrap:wrap;align-items:flex-start"
_ROOM = "34rem"  # for panels side by side; in less of it a letter has fewer than 8 pixels


def panels_html(figure: Figure, picture: Image.Image) -> str | None:
    """The ``picture`` of a figure, cut between its axes, for a page.

    None where there is one column, or a title or a legend of the whole figure, which must not be
    cut. The page may fill in ``aria-label``, which describes the whole, and ``class`` of the
    pictures.
    """
    boxes = _boxes(figure)
    if boxes is None or figure.get_suptitle() or figure.legends:
        return None
    rows = _cut(picture, boxes.min(axis=1)[:, 1], boxes.max(axis=1)[:, 3], axis=0)
    panels = [_cut(row, boxes[k, :, 0], boxes[k, :, 2], axis=1) for k, row in enumerate(rows or [])]
    if not panels or None in panels:
        return None
    count, number, lines = boxes.shape[0] * boxes.shape[1], itertools.count(1), []
    for row in panels:
        images = [
            f'<img class="" alt="panel {next(number)} of {count}" src="{webp_address(panel)}" '
            f'style="flex:{panel.width} 1 calc(({_ROOM} - 100%) * 999);min-width:0;max-width:100%;'
            'height:auto;margin:0">'
            for panel in row or []
        ]
        lines.append(f'<div style="{_FLEX}">{"".join(images)}</div>')
    return (
        f'<div class="panels" role="group" aria-label="" style="max-width:{picture.width}px;'
        f'margin:auto">{"".join(lines)}</div>'
    )


def _boxes(figure: Figure) -> np.ndarray | None:
    """Left, top, right, bottom of the axes with their words (rows, columns, 4), as shares.

    None unless they are a grid of several columns, each cell with axes.
    """
    cells: dict[tuple[int, int], tuple[float, ...]] = {}
    shape = (1, 1)
    for ax in figure.axes:
        spec = ax.get_subplotspec()
        bounds = ax.get_tightbbox()  # None where nothing is to be seen
        if spec is not None and bounds is not None:  # a bar of colours has no place in a grid
            shape = spec.get_gridspec().get_geometry()
            box = bounds.transformed(figure.transFigure.inverted())
            cells[spec.rowspan.start, spec.colspan.start] = (box.x0, 1 - box.y1, box.x1, 1 - box.y0)
    if shape[1] < 2 or set(cells) != set(np.ndindex(*shape)):
        return None
    return np.array([[cells[i, j] for j in range(shape[1])] for i in range(shape[0])])


def _cut(
    picture: Image.Image, starts: np.ndarray, ends: np.ndarray, *, axis: int
) -> list[Image.Image] | None:
    """Cut in the middle of what is empty before each start but the first; None without.

    A bar of colours lies between an end and the next start.
    """
    lines = (np.asarray(picture.convert("L")) == 255).all(axis=1 - axis)
    cuts = [0]
    for end, start in zip(ends[:-1], starts[1:], strict=True):
        free = np.flatnonzero(lines[int(end * len(lines)) : int(start * len(lines)) + 1])
        if not len(free):
            return None
        last = np.split(free, np.flatnonzero(np.diff(free) > 1) + 1)[-1]
        cuts.append(int(end * len(lines)) + int(last.mean()) + 1)
    cuts.append(len(lines))
    parts = itertools.pairwise(cuts)
    if axis:
        return [picture.crop((a, 0, b, picture.height)) for a, b in parts]
    return [picture.crop((0, a, picture.width, b)) for a, b in parts]
