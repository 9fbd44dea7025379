"""How much memory is free, and one clear error when it runs out, whichever allocator says so."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import torch

_PHRASES = ("not enough memory", "can't allocate memory", "out of memory")


@contextmanager
def explaining_memory(message: str) -> Iterator[None]:
    """Turn any out-of-memory error inside into ValueError(``message``)."""
    try:
        yield
    except (MemoryError, RuntimeError) as error:
        if not is_out_of_memory(error):
            raise
        raise ValueError(message) from error


def is_out_of_memory(error: BaseException) -> bool:
    """CUDA and Python have their own types; the CPU allocator of PyTorch only has a message."""
    if isinstance(error, (MemoryError, torch.OutOfMemoryError)):
        return True
    return isinstance(error, RuntimeError) and any(p in str(error).lower() for p in _PHRASES)


def available_memory(device: torch.device | str = "cpu", *, root: str | Path = "/") -> int | None:
    """Bytes that can still be allocated on ``device``; None where the system does not tell.

    On a CPU the least of what Linux counts as available, what the limits of control groups (of a
    container, say) leave, and, elsewhere, the free pages of POSIX. ``root``: where proc and sys are
    mounted.
    """
    device = torch.device(device)
    if device.type == "cuda":
        free, _ = torch.cuda.mem_get_info(device)
        unused = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
        return free + unused
    found = [n for n in (_of_linux(Path(root)), *_of_groups(Path(root))) if n is not None]
    return min(found) if found else _of_posix()


def watch_peak(device: torch.device | str = "cpu") -> Callable[[], int | None]:
    """Begin to watch; the call says how many bytes were taken at once, at most, since then.

    On cuda what tensors took, on Linux all that the process had in memory, with program and
    network; None elsewhere, and where the system does not let it begin anew.
    """
    device = torch.device(device)
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
        return lambda: torch.cuda.max_memory_allocated(device)
    try:
        Path("/proc/self/clear_refs").write_text("5")  # proc(5): VmHWM becomes what is taken now
    except OSError:
        return lambda: None
    return _most_resident


def _most_resident() -> int | None:
    for line in _lines(Path("/proc/self/status")):
        if line.startswith("VmHWM:"):
            return 1024 * int(line.split()[1])
    return None


def in_gigabytes(count: float) -> str:
    """Bytes as a text, such as 3.4 GB, or 0.05 GB."""
    return f"{count / 1e9:.1f} GB" if count >= 1e8 else f"{count / 1e9:.2g} GB"


def _of_linux(root: Path) -> int | None:
    for line in _lines(root / "proc/meminfo"):
        if line.startswith("MemAvailable:"):
            return 1024 * int(line.split()[1])
    return None


def _of_groups(root: Path) -> Iterator[int]:
    """What each control group of this process, and those above, leave."""
    for line in _lines(root / "proc/self/cgroup"):
        _, kinds, path = line.split(":", 2)
        if kinds == "":
            base, limit, used, cache = "sys/fs/cgroup", "max", "current", "inactive_file"
        elif "memory" in kinds.split(","):
            base, limit, used = "sys/fs/cgroup/memory", "limit_in_bytes", "usage_in_bytes"
            cache = "total_inactive_file"
        else:
            continue
        top = root / base
        own = top / path.strip("/")
        # inside a container the path is often that of the host, and the group lies at the top
        for folder in {top, *(p for p in (own, *own.parents) if p.is_relative_to(top))}:
            most, taken = (_lines(folder / f"memory.{name}") for name in (limit, used))
            if not most or not taken or not most[0].isdigit():  # no limit is called max
                continue
            stat = [line.split() for line in _lines(folder / "memory.stat")]
            freeable = sum(int(value) for name, value in stat if name == cache)
            yield max(int(most[0]) - int(taken[0]) + freeable, 0)


def _of_posix() -> int | None:
    try:
        return os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, ValueError, OSError):  # Windows has no sysconf, macOS not this name
        return None


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text().splitlines()
    except OSError:
        return []
