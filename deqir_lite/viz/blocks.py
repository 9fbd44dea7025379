"""Block matrices: which entries are there, how large they are, and which are exactly zero."""

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from deqir_lite.checks import check_interval
from deqir_lite.viz._values import to_array
from deqir_lite.viz.style import GRID, drawing, figure_of


def plot_blocks(
    magnitudes: Any,
    *,
    decades: float = 6.0,
    largest: float | None = None,
    title: str | None = None,
    ax: Axes | None = None,
) -> Figure:
    r"""Draw :math:`\log_{10}` of the norms of the blocks that a matrix consists of.

    Args:
        magnitudes: (n, n) values >= 0: one norm per block; thin lines separate them.
        decades: range of the colours below ``largest``. Smaller entries have the darkest colour;
            exact zeros have none and stay white.
        largest: norm of the brightest colour, > 0, the same for matrices that are to be compared
            (larger entries have it, too); default: the largest entry.
        title: of the axes.
        ax: axes to draw on; default: a new figure.

    The axes count blocks from 1, the row downwards. For the Jacobian of a sweep, block (k, i) is
    the answer of x_{T-k} to a change of x_{T-i}. Returns the figure (a second axes holds the colour
    bar). Raises ValueError when the matrix is not square or has a negative or non-finite entry, or
    blocks do not fit.
    """
    values = to_array("magnitudes", magnitudes, ndim=2)
    size = len(values)
    if values.shape != (size, size) or not np.isfinite(values).all():
        raise ValueError(
            f"magnitudes: got shape {values.shape}; expected a square matrix of finite values"
        )
    decades = check_interval("decades", decades, 0.1, 300.0)
    if largest is not None:
        largest = check_interval("largest", largest, 1e-300, 1e300)
    elif values.any():
        largest = values.max()
    top = np.log10(largest or 1.0)
    logs = np.log10(np.where(values > 0, values, 1.0)).clip(top - decades, top)
    with drawing(ax, width=4.8, height=4.0, title=title) as ax:
        picture = ax.imshow(
            np.ma.masked_where(values == 0, logs),
            cmap="cividis",  # even in lightness, and the same for all kinds of colour vision
            interpolation="none",
            vmin=top - decades,
            vmax=top,
            extent=(0.5, size + 0.5, size + 0.5, 0.5),
        )
        ax.grid(False)
        for edge in np.arange(1, size) + 0.5:
            ax.axhline(edge, color=GRID, linewidth=0.5)
            ax.axvline(edge, color=GRID, linewidth=0.5)
        for axis in (ax.xaxis, ax.yaxis):
            axis.set_major_locator(MaxNLocator(integer=True))
        ax.set(xlabel="changed state $i$", ylabel="answering state $k$")
        figure = figure_of(ax)
        bar = figure.colorbar(picture, ax=ax)
        bar.set_label(r"$\log_{10}$ magnitude (white: exactly 0)")
    return figure
