"""Lines against any number, with a place for what did not arrive."""

import math
from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, NullFormatter, NullLocator
from matplotlib.transforms import offset_copy

from deqir_lite.viz.style import INK, drawing, figure_of, series_look


def plot_lines(
    x: Sequence[float],
    series: Mapping[str, Sequence[float | None]],
    xlabel: str,
    ylabel: str,
    *,
    log_x: bool = False,
    log_y: bool = False,
    ceiling: float | None = None,
    slope: float | None = None,
    title: str | None = None,
    legend: bool = True,
    ax: Axes | None = None,
) -> Figure:
    """Draw one line for each series over the same ``x``.

    Args:
        x: where the values belong, strictly increasing.
        series: name -> one number for each ``x``. None stands for "more than ``ceiling``": a
            hollow arrow at the ceiling, not joined to the line.
        xlabel, ylabel: what is drawn.
        log_x: logarithmic axis with a tick at every ``x``.
        log_y: logarithmic axis; all values must be > 0.
        ceiling: how far was measured; needed where there is a None.
        slope: exponent of a power law to compare with, a thin line through the first point; on
            two logarithmic axes it is straight.
        title: of the axes.
        legend: whether to name the lines: once is enough for axes side by side.
        ax: axes to draw on; default: a new figure.

    Returns the figure. Raises ValueError for no series, other numbers of values, an ``x`` that
    does not increase, values that are not finite, or a None without a ceiling.
    """
    places = _increasing(x, log_x)
    if not series:
        raise ValueError("series: got none; expected at least one")
    rows = {name: _row(name, values, len(places), ceiling) for name, values in series.items()}
    if log_y and any((values <= 0).any() for values in rows.values()):
        raise ValueError("series: holds values <= 0; a logarithmic axis needs numbers > 0")
    with drawing(ax, title=title) as ax:
        for k, (name, values) in enumerate(rows.items()):
            look = series_look(k)
            ax.plot(places, values, label=name, **look)
            beyond = np.isnan(values)
            if beyond.any() and ceiling is not None:
                # side by side: several series may end at the same x
                points = 7 * (k - (len(rows) - 1) / 2)
                aside = offset_copy(ax.transData, figure_of(ax), points, 0, units="points")
                ax.plot(
                    places[beyond], np.full(int(beyond.sum()), ceiling), linestyle="none",
                    marker="^", markersize=6, color=look["color"], markerfacecolor="white",
                    label=f"_beyond {name}", clip_on=False, transform=aside, zorder=3,
                )  # fmt: skip
        if any(np.isnan(values).any() for values in rows.values()) and ceiling is not None:
            ax.axhline(ceiling, color=INK, linewidth=0.6)
            ax.annotate(
                f"more than {ceiling:g}", (0, ceiling), xycoords=("axes fraction", "data"),
                xytext=(3, 6), textcoords="offset points", fontsize=9,
            )  # fmt: skip
        if slope is not None:
            first = next(iter(rows.values()))[0]
            ax.plot(places, first * (places / places[0]) ** slope, color=INK, linewidth=0.8,
                    marker="", linestyle=":", label=f"slope {slope:g}")  # fmt: skip
        if log_x:
            ax.set_xscale("log")
            ax.set_xticks(places, [f"{place:g}" for place in places])
            ax.xaxis.set_minor_locator(NullLocator())
            ax.xaxis.set_minor_formatter(NullFormatter())
        elif _whole(places):
            ax.xaxis.set_major_locator(MaxNLocator(integer=True))
        if log_y:
            ax.set_yscale("log")
        elif all(_whole(values[np.isfinite(values)]) for values in rows.values()):
            ax.yaxis.set_major_locator(MaxNLocator(integer=True))
        ax.set(xlabel=xlabel, ylabel=ylabel)
        if legend:
            ax.legend()
    return figure_of(ax)


def _whole(values: np.ndarray) -> bool:
    return bool((values == values.round()).all())


def _increasing(x: Sequence[float], log_x: bool) -> np.ndarray:
    places = np.asarray(x, dtype=np.float64)
    if places.ndim != 1 or not len(places) or not bool((np.diff(places) > 0).all()):
        raise ValueError(f"x: got {list(x)}; expected strictly increasing numbers")
    if log_x and not places[0] > 0:
        raise ValueError(f"x: got {list(x)}; a logarithmic axis needs numbers > 0")
    return places


def _row(
    name: str, values: Sequence[float | None], count: int, ceiling: float | None
) -> np.ndarray:
    """The values as float64, NaN where one lies beyond the ceiling."""
    label = f"series[{name!r}]"
    if len(values) != count:
        raise ValueError(f"{label}: got {len(values)} values for {count} places; expected one each")
    if ceiling is None and any(value is None for value in values):
        raise ValueError(f"ceiling: got None; {label} holds a None, which needs a ceiling")
    numbers = [math.nan if value is None else float(value) for value in values]
    if any(value is not None and not math.isfinite(value) for value in values):
        raise ValueError(f"{label}: expected finite numbers, or None beyond the ceiling")
    return np.asarray(numbers)
