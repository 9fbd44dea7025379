"""Errors against a size, on logarithmic axes: a power law is a straight line."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from deqir_lite.viz._values import to_array
from deqir_lite.viz.style import COLORS, DASHES, INK, MARKERS, book_style, figure_of, new_figure


def plot_scaling(
    x: Sequence[float],
    series: Mapping[str, Any],
    xlabel: str,
    ylabel: str,
    slope: float | None = None,
    ax: Axes | None = None,
) -> Figure:
    """Draw errors over ``x``, both logarithmic.

    Args:
        x: strictly increasing numbers > 0.
        series: name -> one number > 0 for each ``x`` (list, array or tensor).
        xlabel, ylabel: what is drawn.
        slope: exponent of a power law, drawn as a thin line through the first point of the first
            series to compare with.
        ax: axes to draw on; default: a new figure.

    Returns the figure. Raises ValueError for no series, other numbers of values, or numbers that
    have no logarithm.
    """
    places = np.asarray(x, dtype=np.float64)
    increasing = places.ndim == 1 and len(places) > 1 and bool((np.diff(places) > 0).all())
    if not increasing or not places[0] > 0:
        raise ValueError(f"x: got {list(x)}; expected at least two strictly increasing numbers > 0")
    if not series:
        raise ValueError("series: got none; expected at least one")
    rows = {name: to_array(f"series[{name!r}]", values, ndim=1) for name, values in series.items()}
    for name, values in rows.items():
        if len(values) != len(places) or not bool((np.isfinite(values) & (values > 0)).all()):
            raise ValueError(f"series[{name!r}]: expected {len(places)} finite numbers > 0")
    if ax is None:
        _, ax = new_figure()
    with book_style():
        for k, (name, values) in enumerate(rows.items()):
            ax.plot(
                places, values, label=name, color=COLORS[k % len(COLORS)],
                marker=MARKERS[k % len(MARKERS)], linestyle=DASHES[k % len(DASHES)],
            )  # fmt: skip
        if slope is not None:
            first = next(iter(rows.values()))[0]
            line = first * (places / places[0]) ** slope
            ax.plot(places, line, color=INK, linewidth=0.8, marker="", linestyle=":",
                    label=f"slope {slope:g}")  # fmt: skip
        ax.set(xscale="log", yscale="log", xlabel=xlabel, ylabel=ylabel)
        ax.legend()
    return figure_of(ax)
