"""One-dimensional mixtures while noise is added: densities over time, and samples under them."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from deqir_lite.checks import check_finite, check_integer
from deqir_lite.priors.mixture import GaussianMixturePrior
from deqir_lite.viz.style import COLORS, DASHES, INK, REACH, drawing, figure_of

_BINS = 60


def plot_density_flow(
    prior: GaussianMixturePrior,
    *,
    paths: torch.Tensor | None = None,
    timesteps: torch.Tensor | None = None,
    title: str | None = None,
    ax: Axes | None = None,
) -> Figure:
    """Draw p_t(x) of a one-dimensional mixture for all t as shades, and chains as lines.

    Every column is divided by its largest value: a shade tells where the density of this noise
    level lies, not how high it is.

    Args:
        prior: a mixture with d = 1.
        paths: (T+1, n) states of n chains, noisiest first; the last ones are drawn at t = 0.
        timesteps: (T,) of all states but the last; needed with ``paths``.
        title: of the axes.
        ax: axes to draw on; default: a new figure.

    Returns the figure. Raises ValueError for a mixture of another dimension, and for paths and
    timesteps that do not fit.
    """
    check_dimension(prior, 1)
    if (paths is None) != (timesteps is None):
        raise ValueError("timesteps: expected together with paths, or neither")
    count = prior.schedule.num_train_timesteps
    shown = torch.linspace(0, count - 1, min(count, 200)).round().long()
    x = torch.linspace(-REACH, REACH, 241, dtype=torch.float64)
    columns = torch.stack([density(prior, x, int(t)) for t in shown], dim=1)
    with drawing(ax, title=title) as ax:
        ax.imshow(
            (columns / columns.amax(0)).numpy(),
            cmap="Greys",
            vmax=1.6,  # lines stay visible on the darkest shade
            aspect="auto",
            origin="lower",
            extent=(0, count - 1, -REACH, REACH),
        )
        if paths is not None and timesteps is not None:
            times = _times(paths, timesteps)
            for k, path in enumerate(paths.detach().double().cpu().numpy().T):
                ax.plot(times, path, color=COLORS[k % 4], marker=".", linestyle="-", linewidth=1)
        ax.grid(False)
        ax.set(xlabel="timestep t", ylabel="x", xlim=(0, count - 1), ylim=(-REACH, REACH))
    return figure_of(ax)


def plot_samples(
    prior: GaussianMixturePrior,
    samples: Mapping[str, torch.Tensor],
    *,
    t: int = 0,
    ax: Axes | None = None,
) -> Figure:
    """Draw the density p_t of a one-dimensional mixture, and a histogram of each set of samples.

    Args:
        prior: a mixture with d = 1.
        samples: name -> (n,) or (n, 1) numbers; those outside are not drawn, but count.
        t: the timestep of the density; 0 is the least noisy one.
        ax: axes to draw on; default: a new figure.

    Returns the figure. Raises ValueError for a mixture of another dimension, an unknown timestep,
    and samples that are empty or not finite.
    """
    check_dimension(prior, 1)
    edges = np.linspace(-REACH, REACH, _BINS + 1)
    x = torch.linspace(-REACH, REACH, 401, dtype=torch.float64)
    curve = density(prior, x, t)
    with drawing(ax) as ax:
        ax.plot(x, curve, color=INK, marker="", linestyle="-", label="density")
        for k, (name, values) in enumerate(samples.items()):
            check_finite(f"samples[{name!r}]", values)
            numbers = values.detach().double().cpu().numpy().ravel()
            if not len(numbers):
                raise ValueError(f"samples[{name!r}]: got none; expected at least one")
            counts, _ = np.histogram(numbers, edges)
            heights = counts / (len(numbers) * np.diff(edges))
            look: Any = {"color": COLORS[k % len(COLORS)], "linestyle": DASHES[k % len(DASHES)]}
            ax.stairs(heights, edges, label=name, linewidth=1.4, **look)
        ax.set(xlabel="x", ylabel="density", xlim=(-REACH, REACH))
        ax.legend()
    return figure_of(ax)


def density(prior: GaussianMixturePrior, x: torch.Tensor, t: int) -> torch.Tensor:
    """p_t at the points ``x``: (n,) in one dimension, (n, d) in d."""
    t = check_integer("t", t, 0)
    if t >= prior.schedule.num_train_timesteps:
        raise ValueError(
            f"t: got {t}; expected a timestep below {prior.schedule.num_train_timesteps}"
        )
    points = x[:, None] if x.ndim == 1 else x
    return prior.log_density(points, torch.full((len(points),), t)).exp()


def check_dimension(prior: GaussianMixturePrior, expected: int) -> None:
    """Raise ValueError unless the mixture is one in so many dimensions."""
    got = prior.means.shape[1]
    if got != expected:
        raise ValueError(f"prior: got a mixture in {got} dimensions; expected {expected}")


def _times(paths: torch.Tensor, timesteps: torch.Tensor) -> np.ndarray:
    """The timesteps of all states; the last one, without noise, counts as 0."""
    if paths.ndim != 2 or timesteps.shape != (len(paths) - 1,):
        raise ValueError(
            f"paths {tuple(paths.shape)}, timesteps {tuple(timesteps.shape)}: "
            "expected (T+1, n) and (T,)"
        )
    return np.append(timesteps.double().cpu().numpy(), 0.0)
