"""How a restoration is to be computed in the memory that is free: known before the work begins.

Memory is counted in images of a batch, 3 H W values each, in what the Gaussian part keeps for a
size, and in bytes per pixel that goes through the network at once. The numbers below were measured
once; a test compares them with what processes really take.
"""

import copy
import math
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch

from deqir_lite.checks import check_choice, check_integer
from deqir_lite.defaults import METHOD, SAMPLER, SAMPLES
from deqir_lite.fixedpoint.interpolation import count_nodes
from deqir_lite.memory import available_memory, in_gigabytes
from deqir_lite.methods import Method, base_name, find_method
from deqir_lite.priors.base import Prior
from deqir_lite.priors.tiles import OVERLAP, Tiles, with_tiles
from deqir_lite.restoration.choice import SAMPLERS, choose
from deqir_lite.restoration.problem import Problem

_SLOW = "a batch brings a CPU next to nothing; --sampler parallel solves for all steps at once"

_SHARE = 0.8
"""Of what is free: the rest is for others, and for what the numbers below do not know."""

_WALK, _WEIGHTED = 11, 10
"""Images that live at once in a step: of any method, and more for the solves of the weighted."""

_DIAGONALS, _SPECTRAL = 3, ("ddnm+", "ddrm", "diffpir", "ilvr", "repaint")
"""Images that each step of a chain takes all the time, where weights have one entry a pixel."""

_GRAPH, _GUIDED = 4, ("dps", "pigdm", "mmps")
"""Of all images at once, how many times the network's memory its gradients take."""

_WINDOW = 30
"""Images of each step that is solved for at once: states, history, and the step itself."""

_GAUSSIAN = 3.5
"""Images of the size that the axes and variances of the Gaussian prior take."""

_UNKNOWN = 1024
"""Bytes per pixel of a network of which nothing is known."""

_AT_ONCE = 2**20
"""Pixels at once, above which the network of a CPU gains nothing."""


class Advice(NamedTuple):
    """What helps where memory does not suffice, in the words of whoever asks: something
    ``smaller``, and chains ``walked`` step by step."""

    smaller: str = "a smaller photo"
    walked: str = "--sampler sequential"


_USUAL = Advice()


@dataclass(frozen=True, eq=False)
class Plan:
    """``prior``: with its batch and tiles; ``sampler`` and ``window`` (steps solved for at once,
    None for all) as :func:`restore_problem` and :class:`SolveOptions` take them; ``needed`` and
    ``available`` bytes on each of the ``ranks``, None where the system does not tell."""

    prior: Prior
    sampler: str
    window: int | None
    tiles: Tiles | None
    max_batch: int | None
    needed: int
    available: int | None
    reason: str
    ranks: int = 1

    def describe(self) -> str:
        """One line: how it is computed, and in how much memory."""
        parts = [self.sampler if not self.window else f"parallel, {self.window} steps at a time"]
        parts[0] += f" ({self.reason})" if self.reason else ""
        if self.ranks > 1:
            parts.append(f"network's batch over {self.ranks} ranks")
        if self.tiles is not None:
            parts.append(f"network on tiles of {self.tiles.side} pixels")
        if self.max_batch is not None:
            parts.append(f"{self.max_batch} at once")
        free = "" if self.available is None else f" of {in_gigabytes(self.available)}"
        return f"{', '.join(parts)}; about {in_gigabytes(self.needed)}{free} of memory"


def plan_restoration(
    problem: Problem,
    prior: Prior,
    *,
    method: str | Method = METHOD,
    num_steps: int | None = None,
    samples: int = SAMPLES,
    sampler: str = SAMPLER,
    max_batch: int | None = None,
    available: int | None = None,
    ranks: int = 1,
    advice: Advice = _USUAL,
) -> Plan:
    """The fastest way of :func:`restore_problem` that fits into ``available`` bytes, by default
    what is free on the device of y.

    ``sampler``: parallel, sequential, interpolated, or auto: parallel, but sequential on a CPU,
    where a batch is hardly faster than its images one by one, and where nothing else fits.
    ``max_batch``: as many images, or tiles, through the network at once, and no fewer. ``ranks``:
    how many share a batch,
    see :func:`deqir_lite.engine.sharding.shard_prior`; with several, auto is parallel on a CPU too.
    ``advice``: the words for the options, in the error. The others as in :func:`restore_problem`.
    Raises ValueError, with the numbers and the ``advice``, where not even the smallest way fits.
    """
    check_choice("sampler", sampler, (SAMPLER, *SAMPLERS))
    check_integer("samples", samples, 1)
    check_integer("ranks", ranks, 1)
    if max_batch is not None:
        check_integer("max_batch", max_batch, 1)
    device = problem.y.device
    if available is None:
        available = available_memory(device)
    chosen = choose(problem, method=method, num_steps=num_steps)
    height, width = problem.operator.image_size(problem.y.shape[1:])
    batch = len(problem.y) * samples
    name = base_name(chosen.method)
    steps = len(find_method(chosen.method).path(torch.arange(chosen.settings["num_steps"])))
    slow = device.type == "cpu" and ranks == 1
    interpolates = sampler == "interpolated"
    samplers = [steps] * interpolates  # how many steps at once; 0 walks
    if sampler == "parallel" or (sampler == SAMPLER and not slow):
        samplers += [n for n in range(steps, 1, -1) if n == steps or n & (n - 1) == 0] or [1]
    if sampler == "sequential" or sampler == SAMPLER:
        samplers.append(0)
    least: tuple[int, int] | None = None
    for together in samplers:
        fixed = _fixed_bytes(problem, (height, width), batch, together, name)
        asked = min(count_nodes(steps) + 1, steps) if interpolates else max(together, 1)
        images = math.ceil(asked * batch / ranks)
        if name in _SPECTRAL:
            fixed += steps * _DIAGONALS * 3 * height * width * problem.y.element_size()
        if name in _GUIDED:
            fixed += images * height * width * _GRAPH * _bytes_per_pixel(prior)
        for side, count in _ways(prior, (height, width), images, max_batch, device.type == "cpu"):
            pixels = height * width if side is None else side**2
            needed = int(fixed + count * pixels * _bytes_per_pixel(prior))
            least = min(least or (needed, count), (needed, count))
            if available is None or needed <= _SHARE * available:
                reason = "" if together or not slow or sampler != SAMPLER else _SLOW
                tiles = None if side is None else Tiles(side)
                return Plan(
                    _prepared(prior, tiles, max_batch or count),
                    sampler if interpolates else "parallel" if together else "sequential",
                    together if 0 < together < steps else None,
                    tiles,
                    count if hasattr(prior, "max_batch") else None,
                    needed,
                    available,
                    reason,
                    ranks,
                )
    assert least is not None
    assert available is not None
    helps = [advice.smaller]
    helps += ["fewer samples (--samples)"] if samples > 1 else []
    helps += [f"--max-batch below {max_batch}"] if max_batch and max_batch > 1 else []
    helps += [advice.walked] if together else []
    at_once = f", {least[1]} at once through the network," if hasattr(prior, "max_batch") else ""
    raise ValueError(
        f"memory: {batch} image{'' if batch == 1 else 's'} of {width}x{height} pixels"
        f"{at_once} need{'s' if batch == 1 else ''} about "
        f"{in_gigabytes(least[0])}, more than {_SHARE:.0%} of the {in_gigabytes(available)} that "
        f"are free on {device.type}; "
        f"less is needed with {', '.join(helps)}"
    )


def check_room(
    name: str,
    given: int,
    size: tuple[int, int],
    device: torch.device | str,
    *,
    batch: int = 1,
) -> None:
    """Refuse at once the side or factor ``given`` as ``name``, from which come images of ``size``
    (H, W), where even the least that a restoration keeps of them does not fit into memory."""
    available = available_memory(device)
    needed = batch * 3 * size[0] * size[1] * torch.float32.itemsize * (_WALK + _GAUSSIAN)
    if available is None or needed <= _SHARE * available:
        return
    most = int(given * (_SHARE * available / needed) ** 0.5)
    raise ValueError(
        f"{name}: {given} makes {size[1]}x{size[0]} pixels, which need at least "
        f"{in_gigabytes(needed)} of memory; {in_gigabytes(available)} are free on "
        f"{torch.device(device).type}, enough for {most}"
    )


def _fixed_bytes(
    problem: Problem, size: tuple[int, int], batch: int, together: int, method: str
) -> float:
    """All but the network, with ``together`` steps at once, or 0 step by step."""
    image = 3 * size[0] * size[1] * problem.y.element_size()
    more = _WEIGHTED if method == "weighted" else 0
    each = together * (_WINDOW + more) if together else _WALK + more
    return image * (batch * each + _GAUSSIAN)


def _ways(
    prior: Prior, size: tuple[int, int], images: int, max_batch: int | None, cpu: bool
) -> list[tuple[int | None, int]]:
    """Sides of tiles (None: the whole image) and batches, from the fastest to the smallest."""
    if not hasattr(prior, "tiles"):
        return [(None, images)]
    largest, smallest = max(size), 2 * OVERLAP * int(getattr(prior, "size_divisor", 1))
    sides = [n for n in (4096, 2048, 1024, 512, 256, 128) if smallest <= n < largest]
    ways: list[tuple[int | None, int]] = []
    for side in (None, *(sides or [smallest] * (smallest < largest))):
        pixels = size[0] * size[1] if side is None else side**2
        most = max(1, _AT_ONCE // pixels) if cpu else images
        counts = [max_batch] if max_batch else [min(images, most)]
        while not max_batch and counts[-1] > 1:
            counts.append(counts[-1] // 2)
        ways += [(side, count) for count in counts]
    return ways


def _bytes_per_pixel(prior: Prior) -> float:
    return getattr(prior, "bytes_per_pixel", _UNKNOWN if hasattr(prior, "tiles") else 0)


def _prepared(prior: Prior, tiles: Tiles | None, max_batch: int) -> Prior:
    if not hasattr(prior, "tiles"):
        return prior
    prepared: Any = copy.copy(with_tiles(prior, tiles))
    if hasattr(prepared, "max_batch"):
        prepared.max_batch = max_batch
    return prepared
