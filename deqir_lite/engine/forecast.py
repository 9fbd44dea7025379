"""What more ranks would bring: a model, from what was measured on one rank and between some.

A sweep on R ranks waits for the largest share of its batch, then for the gathering of the
predictions, then for what every rank does for itself. What the model leaves out: ranks that are
not equally fast, and work of theirs that gets in each other's way, as on one processor it does.
``tests/engine/test_forecast.py`` holds it against gloo processes, and prints both.
"""

import math
import statistics
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
import torch.distributed as dist

from deqir_lite.checks import check_integer, check_interval, check_kinds
from deqir_lite.engine.ranks import reaching_others


@dataclass(frozen=True)
class Link:
    """How long a message takes from one rank to the next: ``latency`` seconds, and one second more
    for each ``bandwidth`` bytes."""

    latency: float
    bandwidth: float

    def gathering(self, ranks: int, size: int) -> float:
        """Seconds of an all-gather of ``size`` bytes from each of the ranks, passed on in a ring in
        ``ranks`` - 1 rounds."""
        return (ranks - 1) * (self.latency + size / self.bandwidth)


def forecast_seconds(
    images: Sequence[int],
    ranks: int,
    *,
    times: Mapping[int, float],
    link: Link,
    image_bytes: int,
    overhead: float = 0.0,
) -> float:
    """Seconds that a parallel solve would take on ``ranks`` ranks: a MODEL, no measurement,

        sum over sweeps of time(ceil(n / R)) + (R - 1) (latency + ceil(n / R) bytes / bandwidth)
                           + overhead.

    * ``images``: n, the images that each sweep asks the network about; of a chain of T steps and
      B images that is solved without a window ``[(T - first) * B for first in
      solution.trace.first]``,
    * ``times``: seconds of the network on one rank by the images at once, as measured: linear in
      between, and beyond the largest; below the smallest as long as that,
    * ``link``: between the ranks, as :func:`measure_link` finds it,
    * ``image_bytes``: of one prediction, 3 H W times 4 in float32,
    * ``overhead``: seconds of a sweep beside the network, which every rank spends; on one rank what
      is left of the measured seconds.

    Raises ValueError for numbers out of their range, and for no ``times``.
    """
    check_kinds(forecast_seconds, locals())
    check_integer("ranks", ranks, 1)
    check_integer("image_bytes", image_bytes, 1)
    check_interval("overhead", overhead, 0.0, math.inf)
    if not times or any(n < 1 or not 0 <= seconds < math.inf for n, seconds in times.items()):
        raise ValueError(f"times: got {dict(times)}; expected seconds >= 0 by images >= 1")
    total = 0.0
    for count in images:
        share = math.ceil(check_integer("images", count, 0) / ranks)
        total += _time(share, times) + link.gathering(ranks, share * image_bytes) + overhead
    return total


def _time(count: int, times: Mapping[int, float]) -> float:
    known = sorted(times)
    if count <= known[-1] or len(known) == 1:
        return float(np.interp(count, known, [times[n] for n in known])) if count else 0.0
    before, last = known[-2:]
    slope = (times[last] - times[before]) / (last - before)
    return times[last] + max(slope, 0.0) * (count - last)


def measure_link(
    *,
    device: torch.device | str = "cpu",
    size: int = 2**22,
    repeats: int = 11,
    group: Any = None,
) -> Link:
    """The link between the ranks of ``group``, all of which must call it: from the medians of
    all-gathers of one byte and of ``size`` bytes from each.

    Raises ValueError where there is only one rank.
    """
    ranks = dist.get_world_size(group) if dist.is_initialized() else 1
    if ranks < 2:
        raise ValueError("group: got one rank; expected two or more, as torchrun starts them")
    check_integer("size", size, 2)
    check_integer("repeats", repeats, 1)
    short, long = (_seconds(n, ranks, device, repeats, group) / (ranks - 1) for n in (1, size))
    return Link(short, (size - 1) / (long - short) if long > short else math.inf)


def _seconds(size: int, ranks: int, device: torch.device | str, repeats: int, group: Any) -> float:
    part = torch.zeros(size, dtype=torch.uint8, device=device)
    parts, found = [torch.empty_like(part) for _ in range(ranks)], []
    for _ in range(repeats + 1):  # the first one connects
        start = time.perf_counter()
        with reaching_others():
            dist.all_gather(parts, part, group=group)
        if part.is_cuda:
            torch.cuda.synchronize(part.device)
        found.append(time.perf_counter() - start)
    return statistics.median(found[1:])
