"""Two-dimensional blur kernels, and the check that all kernels pass."""

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from deqir_lite.checks import check_interval, shown


def check_kernel(name: str, kernel: Tensor | Sequence[Any], ndim: int) -> Tensor:
    """The kernel in float64 on the CPU.

    Raises ValueError unless it has ``ndim`` axes, all of odd length, finite values and a tap that
    is not zero.
    """
    try:
        taps = torch.as_tensor(kernel, dtype=torch.float64).detach().cpu()
    except (TypeError, ValueError, RuntimeError):
        raise ValueError(f"{name}: got {type(kernel).__name__}; expected numbers") from None
    if taps.ndim != ndim or any(n % 2 == 0 for n in taps.shape):
        got = f"shape {tuple(taps.shape)}" if taps.ndim else f"one number, {shown(kernel)}"
        sides = "rows and columns" if ndim == 2 else "a row"
        raise ValueError(f"{name}: got {got}; expected {ndim}-D with odd lengths, {sides} of taps")
    if not bool(torch.isfinite(taps).all()) or not bool(taps.any()):
        raise ValueError(f"{name}: expected finite taps, not all zero")
    return taps


def motion_kernel(length: float, angle: float) -> Tensor:
    """The blur of a camera that moves ``length`` pixels in a straight line: 2-D, sum 1, float64.

    Args:
        length: in pixels, at least 1; the kernel has the next odd size that holds it.
        angle: of the motion in degrees, counted from the rows (0 = horizontal) upwards.

    Raises:
        ValueError: length < 1 or not finite, angle not finite.
    """
    length = check_interval("length", length, 1, 1e4)
    angle = check_interval("angle", angle, -1e6, 1e6)
    half = math.ceil((length - 1) / 2)
    size = 2 * half + 1
    # Points along the path, each shared by its four neighbours: a line without jagged edges.
    along = torch.linspace(-(length - 1) / 2, (length - 1) / 2, 64 * size, dtype=torch.float64)
    row = half - along * math.sin(math.radians(angle))
    column = half + along * math.cos(math.radians(angle))
    grid = torch.arange(size, dtype=torch.float64)
    row_share = (1 - (row[:, None] - grid).abs()).clamp(min=0)
    column_share = (1 - (column[:, None] - grid).abs()).clamp(min=0)
    kernel = row_share.mT @ column_share
    return kernel / kernel.sum()
