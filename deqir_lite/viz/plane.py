"""One measurement of two unknowns: the solutions are a line, and everything can be drawn."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from deqir_lite.checks import check_interval
from deqir_lite.viz._values import to_points
from deqir_lite.viz.style import COLORS, INK, MARKERS, drawing, figure_of, square_plane


def plot_solution_line(
    row: Sequence[float],
    y: float,
    points: Mapping[str, Sequence[float]],
    *,
    arrows: Sequence[tuple[str, str]] = (),
    covariance: Any = None,
    reach: float = 2.0,
    title: str | None = None,
    legend: bool = True,
    ax: Axes | None = None,
) -> Figure:
    """Draw all x in the plane with row . x = y, the direction of the range space, and points.

    With a ``covariance`` C the direction gives way to the ellipses x^T C^-1 x = const. through the
    points, on which a Gaussian of mean 0 has the same density.

    Args:
        row: the two entries of a 1 x 2 matrix A.
        y: the measured number.
        points: name -> (x_1, x_2), drawn and labelled.
        arrows: pairs of names, from the first point to the second.
        covariance: 2 x 2, symmetric and positive definite.
        reach: the axes show [-reach, reach] in both directions.
        title: of the axes.
        legend: whether to name the lines.
        ax: axes to draw on; default: a new square figure.

    Returns the figure. Raises ValueError for a row that is zero or has not two entries, for
    points outside of the plane, for arrows between unknown points, and for a matrix that is no
    covariance.
    """
    (a,) = to_points("row", [row])
    length = float(np.linalg.norm(a))
    if length == 0:
        raise ValueError("row: got zeros; expected a direction")
    reach = check_interval("reach", reach, 1e-6, 1e6)
    ends = {name: to_points(f"points[{name!r}]", [point])[0] for name, point in points.items()}
    places = {name: (float(end[0]), float(end[1])) for name, end in ends.items()}
    for pair in arrows:
        if len(pair) != 2 or not set(pair) <= set(places):
            raise ValueError(f"arrows: got {pair!r}; expected two of {', '.join(places)}")
    unit = a / length
    along = 3 * reach * np.array([[-1.0], [1.0]])
    solutions = y / length * unit + along * np.array([-unit[1], unit[0]])
    lines = [(solutions, 0, "all x with A x = y"), (along * unit, 1, "range")]
    if covariance is not None:
        label = "equal density"
        lines[1:] = [(_ellipse(covariance, place), 1, label) for place in places.values()]
    with drawing(ax, width=4.4, height=4.4, title=title) as ax:
        for k, (line, color, label) in enumerate(lines):
            look: Any = {"color": COLORS[color], "linestyle": ("-", "--")[color], "marker": ""}
            ax.plot(line[:, 0], line[:, 1], label=label if k < 2 else None, **look)
        ax.plot(0, 0, color=INK, marker="+", linestyle="none", markersize=8)
        side = dict.fromkeys(places, 1)  # labels to the right, and away from an arrow
        for start, end in arrows:
            side[end] = 1 if places[end][0] >= places[start][0] else -1
            side[start] = -side[end]
            ax.annotate(
                "",
                xy=places[end],
                xytext=places[start],
                arrowprops={"arrowstyle": "->", "color": INK, "shrinkA": 3, "shrinkB": 3},
            )
        for k, (name, place) in enumerate(places.items()):
            ax.plot(*place, color=INK, marker=MARKERS[k % len(MARKERS)], linestyle="none")
            ax.annotate(
                name, place, xytext=(6 * side[name], 6), textcoords="offset points",
                ha="left" if side[name] > 0 else "right",
            )  # fmt: skip
        square_plane(ax, reach=reach)
        if legend:
            ax.legend(loc="lower left" if covariance is None else "upper left")
    return figure_of(ax)


def _ellipse(covariance: Any, place: tuple[float, float]) -> np.ndarray:
    """Points (121, 2) of x^T C^-1 x = const. through ``place``."""
    matrix = to_points("covariance", covariance)
    square = matrix.shape == (2, 2) and np.allclose(matrix, matrix.T)
    values, axes = np.linalg.eigh(matrix if square else np.zeros((2, 2)))
    if values[0] <= 0:
        raise ValueError(f"covariance: got {matrix.tolist()}; expected 2 x 2, positive definite")
    root = axes * np.sqrt(values)
    radius = float(np.linalg.norm(np.linalg.solve(root, place)))
    angle = np.linspace(0, 2 * np.pi, 121)
    return radius * np.stack([np.cos(angle), np.sin(angle)], axis=1) @ root.T
