"""Residual against sweep."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from deqir_lite.viz._values import log_floor, to_array
from deqir_lite.viz.style import INK, drawing, figure_of, series_look


def plot_convergence(
    residuals: Mapping[str, Any] | Any,
    *,
    thresholds: Mapping[str, float] | None = None,
    ylabel: str = "relative residual",
    title: str | None = None,
    first_sweep: int = 1,
    ax: Axes | None = None,
) -> Figure:
    """Draw one curve of residuals for each solver, on a logarithmic axis.

    Args:
        residuals: name -> one value >= 0 for each sweep (list, array or tensor); or a single
            such series. NaN (or None) leaves a gap, an infinite value ends a curve that
            diverges, and an exact zero, which has no logarithm, is a hollow marker at the foot.
        thresholds: name -> value of horizontal lines, for example {"stop": 1e-3}.
        ylabel: what is drawn.
        title: of the axes.
        first_sweep: the sweep of the first value: 0 when it belongs to the start.
        ax: axes to draw on; default: a new figure.

    Returns the figure. Raises ValueError for no series, negative values, or arrays of another
    dimension: take the largest residual over the timesteps first.
    """
    named = residuals if isinstance(residuals, Mapping) else {"": residuals}
    if not named:
        raise ValueError("residuals: got none; expected at least one series")
    series = {name: to_array(f"residuals[{name!r}]", v, ndim=1) for name, v in named.items()}
    for name, value in (thresholds or {}).items():
        if not value > 0:
            raise ValueError(f"thresholds[{name!r}]: got {value}; expected a number > 0")
    floor = log_floor(list(series.values()))
    with drawing(ax, title=title) as ax:
        for k, (name, values) in enumerate(series.items()):
            sweeps = first_sweep + np.arange(len(values))
            look = series_look(k)
            zero = values == 0
            drawn = np.where(np.isfinite(values), np.where(zero, floor, values), np.nan)
            ax.plot(sweeps, drawn, label=name or None, **look)
            if zero.any():
                ax.plot(
                    sweeps[zero], drawn[zero], markerfacecolor="white", markersize=7,
                    label="_zero", zorder=3, **look | {"linestyle": "none"},
                )  # fmt: skip
        for name, value in (thresholds or {}).items():
            ax.axhline(value, color=INK, linestyle=(0, (2, 2)), linewidth=1)
            ax.annotate(
                name, (1, value), xycoords=("axes fraction", "data"), xytext=(-2, 3),
                textcoords="offset points", ha="right", fontsize=9,
            )  # fmt: skip
        ax.set_yscale("log")
        ax.xaxis.set_major_locator(MaxNLocator(integer=True))
        ax.set(xlabel="sweep", ylabel=ylabel)
        if any((values == 0).any() for values in series.values()):
            ax.axhline(floor, color=INK, linewidth=0.6)
            ax.annotate(
                "exactly 0", (0, floor), xycoords=("axes fraction", "data"), xytext=(3, 3),
                textcoords="offset points", fontsize=9,
            )  # fmt: skip
        if any(named):
            ax.legend()
    return figure_of(ax)
