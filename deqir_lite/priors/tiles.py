"""A network on images of any size: continued by reflection, and in overlapping tiles where the
whole does not fit into memory.

The tiles lie on the grid of the network's coarsest level, so that it sees every pixel at the same
place of its strides as in the whole image. What it says of them is blended with smooth weights
that sum to one. The blend is a function of the whole image like any other, so a chain stays one
chain, sampled step by step or all at once.
"""

import copy
import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar

import torch
from torch import Tensor

from deqir_lite.checks import check_integer
from deqir_lite.priors.halving import Halving

P = TypeVar("P")

OVERLAP = 16
"""What neighbouring tiles share at least, in pixels of the network's coarsest level: 256 pixels of
photo64. There, 96 pixels from a cut its prediction is off by up to 1.4 grey levels, 128 pixels
from it by less than 0.005; from 192 on it does not see the cut."""

_CONTEXT = 3 / 8
"""Share of the overlap that a tile sees at a cut, but says nothing about; the two tiles change
places within the quarter in the middle."""


@dataclass(frozen=True)
class Tiles:
    """Tiles of ``side`` pixels at most, neighbours of which share at least ``overlap``, by default
    :data:`OVERLAP` times the divisor of the network.

    Both are rounded to what the network can take. Raises ValueError unless the overlap is smaller
    than the side.
    """

    side: int
    overlap: int | None = None

    def __post_init__(self) -> None:
        check_integer("side", self.side, 1)
        check_integer("overlap", self.overlap or 0, 0)
        if self.overlap is not None and self.overlap >= self.side:
            raise ValueError(
                f"overlap: got {self.overlap} for tiles of {self.side} pixels; expected less"
            )

    def along(self, length: int, divisor: int) -> tuple[list[int], int]:
        """Where the tiles of a side of ``length`` pixels begin, and how long they are: multiples
        of ``divisor``, which cover the side and may reach beyond its end."""
        padded = _multiple(length, divisor)
        side = max(self.side // divisor, 1) * divisor
        if side >= padded:
            return [0], padded
        wanted = OVERLAP * divisor if self.overlap is None else self.overlap
        overlap = min(_multiple(wanted, divisor), side - divisor)
        count = math.ceil((padded - overlap) / (side - overlap))
        last = (padded - side) // divisor
        return [divisor * round(k * last / (count - 1)) for k in range(count)], side


def on_tiles(
    model: Callable[[Tensor, Tensor], Tensor],
    x: Tensor,
    t: Tensor,
    *,
    divisor: int = 1,
    tiles: Tiles | None = None,
    max_batch: int | None = None,
    halving: Halving | None = None,
) -> Tensor:
    """model(x, t) for images x (B, 3, H, W) of any size and t (B,), like x.

    ``model`` takes images whose sides are multiples of ``divisor``: others are continued by
    reflection, and the result is cropped. ``tiles``: by default one for the whole image. At most
    ``max_batch`` images, or tiles, go through the model at once, and fewer where ``halving`` finds
    that they do not fit into memory.
    """
    if halving is not None:
        model = partial(halving, model)
    if tiles is None and divisor == 1 and max_batch is None:
        return model(x, t)
    height, width = x.shape[-2:]
    plan = tiles or Tiles(max(height, width) + divisor, 0)
    (tops, tall), (lefts, wide) = (plan.along(n, divisor) for n in (height, width))
    places = [(top, left) for top in tops for left in lefts]
    batch = max_batch or len(x) * len(places)
    if len(places) == 1:
        whole = x if (tall, wide) == (height, width) else _cut(x, 0, 0, tall, wide)
        parts = zip(whole.split(batch), t.split(batch), strict=True)
        return torch.cat([model(part, time) for part, time in parts])[..., :height, :width]
    down, across = (
        blend_weights(starts, side, length).to(x)
        for starts, side, length in ((tops, tall, height), (lefts, wide, width))
    )
    result = torch.zeros_like(x)
    # image by image of each place, so that a batch of one never holds more than a tile
    entries = [(b, i) for i in range(len(places)) for b in range(len(x))]
    for first in range(0, len(entries), batch):
        group = entries[first : first + batch]
        cut = torch.cat([_cut(x[b : b + 1], *places[i], tall, wide) for b, i in group])
        said = model(cut, t[[b for b, _ in group]])
        for part, (b, i) in zip(said, group, strict=True):
            top, left = places[i]
            rows, columns = slice(top, top + tall), slice(left, left + wide)
            row, column = down[i // len(lefts), rows], across[i % len(lefts), columns]
            part = part[:, : len(row), : len(column)] * row[:, None] * column
            result[b, :, rows, columns] = result[b, :, rows, columns] + part
    return result


def blend_weights(starts: list[int], side: int, length: int) -> Tensor:
    """The weight of each tile at each pixel of a side, (tiles, length) float64: squared sines
    in the middle of what two tiles share, which sum to one."""
    pixel = torch.arange(length, dtype=torch.float64) + 0.5
    begin = torch.tensor(starts, dtype=torch.float64)[:, None]
    end = begin + side
    shared = (end[:-1] - begin[1:]).clamp(min=1)  # by each tile and its next
    raw = ((begin < pixel) & (pixel < end)).double()
    raw[1:] *= _ramp((pixel - begin[1:]) / shared)
    raw[:-1] *= _ramp((end[:-1] - pixel) / shared)
    return raw / raw.sum(dim=0)


def with_tiles(prior: P, tiles: Tiles | None) -> P:
    """The same prior with its network on ``tiles``; the given one stays as it is.

    Of a prior with a Gaussian part, that part still sees the whole image. A prior without a
    network is returned itself; ``tiles`` None is the whole image.
    """
    if not hasattr(prior, "tiles"):
        return prior
    tiled: Any = copy.copy(prior)
    tiled.tiles = tiles
    return tiled


def _ramp(x: Tensor) -> Tensor:
    """0 at 0, 1 at 1, and with its mirror image 1 everywhere."""
    within = ((x - _CONTEXT) / (1 - 2 * _CONTEXT)).clamp(0, 1)
    return (within * (torch.pi / 2)).sin().square()


def _multiple(length: int, divisor: int) -> int:
    return -(-length // divisor) * divisor


def _cut(x: Tensor, top: int, left: int, tall: int, wide: int) -> Tensor:
    """A window of x (B, 3, H, W); what lies beyond its end is the reflection of x, again and again
    where it is small."""
    height, width = x.shape[-2:]
    if top + tall > height:
        x, top = x[..., _reflected(top, tall, height, x.device), :], 0
    if left + wide > width:
        x, left = x[..., _reflected(left, wide, width, x.device)], 0
    return x[..., top : top + tall, left : left + wide]


def _reflected(start: int, count: int, length: int, device: torch.device) -> Tensor:
    """Indices of ``count`` entries from ``start``, reflected about the last one of ``length``."""
    period = max(2 * (length - 1), 1)
    index = torch.arange(start, start + count, device=device) % period
    return torch.minimum(index, period - index) if length > 1 else torch.zeros_like(index)
