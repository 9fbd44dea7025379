"""One restrained style for all figures, without touching matplotlib's global settings.

Colours are those of Okabe and Ito that stand out on white, told apart by readers with any kind
of colour vision; lines also differ in dash and marker. The background is opaque and white, so a
figure reads the same in the book's dark mode.
"""

import contextlib
import io
from collections.abc import Iterator
from typing import Any

import matplotlib
from cycler import cycler
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from PIL import Image

from deqir_lite.viz._pictures import png_bytes
from deqir_lite.viz.panels import panels_html

COLORS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#000000", "#56B4E9", "#E69F00")
"""Blue, vermilion, green, purple, black, sky blue, orange (Okabe and Ito, 2008)."""

MARKERS = ("o", "s", "^", "D", "v", "P", "X")
DASHES = ("-", "--", "-.", ":", (0, (5, 1, 1, 1)), (0, (3, 1)), (0, (1, 1)))

INK = "#1a1a1a"
GRID = "#d9d9d9"
DPI = 100

REACH = 3.0
"""Figures of points show [-REACH, REACH]: where three standard deviations of noise lie."""

_SETTINGS: Any = {
    "figure.facecolor": "white",
    "savefig.facecolor": "white",
    "axes.facecolor": "white",
    "figure.dpi": DPI,
    "savefig.dpi": DPI,
    "font.family": "sans-serif",
    "font.size": 10,
    "axes.titlesize": 11,
    "axes.labelsize": 10,
    "axes.edgecolor": INK,
    "axes.labelcolor": INK,
    "text.color": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": GRID,
    "grid.linewidth": 0.6,
    "lines.linewidth": 1.6,
    "lines.markersize": 4.5,
    "legend.framealpha": 0.9,  # a line may run under it
    "legend.edgecolor": GRID,
    "legend.fontsize": 9,
    "axes.prop_cycle": cycler(color=COLORS, marker=MARKERS, linestyle=DASHES),
}


class BookFigure(Figure):
    """A matplotlib figure that a notebook shows as it is, whatever its backend.

    It does not belong to pyplot: a cell that ends with it shows it once, and nothing has to be
    closed. Panels side by side stand one below the other where a page is narrow.
    """

    def _repr_png_(self) -> bytes:
        return png_bytes(self.picture())

    def _repr_html_(self) -> str | None:
        return panels_html(self, self.picture()) if len(self.axes) > 1 else None

    def picture(self) -> Image.Image:
        """The figure as an RGB image, pixel for pixel as a notebook shows it."""
        buffer = io.BytesIO()
        with book_style():  # some settings only count when the figure is written
            self.savefig(buffer, format="png", pil_kwargs={"compress_level": 1})
        with Image.open(buffer) as picture:
            return picture.convert("RGB")


@contextlib.contextmanager
def book_style() -> Iterator[None]:
    """Apply the style inside a ``with`` block, and restore all settings after it."""
    with matplotlib.rc_context():
        matplotlib.rcdefaults()  # a reader's own matplotlibrc must not change the book
        matplotlib.rcParams.update(_SETTINGS)
        yield


def new_figure(
    *, width: float = 6.4, height: float = 3.6, nrows: int = 1, ncols: int = 1
) -> tuple[BookFigure, Any]:
    """Make a figure in the book's style.

    Args:
        width, height: in inches.
        nrows, ncols: grid of axes.

    Returns the figure and its axes as ``Figure.subplots`` does: one, or an array of them.
    """
    with book_style():
        figure = BookFigure(figsize=(width, height), dpi=DPI, layout="constrained")
        return figure, figure.subplots(nrows, ncols)


@contextlib.contextmanager
def drawing(
    ax: Axes | None, *, width: float = 6.4, height: float = 3.6, title: str | None = None
) -> Iterator[Axes]:
    """Draw on ``ax``, or on those of a new figure, in the book's style; the title comes last."""
    if ax is None:
        _, ax = new_figure(width=width, height=height)
    with book_style():
        yield ax
        if title:
            ax.set_title(title)


def square_plane(ax: Axes, *, reach: float = REACH) -> None:
    """Show [-reach, reach] in both directions of the plane, at one scale: angles are true."""
    ax.set(xlim=(-reach, reach), ylim=(-reach, reach), xlabel="$x_1$", ylabel="$x_2$")
    ax.set_aspect("equal")


def series_look(k: int) -> dict[str, Any]:
    """Color, marker and line of the k-th series."""
    return {
        "color": COLORS[k % len(COLORS)],
        "marker": MARKERS[k % len(MARKERS)],
        "linestyle": DASHES[k % len(DASHES)],
    }


def figure_picture(figure: BookFigure) -> Image.Image:
    """Return the figure as an RGB image, as a notebook shows it, for a frame of a slider.

    :class:`IterationSlider` takes a list of such images (with ``scale=1``). Colours are rounded to
    multiples of 4, of 255, which nobody sees, and which makes many frames a third smaller.
    """
    return figure.picture().point(lambda value: min(255, (value + 2) // 4 * 4))


def figure_of(ax: Axes) -> Figure:
    """Return the figure that axes lie in, also when they lie in a subfigure."""
    return ax.figure.canvas.figure
