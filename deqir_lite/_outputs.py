"""What can be known of an output before the work; and that one process at a time works on it."""

import hashlib
import os
import shutil
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from deqir_lite._files import check_place, is_there, naming, try_folder
from deqir_lite._locks import open_locked, remove_locked

LOCK = ".deqir-lite.lock"
"""The name of the lock in a folder, and the end of that of a file."""

LEAST_SPACE = 1_000_000
"""Bytes that shall be free for an output whose size is not known yet."""


def check_output(name: str, path: Path, *, size: int = LEAST_SPACE) -> None:
    """Refuse before the work a file that could not be written after it.

    Raises what :func:`replacing` raises, by writing an empty file beside ``path`` and taking it
    away again, and OSError when fewer than ``size`` bytes are free.
    """
    place = check_place(path, name=name)
    try_folder(place.parent, name=name)
    check_space(name, place.parent, size)


def check_folder(name: str, folder: Path, *, files: Iterable[str] = ()) -> None:
    """Refuse before the work a folder that cannot be made, or in which ``files`` could not be
    written after it. Makes nothing."""
    there = folder
    try:
        while not is_there(there):
            if there.is_symlink():
                raise FileNotFoundError("a link to nothing")
            there = there.parent
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise ValueError(f"{name}: {str(folder)!r} cannot be made ({reason})") from error
    if not there.is_dir():
        raise NotADirectoryError(f"{name}: {str(there)!r} is a file; expected a folder")
    try_folder(there, name=name)
    check_space(name, there, LEAST_SPACE)
    if there == folder:
        for file in files:
            check_place(folder / file, name=name)


def check_space(name: str, folder: Path, size: int) -> None:
    """Raise OSError when fewer than ``size`` bytes are free on the disk of an existing folder."""
    free = shutil.disk_usage(folder).free
    if free < size:
        raise OSError(
            f"{name}: {free / 1e6:.1f} MB are free in {str(folder)!r}; about {size / 1e6:.1f} MB "
            "are needed"
        )


def same_file(one: Path, other: Path) -> bool:
    """Whether two paths mean one file, by links or otherwise, whether it is there or not."""
    if os.path.realpath(one) == os.path.realpath(other):
        return True
    try:
        return one.samefile(other)
    except OSError:
        return False


@contextmanager
def only_process(name: str, path: Path, *, folder: bool = False) -> Iterator[None]:
    """Work on the output ``path``, a file or a ``folder``, which is made, as the only process.

    A lock file lies beside the output, or in the folder, as long as this lasts; that of a killed
    process is no lock. A folder that is made and stays empty is removed again. Raises
    BlockingIOError when another process works on it, and what :func:`check_output` or
    :func:`check_folder` raises where nothing can be written.
    """
    with ExitStack() as leaving:
        if folder:
            check_folder(name, path)
            for part in reversed([path, *path.parents]):
                _make(name, part, leaving)
            lock = path / LOCK
        else:
            place = check_place(path, name=name)
            digest = hashlib.sha256(os.fsencode(place.name)).hexdigest()[:8]
            lock = place.with_name(f".{place.name[:50]}-{digest}{LOCK}")
        try:
            with naming(name, path):
                file = open_locked(lock)
        except OSError as error:
            if isinstance(error.__cause__, BlockingIOError):
                raise BlockingIOError(_taken(name, path, lock)) from error
            raise
        leaving.callback(remove_locked, lock, file)
        os.ftruncate(file, 0)
        os.lseek(file, 0, os.SEEK_SET)
        os.write(file, f"{os.getpid()}\n".encode())
        yield


def _make(name: str, folder: Path, leaving: ExitStack) -> None:
    def leave() -> None:
        with suppress(OSError):  # it holds something now
            folder.rmdir()

    if not folder.is_dir():
        with naming(name, folder):
            folder.mkdir(exist_ok=True)
        leaving.callback(leave)


def _taken(name: str, path: Path, lock: Path) -> str:
    try:
        number = f" ({int(lock.read_text())})"
    except (OSError, ValueError):
        number = ""
    return (
        f"{name}: another process{number} is at work on {str(path)!r}; wait for it, or take "
        "another place"
    )
