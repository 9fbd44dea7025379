"""A number over the plane, and directions in it: where is downhill?"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from deqir_lite.checks import check_finite
from deqir_lite.viz._values import to_points
from deqir_lite.viz.style import COLORS, DASHES, INK, REACH, drawing, figure_of, square_plane

_LENGTH = 0.8
"""Of the arrows, in units of the axes."""


def plot_landscape(
    values: torch.Tensor,
    *,
    points: Any | None = None,
    arrows: Mapping[str, Any] | None = None,
    title: str | None = None,
    legend: bool = True,
    ax: Axes | None = None,
) -> Figure:
    """Draw a function of the plane as shades and level lines, darker where it is lower.

    Args:
        values: (n, n), n >= 2, on an even grid over [-3, 3] in both directions; row i
            belongs to the i-th x_2 from below.
        points: (m, 2), drawn as dots.
        arrows: name -> (m, 2), one direction for each of ``points``. All are drawn equally long;
            where a direction is zero there is only the dot.
        title: of the axes.
        legend: whether to name the arrows: once is enough for axes side by side.
        ax: axes to draw on; default: a new square figure.

    Returns the figure. Raises ValueError for values of another shape or not finite, and for
    arrows without points or of another number.
    """
    check_finite("values", values)
    if values.ndim != 2 or values.shape[0] != values.shape[1] or len(values) < 2:
        raise ValueError(f"values: got shape {tuple(values.shape)}; expected (n, n), n >= 2")
    dots = None if points is None else to_points("points", points)
    directions = {n: to_points(f"arrows[{n!r}]", v) for n, v in (arrows or {}).items()}
    for name, vectors in directions.items():
        if dots is None or len(vectors) != len(dots):
            count = 0 if dots is None else len(dots)
            raise ValueError(f"arrows[{name!r}]: got {len(vectors)} for {count} points")
    height = values.detach().double().cpu().numpy()
    axis = np.linspace(-REACH, REACH, len(height))
    with drawing(ax, width=4.4, height=4.4, title=title) as ax:
        # Even steps of the square root: a squared distance gets evenly spaced lines.
        low = height.min()
        levels = low + np.linspace(0, float(height.max() - low) ** 0.5 or 1.0, 11) ** 2
        ax.contourf(axis, axis, height, levels, cmap="Greys_r", alpha=0.5)
        ax.contour(axis, axis, height, levels[1:-1], colors="#707070", linewidths=0.6)
        for k, (name, vectors) in enumerate(directions.items()):
            assert dots is not None
            _draw_arrows(ax, dots, vectors, k)
            ax.plot([], [], color=COLORS[k], linestyle=DASHES[k], marker="", label=name)
        if dots is not None:
            ax.plot(*dots.T, marker="o", markersize=4, linestyle="none", color=INK, zorder=5)
        ax.grid(False)
        square_plane(ax)
        if directions and legend:
            ax.legend(loc="upper left")
    return figure_of(ax)


def _draw_arrows(ax: Axes, dots: np.ndarray, vectors: np.ndarray, number: int) -> None:
    """Arrows of one kind; the first kind has the thickest line, so that none hides another."""
    look: Any = {"color": COLORS[number], "linestyle": DASHES[number], "shrinkA": 0, "shrinkB": 0}
    look |= {"arrowstyle": "->", "linewidth": max(3.4 - 1.6 * number, 1.0)}
    for dot, vector in zip(dots, vectors, strict=True):
        size = float(np.linalg.norm(vector))
        if size > 0:
            ax.annotate("", xy=dot + _LENGTH / size * vector, xytext=dot, arrowprops=look)
