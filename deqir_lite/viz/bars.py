"""Bars side by side: one group for each photo, one colour for each way of restoring it."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from deqir_lite.viz.style import COLORS, INK, drawing, figure_of

_HATCHES = ("", "//", "..", "xx", "\\\\", "++", "oo")


def plot_bars(
    labels: Sequence[str],
    series: Mapping[str, Any],
    ylabel: str,
    *,
    bottom: float = 0.0,
    title: str | None = None,
    legend: bool = True,
    ax: Axes | None = None,
) -> Figure:
    """Draw one group of bars for each label, one bar in it for each series.

    Series differ in colour and in hatching. Bars stand on a line at ``bottom`` and hang below it
    where a value is smaller.

    Args:
        labels: one for each group, at least one.
        series: name -> one finite number for each label (list, array or tensor).
        ylabel: what is drawn.
        bottom: where the bars begin; other than 0 only where 0 means nothing, as for decibels.
        title: of the axes.
        legend: whether to name the series, above the axes.
        ax: axes to draw on; default: a new figure.

    Returns the figure. Raises ValueError for no label, no series, other numbers of values, or
    values that are not finite.
    """
    if not len(labels):
        raise ValueError("labels: got none; expected at least one group")
    if not series:
        raise ValueError("series: got none; expected at least one")
    rows = {name: _row(name, values, len(labels)) for name, values in series.items()}
    width = 0.8 / len(rows)
    places = np.arange(len(labels))
    with drawing(ax, width=max(6.4, 0.8 * len(labels)), title=title) as ax:
        for k, (name, values) in enumerate(rows.items()):
            ax.bar(
                places + (k - (len(rows) - 1) / 2) * width, values - bottom, width, bottom,
                label=name, color=COLORS[k % len(COLORS)], edgecolor="white", linewidth=0.4,
                hatch=_HATCHES[k % len(_HATCHES)],
            )  # fmt: skip
        ax.axhline(bottom, color=INK, linewidth=0.8, linestyle="-", marker="")
        ax.set_xticks(places, labels, rotation=30 if len(labels) > 4 else 0, ha="right"
                      if len(labels) > 4 else "center")  # fmt: skip
        ax.grid(visible=False, axis="x")
        ax.set_ylabel(ylabel)
        if legend:
            ax.legend(
                ncols=min(4, len(rows)), loc="lower center", bbox_to_anchor=(0.5, 1.08),
                frameon=False,
            )  # fmt: skip
    return figure_of(ax)


def _row(name: str, values: Any, count: int) -> np.ndarray:
    row = torch.as_tensor(values).detach().double().cpu().numpy()
    if row.shape != (count,):
        raise ValueError(f"series[{name!r}]: got shape {row.shape}; expected ({count},)")
    if not np.isfinite(row).all():
        raise ValueError(f"series[{name!r}]: contains NaN or infinity; expected finite values")
    return row
