"""Blur kernels by name, with numbers of one's own: ``gaussian:1.5``, ``motion:15:30``."""

import math
from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

from deqir_lite.checks import check_choice
from deqir_lite.operators.blur import gaussian_kernel
from deqir_lite.operators.kernels import motion_kernel


class NamedKernel(NamedTuple):
    """What the numbers are, and the kernel that they make (2-D, sum 1)."""

    numbers: tuple[str, ...]
    make: Callable[..., Tensor]


def _gaussian(sigma: float) -> Tensor:
    _check("sigma", sigma, 0.1, 100)
    taps = gaussian_kernel(2 * math.ceil(3 * sigma) + 1, sigma)
    return torch.outer(taps, taps)


def _box(side: float) -> Tensor:
    """A square of ``side`` pixels, its border taps in part."""
    _check("side", side, 1, 500)
    taps = _share(side / 2)
    return torch.outer(taps, taps)


def _disk(radius: float) -> Tensor:
    """A lens out of focus; each tap from 16 x 16 points."""
    _check("radius", radius, 0.5, 250)
    n = math.ceil(radius - 0.5)
    points = torch.arange(16 * (2 * n + 1), dtype=torch.float64) / 16 - n - 0.5 + 1 / 32
    inside = (points[:, None].square() + points.square() <= radius**2).double()
    taps = inside.unflatten(0, (-1, 16)).unflatten(2, (-1, 16)).mean(dim=(1, 3))
    return taps / taps.sum()


def _motion(length: float, angle: float) -> Tensor:
    _check("length", length, 1, 500)
    _check("angle", angle, -360, 360)
    return motion_kernel(length, angle)


def _share(half: float) -> Tensor:
    n = math.ceil(half - 0.5)
    edge = torch.arange(-n, n + 1, dtype=torch.float64).abs()
    taps = (half - edge + 0.5).clamp(0, 1)
    return taps / taps.sum()


def _check(name: str, value: float, low: float, high: float) -> None:
    if not low <= value <= high:
        raise ValueError(f"kernel: {name} {value:g}; expected {low:g} to {high:g}")


NAMED_KERNELS = {
    "gaussian": NamedKernel(("sigma",), _gaussian),
    "box": NamedKernel(("side",), _box),
    "disk": NamedKernel(("radius",), _disk),
    "motion": NamedKernel(("length", "angle"), _motion),
}
"""Lengths are in pixels, the angle in degrees from the horizontal upwards."""


def kernel_forms() -> str:
    """How they are written: gaussian:SIGMA, ..."""
    return ", ".join(
        ":".join([name, *(number.upper() for number in kind.numbers)])
        for name, kind in NAMED_KERNELS.items()
    )


def is_kernel_name(text: str) -> bool:
    """Whether ``text`` begins like a kernel by name, and not like that of a file."""
    return text.split(":")[0] in NAMED_KERNELS


def named_kernel(text: str) -> Tensor:
    """The kernel ``name:number:...``, 2-D with odd sides and sum 1, float64.

    Raises ValueError for another name, other numbers, and values out of range.
    """
    name, *given = text.split(":")
    check_choice("kernel", name, NAMED_KERNELS)
    kind = NAMED_KERNELS[name]
    try:
        numbers = [float(part) for part in given]
    except ValueError:
        numbers = []
    if len(numbers) != len(kind.numbers):
        raise ValueError(f"kernel: got {text!r}; expected one of {kernel_forms()}")
    return kind.make(*numbers)
