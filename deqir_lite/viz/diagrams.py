"""Drawings of boxes and arrows: the method as a loop, and an equilibrium beside a deep network."""

from itertools import pairwise

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyArrowPatch, FancyBboxPatch

from deqir_lite.viz.style import COLORS, INK, book_style, figure_of, new_figure

_WIDTH, _HEIGHT = 2.1, 1.05  # of a box, in the units of the axes
_PALE = {"state": "white", "network": "#cfe3f1", "measured": "#fbe0c8", "plain": "#ececec"}
"""Colours of boxes: pale blue for the network, pale orange for what was measured."""

Point = tuple[float, float]


def plot_method() -> Figure:
    """Draw one step of the restoration (Eq. 5 and the update below it) as a loop.

    From a noisy state the network guesses the photo; the measured part of the guess is replaced
    by A^+ y; noise is added again, less than before; T times. Returns the figure.
    """
    _, ax = new_figure(width=7.6, height=4.2)
    with book_style():
        _blank(ax, 10.6, 6)
        columns, top, middle, bottom = (1.2, 3.9, 6.6, 9.3), 5.1, 3.1, 1.1
        _box(ax, (columns[0], top), "noisy state\n$\\mathbf{x}_{s+1}$")
        _box(ax, (columns[1], top), "network\n$\\epsilon_\\theta$", "network")
        _box(ax, (columns[2], top), "guess of the\nphoto $\\mathbf{x}_{0|s+1}$")
        _box(ax, (columns[3], top), "unmeasured\npart: $\\mathbf{N}$")
        _box(ax, (columns[1], middle), "measurement\n$\\mathbf{y}$", "measured")
        _box(ax, (columns[2], middle), "undone:\n$\\mathbf{A}^+\\mathbf{y}$", "measured")
        _box(ax, (columns[3], middle), "sum: the\ncorrected guess", "plain")
        _box(ax, (columns[2], bottom), "noise of level $s$,\nold and fresh", "plain")
        _box(ax, (columns[0], bottom), "less noisy\nstate $\\mathbf{x}_s$")
        for a, b in pairwise(columns):
            _arrow(ax, (a + _WIDTH / 2, top), (b - _WIDTH / 2, top))
            if a > columns[0]:
                _arrow(ax, (a + _WIDTH / 2, middle), (b - _WIDTH / 2, middle))
        half = _HEIGHT / 2
        _arrow(ax, (columns[3], top - half), (columns[3], middle + half))
        _arrow(ax, (columns[3], middle - half), (columns[2] + _WIDTH / 2, bottom), elbow=True)
        _arrow(ax, (columns[2] - _WIDTH / 2, bottom), (columns[0] + _WIDTH / 2, bottom))
        _arrow(ax, (columns[0], bottom + half), (columns[0], top - half), color=COLORS[1])
        ax.text(columns[0] + 0.15, middle, "again,\n$T$ times", va="center", color=COLORS[1])
        ax.text((columns[0] + columns[2]) / 2, bottom - 0.12, "the last one is the photo",
                ha="center", va="top", fontsize=9)  # fmt: skip
    return figure_of(ax)


def plot_equilibrium() -> Figure:
    """Draw a deep network of equal layers, its equilibrium, and the fixed-point system (Eq. 8).

    Returns the figure, two axes: the layer and its loop, and the sweep F and its loop.
    """
    figure, axes = new_figure(width=7.6, height=3.6, ncols=2)
    with book_style():
        left, right = axes
        _blank(left, 8.4, 6, "A layer, repeated for ever")
        for x in (1.9, 4.2, 6.5):
            _arrow(left, (x - 1.55, 5), (x - 0.75, 5))
            _box(left, (x, 5), "layer", "network", width=1.5)
        _arrow(left, (7.25, 5), (7.9, 5))
        left.text(8.0, 5, "...", va="center")
        _loop(left, (3.7, 1.6), "layer", "input", "back in", "output =\nlayer(output;\ninput)")
        _blank(right, 8.4, 6, "All states of a chain, swept")
        for k, name in enumerate(("T-1", "T-2", "", "0")):
            label = f"$\\mathbf{{x}}_{{{name}}}$" if name else "..."
            _box(right, (1.5 + 1.8 * k, 5), label, width=1.4)
        _loop(right, (3.7, 1.6), "$F$", "$\\mathbf{x}_T$, $\\mathbf{y}$, noise", "all back in",
              "$X^* = F(X^*;\\,\\mathbf{x}_T, \\mathbf{y})$")  # fmt: skip
    return figure


def _blank(ax: Axes, width: float, height: float, title: str = "") -> None:
    ax.set(xlim=(0, width), ylim=(0, height), title=title)
    ax.set_axis_off()


def _box(ax: Axes, at: Point, text: str, kind: str = "state", *, width: float = _WIDTH) -> None:
    """A rounded box with its text, around the point ``at``."""
    corner = at[0] - width / 2, at[1] - _HEIGHT / 2
    style = "round,pad=0,rounding_size=0.15"
    ax.add_patch(
        FancyBboxPatch(corner, width, _HEIGHT, boxstyle=style, facecolor=_PALE[kind], edgecolor=INK)
    )
    ax.text(*at, text, ha="center", va="center")


def _arrow(ax: Axes, start: Point, end: Point, *, elbow: bool = False, color: str = INK) -> None:
    """An arrow, straight or with a right angle: first down, then across."""
    path = "angle,angleA=-90,angleB=0,rad=6" if elbow else "arc3"
    ax.add_patch(
        FancyArrowPatch(
            start, end, connectionstyle=path, arrowstyle="-|>", mutation_scale=12, color=color,
            shrinkA=0, shrinkB=0,
        )
    )  # fmt: skip


def _loop(ax: Axes, at: Point, name: str, given: str, back: str, equation: str) -> None:
    """A map whose output is its input, with what it is given from outside."""
    x, y = at
    out, up, half = 1.4, 1.25, 0.75
    _box(ax, at, name, "network", width=1.5)
    way = [(half, 0.2), (out, 0.2), (out, up), (-out, up), (-out, 0.2)]
    ax.plot([x + dx for dx, _ in way], [y + dy for _, dy in way], "-", marker="", color=COLORS[1])
    _arrow(ax, (x - out, y + 0.2), (x - half, y + 0.2), color=COLORS[1])
    ax.text(x, y + up + 0.12, back, ha="center", va="bottom", color=COLORS[1])
    _arrow(ax, (x - 1.8, y - 0.25), (x - half, y - 0.25))
    ax.text(x - 1.9, y - 0.25, given, ha="right", va="center")
    ax.text(x + out + 0.25, y, equation, va="center")
