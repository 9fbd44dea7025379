"""The processes that work on one restoration: ranks, as torch.distributed and torchrun call them.

Importing it imports no torch, which a command that is alone does not need for its checks.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch


MEETING = 60.0
"""Seconds within which all ranks must have come."""


class AgreedError(ValueError):
    """An error of one rank or several, which all of them know and raise."""


@dataclass(frozen=True)
class Ranks:
    """Process number ``rank`` of ``size``; ``store`` is where they met."""

    rank: int = 0
    size: int = 1
    store: Any = field(default=None, repr=False)

    def gather(self, value: Any) -> list[Any]:
        """What each rank says, by rank; all of them must ask."""
        if self.size == 1:
            return [value]
        import torch.distributed as dist

        values: list[Any] = [None] * self.size
        with reaching_others():
            dist.all_gather_object(values, value)
        return values

    @contextmanager
    def agreeing(self) -> Iterator[None]:
        """Let all ranks do what is inside, or none: where it raises ValueError or OSError on one,
        all raise :class:`AgreedError`. Nothing inside may wait for other ranks."""
        if self.size == 1:
            yield
            return
        error: Exception | None = None
        try:
            yield
        except (ValueError, OSError) as came:
            error = came
        said = [text for text in self.gather("" if error is None else str(error)) if text]
        if said:
            raise AgreedError(said[0]) from error

    def check_same(self, values: Mapping[str, object]) -> None:
        """Raise :class:`AgreedError` unless all ranks have the same ``values``, compared by their
        repr."""
        if self.size == 1:
            return
        first, *others = self.gather({name: repr(value) for name, value in values.items()})
        for rank, other in enumerate(others, start=1):
            for name in {**first, **other}:
                if first.get(name) != other.get(name):
                    raise AgreedError(
                        f"{name}: got {first.get(name)} on rank 0, but {other.get(name)} on rank "
                        f"{rank}; expected the same on all ranks"
                    )

    def device(self, name: str) -> torch.device:
        """The device of that name that is this rank's: of the GPUs that of its LOCAL_RANK.

        ``auto`` is cuda where there is one, else the CPU. Raises ValueError for what is not there,
        for fewer GPUs than ranks on this machine, and for a device that they would share.
        """
        import torch

        from deqir_lite.device import choose_device

        if self.size == 1:
            return choose_device(name)
        if name == "auto":
            name = "cuda" if torch.cuda.is_available() else "cpu"
        place = choose_device(name)
        if place.type == "cpu":
            return place
        if place.type != "cuda" or place.index is not None:
            raise ValueError(
                f"device: got {name!r} for {self.size} ranks; expected auto, cpu, or cuda, of "
                "which each rank takes one"
            )
        ranks, there = _number("LOCAL_WORLD_SIZE", self.size), torch.cuda.device_count()
        if ranks > there:
            raise ValueError(
                f"device: {ranks} ranks on this machine, which has {there} "
                f"GPU{'' if there == 1 else 's'}; expected at most one for each, or --device cpu"
            )
        place = torch.device("cuda", _number("LOCAL_RANK", self.rank))
        torch.cuda.set_device(place)
        return place

    def available_memory(self, device: torch.device) -> int | None:
        """Bytes that each rank can allocate on its ``device`` at once with all others; None where
        no system tells."""
        from deqir_lite.memory import available_memory

        free = available_memory(device)
        if device.type == "cpu" and free is not None:
            free //= _number("LOCAL_WORLD_SIZE", self.size)
        known = [each for each in self.gather(free) if each is not None]
        return min(known, default=None)

    def is_first_to_end(self) -> bool:
        """Whether no other rank has asked this before: the first error is the cause of the
        others, and one is enough to be told."""
        if self.store is None:
            return True
        try:
            return bool(self.store.add("deqir_lite/ended", 1) == 1)
        except RuntimeError:  # the process that kept it has ended
            return True


_here = Ranks()


def ranks_here() -> Ranks:
    """Those that this process has joined, or itself alone."""
    return _here


def numbers_of_process() -> tuple[int, int]:
    """Number of this process, and how many there are, as torchrun says it by RANK and WORLD_SIZE.

    Raises ValueError where the environment has no numbers there, or wrong ones.
    """
    rank, size = _number("RANK", 0), _number("WORLD_SIZE", 1)
    if not rank < size:
        raise ValueError(f"RANK: got {rank} in the environment; expected less than {size}")
    return rank, size


@contextmanager
def joined_ranks() -> Iterator[Ranks]:
    """Meet the other processes that torchrun has started, as MASTER_ADDR and MASTER_PORT say: gloo
    for the CPU, NCCL for GPUs where there are some. Without torchrun the process is alone.

    Raises ConnectionError where they do not meet within :data:`MEETING` seconds.
    """
    global _here
    rank, size = numbers_of_process()
    if "WORLD_SIZE" not in os.environ:
        yield _here
        return
    import torch
    import torch.distributed as dist
    from torch.distributed.rendezvous import rendezvous

    gpus = torch.cuda.is_available() and dist.is_nccl_available()
    try:
        store, _, _ = next(rendezvous("env://", timeout=timedelta(seconds=MEETING)))
        dist.init_process_group(
            "cpu:gloo,cuda:nccl" if gpus else "gloo", store=store, rank=rank, world_size=size
        )
    except (RuntimeError, ValueError) as error:
        raise ConnectionError(_why_not(error, rank, size)) from error
    _here = Ranks(rank, size, store)
    try:
        yield _here
        dist.destroy_process_group()  # not after an error: NCCL would wait for those that are gone
    finally:
        _here = Ranks()


@contextmanager
def reaching_others() -> Iterator[None]:
    """Turn what torch.distributed raises when a rank has ended into ConnectionError, one line."""
    try:
        yield
    except RuntimeError as error:
        from deqir_lite.memory import is_out_of_memory

        if is_out_of_memory(error):
            raise
        raise ConnectionError(
            f"ranks: another one has ended, or cannot be reached ({_reason(error)})"
        ) from error


def _why_not(error: Exception, rank: int, size: int) -> str:
    place = f"{os.environ.get('MASTER_ADDR')}:{os.environ.get('MASTER_PORT')}"
    if "EADDRINUSE" in str(error):
        return (
            f"MASTER_PORT: {place} is in use; give another port (torchrun --master-port N), or let "
            "torchrun --standalone find one"
        )
    return f"ranks: rank {rank} of {size} does not meet the others at {place} ({_reason(error)})"


def _reason(error: Exception) -> str:
    """The first sentence of what torch says, without places in its source."""
    text = re.sub(r"\[/\S+\] ", "", " ".join(str(error).split()))
    return text.partition(". ")[0][:200]


def _number(name: str, usual: int) -> int:
    text = os.environ.get(name, str(usual))
    if not text.isdecimal():
        raise ValueError(f"{name}: got {text!r} in the environment; expected an integer")
    return int(text)
