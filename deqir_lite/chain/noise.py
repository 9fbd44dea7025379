"""The noise of a chain from its seeds: all of it at once, or step by step when it is asked for.

One seed names the same numbers in both ways, on every machine: they are drawn on the CPU in
float64, as torch.randn draws them, and then moved.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from deqir_lite.checks import check_integer

_BLOCK = 16
"""torch.randn fills its numbers in blocks of so many, and those that are left over at the end
together with the ones before them."""

_AT_ONCE = 2**20


class Stream:
    """The standard normal numbers of one ``seed`` (count, size), in rows.

    Any row can be had at any time; in the order of the rows nothing is drawn twice.
    """

    def __init__(self, seed: int, count: int, size: int) -> None:
        check_integer("seed", seed, 0)
        self.count, self.size = count, size
        self._generator = torch.Generator().manual_seed(seed)
        self._states = {0: self._generator.get_state()}
        self._short: Tensor | None = None
        if size < 2 * _BLOCK:  # blocks of several rows
            self._short = self._numbers(count * size).view(count, size)

    def row(self, k: int, like: Tensor) -> Tensor:
        """Row k, (size,), with the dtype and device of ``like``."""
        if self._short is not None:
            return self._short[k].to(like)
        known = max(row for row in self._states if row <= k)
        self._generator.set_state(self._states[known])
        for passed in range(known, k):  # numbers that are passed over, to get at the state
            self._draw(passed, None)
        kept = torch.empty(self.size, dtype=like.dtype)
        self._draw(k, kept)
        return kept.to(like.device)

    def _draw(self, k: int, kept: Tensor | None) -> None:
        """Draw row k, from the state of row k, into ``kept``; and keep the state of row k + 1."""
        total = self.count * self.size
        place, start, end = k * self.size, k * self.size, (k + 1) * self.size
        place -= place % _BLOCK
        last = k == self.count - 1
        following = end if last else end - end % _BLOCK
        while place < following:
            count = following - place
            if count > 2 * _AT_ONCE:
                count = _AT_ONCE
            self._keep(self._numbers(count), place, start, kept)
            place += count
        if not last:
            self._states[k + 1] = self._generator.get_state()
            if place < end and kept is not None:  # the block that begins here and ends in row k + 1
                self._keep(self._numbers(min(_BLOCK, total - place)), place, start, kept)

    @staticmethod
    def _keep(numbers: Tensor, place: int, start: int, kept: Tensor | None) -> None:
        if kept is None:
            return
        skipped = max(start - place, 0)
        at = max(place - start, 0)
        part = numbers[skipped : skipped + len(kept) - at]
        kept[at : at + len(part)] = part

    def _numbers(self, count: int) -> Tensor:
        return torch.randn(count, generator=self._generator, dtype=torch.float64)


@dataclass(frozen=True, eq=False)
class Draws:
    """Standard normal images of a batch ``like`` (B, 3, H, W), ``count`` of them for each.

    ``seeds``: one for all images together, or one for each, which has then the noise that it would
    have alone. ``draws[k]`` is the k-th batch, (B, 3, H, W).
    """

    seeds: Sequence[int]
    count: int
    like: Tensor
    _streams: list[Stream] = field(init=False)

    def __post_init__(self) -> None:
        size = self.like.numel() // len(self.seeds)
        streams = [Stream(seed, self.count, size) for seed in self.seeds]
        object.__setattr__(self, "_streams", streams)

    def __getitem__(self, k: int) -> Tensor:
        rows = [stream.row(k, self.like) for stream in self._streams]
        return (rows[0] if len(rows) == 1 else torch.cat(rows)).view(self.like.shape)


@dataclass(frozen=True, eq=False)
class StepNoise:
    """xi of T steps that is drawn when it is asked for: indexed as a tensor (T, B, 3, H, W) is, by
    a step, a slice or a tensor of steps; ``noise[:]`` is all of it.

    ``draws``: from the one numbered ``first`` on they belong to the steps ``steps`` in turn.
    """

    draws: Draws
    steps: Sequence[int]

    @property
    def shape(self) -> torch.Size:
        """(T, B, 3, H, W)."""
        return torch.Size((len(self.steps), *self.draws.like.shape))

    def __len__(self) -> int:
        return len(self.steps)

    def __getitem__(self, steps: int | slice | Tensor) -> Tensor:
        if isinstance(steps, int):
            return self.draws[self.steps[steps]]
        chosen = self.steps[steps] if isinstance(steps, slice) else self._at(steps)
        if len(chosen) == 1:
            return self.draws[chosen[0]][None]
        noise = self.draws.like.new_empty(len(chosen), *self.draws.like.shape)
        for row, step in zip(noise, chosen, strict=True):
            row.copy_(self.draws[step])
        return noise

    def part(self, first: int, last: int) -> "StepNoise":
        """That of the steps ``first`` to ``last`` - 1."""
        return StepNoise(self.draws, self.steps[first:last])

    def _at(self, steps: Tensor) -> list[int]:
        return [self.steps[k] for k in steps.tolist()]
