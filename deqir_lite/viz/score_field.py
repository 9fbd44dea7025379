"""Two-dimensional mixtures: the density of a noise level, its score as arrows, points that flow."""

from typing import Any

import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from deqir_lite.checks import check_finite, check_integer
from deqir_lite.priors.mixture import GaussianMixturePrior
from deqir_lite.viz.densities import check_dimension, density
from deqir_lite.viz.style import COLORS, INK, REACH, drawing, figure_of, square_plane


def plot_score_field(
    prior: GaussianMixturePrior,
    t: int,
    *,
    points: torch.Tensor | None = None,
    paths: torch.Tensor | None = None,
    arrows: int = 17,
    title: str | None = None,
    ax: Axes | None = None,
) -> Figure:
    """Draw p_t of a mixture in the plane as shades, and sqrt(1 - abar_t) grad log p_t as arrows.

    The arrows are the score in units of the noise, which is minus the predicted noise: so they
    have comparable lengths at all levels.

    Args:
        prior: a mixture with d = 2.
        t: the timestep.
        points: (n, 2), drawn as dots.
        paths: (S, n, 2), n lines of S states each, under the dots.
        arrows: along each axis.
        title: of the axes; default: the timestep.
        ax: axes to draw on; default: a new square figure.

    Returns the figure. Raises ValueError for a mixture of another dimension, an unknown timestep,
    and points or paths of another shape.
    """
    check_dimension(prior, 2)
    arrows = check_integer("arrows", arrows, 2)
    for name, value, ndim in (("points", points, 2), ("paths", paths, 3)):
        if value is not None:
            check_finite(name, value)
            if value.ndim != ndim or value.shape[-1] != 2:
                expected = "(n, 2)" if ndim == 2 else "(S, n, 2)"
                raise ValueError(f"{name}: got shape {tuple(value.shape)}; expected {expected}")
    fine, coarse = _grid(REACH, 101), _grid(REACH * (1 - 1 / arrows), arrows)
    shades = density(prior, fine, t).reshape(101, 101)
    field = -prior(coarse, torch.full((len(coarse),), t))
    plain: Any = {"marker": "", "linestyle": "-"}
    title = f"t = {t}" if title is None else title
    with drawing(ax, width=4.4, height=4.4, title=title) as ax:
        ax.imshow(
            shades.numpy(),
            cmap="Greys",
            vmax=1.8 * float(shades.max()),
            origin="lower",
            extent=(-REACH, REACH, -REACH, REACH),
        )
        ax.quiver(
            *coarse.T.numpy(), *field.T.numpy(), color=COLORS[0], angles="xy",
            scale_units="xy", scale=arrows / 2, width=0.004,
        )  # fmt: skip
        if paths is not None:
            for k in range(paths.shape[1]):
                line = paths[:, k].detach().double().cpu().numpy()
                ax.plot(*line.T, color=COLORS[1], linewidth=1, **plain)
        if points is not None:
            ax.plot(
                *points.detach().double().cpu().numpy().T, color=COLORS[1], marker="o",
                markersize=4, markeredgecolor=INK, markeredgewidth=0.4, linestyle="none",
            )  # fmt: skip
        ax.grid(False)
        square_plane(ax)
    return figure_of(ax)


def _grid(reach: float, count: int) -> torch.Tensor:
    """(count^2, 2) points of a square, rows from the bottom."""
    axis = torch.linspace(-reach, reach, count, dtype=torch.float64)
    y, x = torch.meshgrid(axis, axis, indexing="ij")
    return torch.stack([x.flatten(), y.flatten()], dim=-1)
