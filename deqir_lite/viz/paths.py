"""Iterates of solvers in the plane: how they walk to the fixed point."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from deqir_lite.viz._values import to_points
from deqir_lite.viz.style import COLORS, INK, drawing, figure_of, series_look


def plot_paths(
    paths: Mapping[str, Any],
    *,
    target: Sequence[float] | torch.Tensor | None = None,
    numbered: bool = False,
    title: str | None = None,
    ax: Axes | None = None,
) -> Figure:
    """Draw sequences of points of the plane, each connected from its first to its last.

    Args:
        paths: name -> (n, 2) points, or a sequence of n points of two numbers.
        target: where they should end, a star.
        numbered: write k beside point k of every path, 0 for the first.
        title: of the axes.
        ax: axes to draw on; default: a new figure.

    Both axes have the same scale, so that angles are true. Returns the figure. Raises ValueError
    for no path, for points that are not finite and for those outside of the plane.
    """
    if not paths:
        raise ValueError("paths: got none; expected at least one")
    walks = {name: to_points(f"paths[{name!r}]", path) for name, path in paths.items()}
    end = None if target is None else to_points("target", [target])[0]
    with drawing(ax, width=5.2, height=4.4, title=title) as ax:
        for k, (name, points) in enumerate(walks.items()):
            look = series_look(k)
            ax.plot(*points.T, label=name, **look)
            for number, point in enumerate(points if numbered else ()):
                ax.annotate(
                    str(number), point, xytext=(5, 4), textcoords="offset points", fontsize=8,
                    color=look["color"],
                )  # fmt: skip
        if end is not None:
            ax.plot(
                *end, marker="*", markersize=13, linestyle="none", color=COLORS[6],
                markeredgecolor=INK, markeredgewidth=0.6, zorder=5, label="fixed point",
            )  # fmt: skip
        ax.set(xlabel="$x_1$", ylabel="$x_2$")
        ax.set_aspect("equal", adjustable="datalim")
        ax.legend()
    return figure_of(ax)
