"""Singular values of operators: how much of an image each of them passes on."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from deqir_lite.viz._values import to_array
from deqir_lite.viz.style import drawing, figure_of, series_look


def plot_singular_values(
    spectra: Mapping[str, Any], *, title: str | None = None, ax: Axes | None = None
) -> Figure:
    """Draw the singular values of each operator from the largest down, on a logarithmic axis.

    A curve runs over the unknowns, in per cent of their number, and ends at the rank of the
    operator: what is missing on the right is its null space. The end carries a marker.

    Args:
        spectra: name -> all singular values of an operator, one for each unknown, zeros included
            (list, array or tensor; for a :class:`LinearOperator` its ``singular_values``,
            expanded to the shape of an image and flattened).
        title: of the axes.
        ax: axes to draw on; default: a new figure.

    Returns the figure. Raises ValueError for no operator, negative values, NaN or infinity, or an
    operator without any positive value.
    """
    if not spectra:
        raise ValueError("spectra: got none; expected at least one operator")
    curves = {name: _positive(f"spectra[{name!r}]", values) for name, values in spectra.items()}
    with drawing(ax, title=title) as ax:
        for k, (name, (values, unknowns)) in enumerate(curves.items()):
            percent = 100 * np.arange(1, len(values) + 1) / unknowns
            ax.plot(
                np.concatenate([[0], percent]),
                np.concatenate([values[:1], values]),
                markevery=[len(values)],
                label=name,
                **series_look(k),
            )
        ax.set_yscale("log")
        ax.set_xlim(0, 102)
        ax.set(xlabel="per cent of the unknowns", ylabel="singular value")
        ax.legend()
    return figure_of(ax)


def _positive(name: str, values: Any) -> tuple[np.ndarray, int]:
    """The positive values in descending order, and the number of all values."""
    array = to_array(name, values, ndim=1)
    if not np.isfinite(array).all():
        raise ValueError(f"{name}: contains NaN or infinity; expected finite values")
    positive = np.sort(array[array > 0])[::-1]
    if not len(positive):
        raise ValueError(f"{name}: got zeros only; expected a positive singular value")
    return positive, len(array)
