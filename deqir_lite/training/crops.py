"""Random crops of photos at many scales, cut out of one buffer on the device without a loop."""

import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F

from deqir_lite.checks import check_integer
from deqir_lite.memory import explaining_memory

SCALE_STEP = math.sqrt(2)
"""About this much does each level of a pyramid shrink the one before."""


def level_sizes(height: int, width: int, size: int) -> list[tuple[int, int]]:
    """Sizes (H, W) of the pyramid of a picture: from its own down to the short side ``size``.

    The steps are equal in the logarithm, so a level drawn uniformly is a log-uniform scale.
    """
    short = min(height, width)
    steps = round(math.log(short / size) / math.log(SCALE_STEP))
    scales = [(size / short) ** (k / steps) for k in range(steps + 1)] if steps else [1.0]
    return [(max(size, round(height * s)), max(size, round(width * s))) for s in scales]


def pyramid(picture: torch.Tensor, size: int) -> torch.Tensor:
    """All levels of a uint8 picture (3, H, W), antialiased, one after the other: uint8 (P, 3)."""
    exact = picture[None].float()
    levels = []
    for level in level_sizes(picture.shape[1], picture.shape[2], size):
        shrunk = exact
        if level != tuple(picture.shape[1:]):
            shrunk = F.interpolate(exact, level, mode="bilinear", antialias=True).round()
        levels.append(shrunk[0].clamp(0, 255).to(torch.uint8).flatten(1).t())
    return torch.cat(levels)


class CropSampler:
    """Draws square crops of ``size`` pixels from uint8 pictures (3, H, W), with replacement.

    The pyramids of all pictures lie in one flat uint8 buffer on ``device``; a crop is a window
    of it, so a batch is one gather, whatever its size. ``weights`` (one per picture, default
    equal) says how often each picture is drawn.

    Raises ValueError when a side is below ``size``, or when the buffer does not fit into memory.
    """

    def __init__(
        self,
        pictures: Sequence[torch.Tensor],
        size: int,
        *,
        device: torch.device | str = "cpu",
        weights: Sequence[float] | None = None,
    ) -> None:
        size = check_integer("size", size, 1)
        if not pictures:
            raise ValueError("pictures: got none; expected at least one")
        self.size, self.device = size, torch.device(device)
        table: list[tuple[int, int, int]] = []
        first, count, offset = [], [], 0
        for picture in pictures:
            height, width = picture.shape[-2:]
            if min(height, width) < size:
                raise ValueError(f"pictures: got {height}x{width}; expected at least {size}x{size}")
            sizes = level_sizes(height, width, size)
            first.append(len(table))
            count.append(len(sizes))
            for level in sizes:
                table.append((offset, *level))
                offset += level[0] * level[1]
        self._table = torch.tensor(table, device=self.device)
        self._first = torch.tensor(first, device=self.device)
        self._count = torch.tensor(count, device=self.device)
        self._starts = [table[k][0] for k in first] + [offset]
        share = torch.tensor([1.0] * len(first) if weights is None else list(weights)).double()
        cumulative = share.cumsum(0)
        self._cumulative = (cumulative / cumulative[-1]).float().to(self.device)
        self._window = torch.arange(size, device=self.device)
        needed = f"{len(first)} pictures need {3 * offset / 1e9:.1f} GB"
        with explaining_memory(f"photos: {needed}, which do not fit into memory; take fewer"):
            self._pixels = torch.empty(offset, 3, dtype=torch.uint8, device=self.device)
        for index, picture in enumerate(pictures):
            self.replace(index, picture)

    def replace(self, index: int, picture: torch.Tensor) -> None:
        """Put another picture of the same size in the place of picture ``index``.

        It is moved to the sampler's device first, and rescaled there.
        """
        if self.device.type == "cuda":  # from pinned memory the copy does not wait for the device
            picture = picture.pin_memory()
        pixels = pyramid(picture.to(self.device, non_blocking=True), self.size)
        start, end = self._starts[index : index + 2]
        self._pixels[start:end] = pixels

    def windows(self, batch: int, generator: torch.Generator) -> torch.Tensor:
        """Where ``batch`` random crops lie: int64 (B, 4) of level, top, left, and 1 for a flip.

        ``generator`` lives on the sampler's device.
        """
        u = torch.rand(5, batch, generator=generator, device=self.device)
        picture = torch.searchsorted(self._cumulative, u[0], right=True)
        level = self._first[picture] + _integers(u[1], self._count[picture])
        _, height, width = self._table[level].unbind(1)
        top = _integers(u[2], height - self.size + 1)
        left = _integers(u[3], width - self.size + 1)
        return torch.stack([level, top, left, (u[4] < 0.5).long()], dim=1)

    def cut(self, windows: torch.Tensor) -> torch.Tensor:
        """The crops (B, 3, size, size) at ``windows``, in [-1, 1], channels last in memory."""
        level, top, left, flipped = (column[:, None] for column in windows.unbind(1))
        offset, _, width = self._table[level[:, 0]].T[..., None]
        rows = offset + (top + self._window) * width
        columns = left + torch.where(flipped == 1, self._window.flip(0), self._window)
        pixels = self._pixels[rows[:, :, None] + columns[:, None, :]]
        return pixels.permute(0, 3, 1, 2).float().div(127.5).sub(1)

    def draw(self, batch: int, generator: torch.Generator) -> torch.Tensor:
        """A batch of random crops (B, 3, size, size): log-uniform in scale, half of them flipped
        left to right."""
        return self.cut(self.windows(batch, generator))


def _integers(u: torch.Tensor, count: torch.Tensor) -> torch.Tensor:
    """Uniform numbers u in [0, 1) -> integers 0 .. count - 1 (u * count may round up to count)."""
    return torch.minimum((u * count).long(), count - 1)
