"""One measurement of two unknowns: the solutions are a line, and everything can be drawn."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from deqir_lite.viz._values import to_points
from deqir_lite.viz.style import COLORS, INK, MARKERS, drawing, figure_of, square_plane

_REACH = 2.0


def plot_solution_line(
    row: Sequence[float],
    y: float,
    points: Mapping[str, Sequence[float]],
    *,
    arrows: Sequence[tuple[str, str]] = (),
    ax: Axes | None = None,
) -> Figure:
    """Draw all x in the plane with row . x = y, the direction of the range space, and points.

    Args:
        row: the two entries of a 1 x 2 matrix A.
        y: the measured number.
        points: name -> (x_1, x_2), drawn and labelled.
        arrows: pairs of names, from the first point to the second.
        ax: axes to draw on; default: a new square figure.

    Returns the figure. Raises ValueError for a row that is zero or has not two entries, for
    points outside of the plane, and for arrows between unknown points.
    """
    (a,) = to_points("row", [row])
    length = float(np.linalg.norm(a))
    if length == 0:
        raise ValueError("row: got zeros; expected a direction")
    ends = {name: to_points(f"points[{name!r}]", [point])[0] for name, point in points.items()}
    places = {name: (float(end[0]), float(end[1])) for name, end in ends.items()}
    for pair in arrows:
        if len(pair) != 2 or not set(pair) <= set(places):
            raise ValueError(f"arrows: got {pair!r}; expected two of {', '.join(places)}")
    unit = a / length
    along = 3 * _REACH * np.array([[-1.0], [1.0]])
    solutions = y / length * unit + along * np.array([-unit[1], unit[0]])
    with drawing(ax, width=4.4, height=4.4) as ax:
        for ends, k, label in ((solutions, 0, "all x with A x = y"), (along * unit, 1, "range")):
            look: Any = {"color": COLORS[k], "linestyle": ("-", "--")[k], "marker": ""}
            ax.plot(ends[:, 0], ends[:, 1], label=label, **look)
        ax.plot(0, 0, color=INK, marker="+", linestyle="none", markersize=8)
        for start, end in arrows:
            ax.annotate(
                "",
                xy=places[end],
                xytext=places[start],
                arrowprops={"arrowstyle": "->", "color": INK, "shrinkA": 3, "shrinkB": 3},
            )
        for k, (name, place) in enumerate(places.items()):
            ax.plot(*place, color=INK, marker=MARKERS[k % len(MARKERS)], linestyle="none")
            ax.annotate(name, place, xytext=(6, 6), textcoords="offset points")
        square_plane(ax, reach=_REACH)
        ax.legend(loc="lower left")
    return figure_of(ax)
