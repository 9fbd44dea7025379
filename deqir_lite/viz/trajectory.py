"""All states of a chain of points in the plane, as one connected line."""

from typing import Any

import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from deqir_lite.checks import check_integer
from deqir_lite.priors.mixture import GaussianMixturePrior
from deqir_lite.viz._values import to_points
from deqir_lite.viz.densities import check_dimension, density
from deqir_lite.viz.style import COLORS, INK, REACH, drawing, figure_of, square_plane


def plot_trajectory(
    states: Any,
    *,
    reference: Any | None = None,
    exact: int = 0,
    prior: GaussianMixturePrior | None = None,
    title: str | None = None,
    ax: Axes | None = None,
) -> Figure:
    """Draw the states x_T, ..., x_0 of one chain in the plane, connected in this order.

    Args:
        states: (T+1, 2), noisiest first.
        reference: another chain of the same shape, a grey line under the states.
        exact: how many states after x_T are solved: states[: exact + 1] are filled disks, the
            others are rings.
        prior: a mixture with d = 2; its density at t = 0 is shaded under the states.
        title: of the axes.
        ax: axes to draw on, for example over a density; default: a new square figure.

    x_0 carries a star. How many states lie outside of the picture is written in its corner, since a
    line that leaves it does not tell. Returns the figure. Raises ValueError for states that are no
    points of the plane or not finite, another shape of the reference, and a mixture of another
    dimension.
    """
    points = to_points("states", states)
    exact = check_integer("exact", exact, 0)
    if exact >= len(points):
        raise ValueError(f"exact: got {exact}; expected less than the {len(points)} states")
    if prior is not None:
        check_dimension(prior, 2)
    under = None if reference is None else to_points("reference", reference)
    if under is not None and under.shape != points.shape:
        raise ValueError(f"reference: got shape {under.shape}; expected {points.shape}")
    plain: Any = {"marker": "", "linestyle": "-"}
    with drawing(ax, width=4.0, height=4.0, title=title) as ax:
        if prior is not None:
            _shade(ax, prior)
        if under is not None:
            ax.plot(*under.T, color="#707070", linewidth=4, alpha=0.5, zorder=2, **plain)
        ax.plot(*points.T, color=COLORS[0], linewidth=1, zorder=3, **plain)
        for part, filling in ((points[: exact + 1], COLORS[0]), (points[exact + 1 :], "white")):
            ax.plot(*part.T, marker="o", linestyle="none", markersize=5, color=COLORS[0],
                    markerfacecolor=filling, zorder=4)  # fmt: skip
        ax.plot(*points[-1], marker="*", linestyle="none", markersize=12, color=COLORS[1],
                markeredgecolor=INK, markeredgewidth=0.6, zorder=5)  # fmt: skip
        square_plane(ax)
        outside = int((np.abs(points) > REACH).any(axis=1).sum())
        if outside:
            ax.text(
                0.03, 0.03, f"{outside} of {len(points)} states outside", fontsize=9,
                transform=ax.transAxes, zorder=6,
                bbox={"facecolor": "white", "edgecolor": "none", "alpha": 0.8, "pad": 2},
            )  # fmt: skip
    return figure_of(ax)


def _shade(ax: Axes, prior: GaussianMixturePrior) -> None:
    """Five shades, each one power of ten below the last."""
    axis = torch.linspace(-REACH, REACH, 121, dtype=torch.float64)
    x, y = torch.meshgrid(axis, axis, indexing="xy")
    p = density(prior, torch.stack([x, y], dim=-1).reshape(-1, 2), t=0).reshape(x.shape)
    below_peak = (p / p.max()).clamp(min=1e-9).log10().numpy()
    levels = [-5, -4, -3, -2, -1, 0]
    shades = ["#f4f4f4", "#e9e9e9", "#dcdcdc", "#cdcdcd", "#bcbcbc"]
    ax.contourf(axis.numpy(), axis.numpy(), below_peak, levels, colors=shades, zorder=1)
    ax.grid(False)
