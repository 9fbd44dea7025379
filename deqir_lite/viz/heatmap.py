"""The staircase: how the error moves along the chain, sweep after sweep."""

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from deqir_lite.viz._values import to_array
from deqir_lite.viz.style import drawing, figure_of


def staircase(
    errors: Any,
    *,
    floor: float = 1e-16,
    first_sweep: int = 1,
    boundary: bool = False,
    title: str | None = None,
    ax: Axes | None = None,
) -> Figure:
    r"""Draw :math:`\log_{10}` of the error of every state after every sweep.

    Args:
        errors: (sweeps, T) values >= 0; row j is a sweep, column k - 1 the state k steps after
            the noise, x_{T-k}, so that x_0 is the last one.
        floor: smaller errors, exact zeros included, have the darkest colour.
        first_sweep: the sweep of the first row: 0 when it belongs to the start.
        boundary: draw the step that Picard must reach: after j sweeps the first j states are
            those of the sequential sampler.
        title: of the axes.
        ax: axes to draw on; default: a new figure.

    Returns the figure (a second axes holds the colour bar). Raises ValueError for another shape,
    negative or no finite values. NaN and infinity are white.
    """
    values = to_array("errors", errors, ndim=2)
    if not floor > 0:
        raise ValueError(f"floor: got {floor}; expected a number > 0")
    sweeps, steps = values.shape
    finite = np.where(np.isfinite(values), values, np.nan)
    logs = np.log10(np.maximum(finite, floor))
    lowest = np.log10(floor)
    with drawing(ax, title=title) as ax:
        picture = ax.imshow(
            np.ma.masked_invalid(logs),
            cmap="cividis",  # even in lightness, and the same for all kinds of colour vision
            aspect="auto",
            interpolation="none",
            vmin=lowest,
            vmax=max(float(np.nanmax(logs)), lowest + 1),
            extent=(0.5, steps + 0.5, first_sweep + sweeps - 0.5, first_sweep - 0.5),
        )
        ax.grid(False)
        if boundary:
            ends = np.clip(first_sweep + np.arange(sweeps), 0, steps) + 0.5
            edges = first_sweep - 0.5 + np.arange(sweeps + 1)
            for color, width in (("black", 4), ("white", 2)):  # visible on dark and on bright
                ax.stairs(
                    ends,
                    edges,
                    orientation="horizontal",
                    baseline=None,
                    color=color,
                    linewidth=width,
                )
        for axis in (ax.xaxis, ax.yaxis):
            axis.set_major_locator(MaxNLocator(integer=True))
        ax.set(xlabel="state k, that is $x_{T-k}$", ylabel="sweep")
        figure = figure_of(ax)
        bar = figure.colorbar(picture, ax=ax)
        bar.set_label(r"$\log_{10}$ error")
    return figure
