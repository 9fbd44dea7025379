"""Numbers for logarithmic axes, and points of the plane."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch


def to_array(name: str, values: Any, ndim: int) -> np.ndarray:
    """Return float64 values >= 0 with ``ndim`` dimensions; NaN and infinity may be among them.

    None counts as NaN: "not measured". Raises ValueError for anything else.
    """
    if isinstance(values, torch.Tensor):
        array = values.detach().double().cpu().numpy()
    else:
        try:
            array = np.asarray(values, dtype=np.float64)
        except (TypeError, ValueError) as error:
            raise ValueError(f"{name}: expected numbers ({error})") from error
    if array.ndim != ndim or 0 in array.shape:
        raise ValueError(f"{name}: got shape {array.shape}; expected {ndim} non-empty dimension(s)")
    if (array < 0).any():
        raise ValueError(f"{name}: holds negative values; expected errors or residuals >= 0")
    if not np.isfinite(array).any():
        raise ValueError(f"{name}: holds no finite value")
    return array


def log_floor(arrays: Sequence[np.ndarray]) -> float:
    """Where to draw exact zeros: a power of ten below every positive value."""
    positive = [a[np.isfinite(a) & (a > 0)] for a in arrays]
    smallest = min((float(p.min()) for p in positive if p.size), default=1.0)
    return 10.0 ** (np.floor(np.log10(smallest)) - 1)


def to_points(name: str, value: Any) -> np.ndarray:
    """(n, 2) float64 from a tensor, an array or a sequence of points; ValueError otherwise."""
    try:
        rows = [torch.as_tensor(point).detach().double().cpu().numpy() for point in value]
        array = np.stack(rows) if rows else np.empty((0, 2))
    except (TypeError, ValueError, RuntimeError) as error:
        raise ValueError(f"{name}: expected points of the plane ({error})") from error
    if array.ndim != 2 or array.shape[1] != 2 or not len(array):
        raise ValueError(f"{name}: got shape {array.shape}; expected (n, 2), n >= 1")
    if not np.isfinite(array).all():
        raise ValueError(f"{name}: holds NaN or infinity; expected finite points")
    return array
