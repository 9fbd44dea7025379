"""Files that a user names: read only regular ones, and write so that nobody finds half of one."""

import os
import secrets
import stat
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from deqir_lite._locks import open_locked, remove_locked, try_lock

UNFINISHED = ".deqir-lite.tmp"
"""What the names of unfinished files end in."""

_NAMED = 50
"""So many characters of a file's name are in that of its unfinished one: a name has 255 bytes."""


_KINDS = {
    stat.S_IFIFO: "a named pipe",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
    stat.S_IFSOCK: "a socket",
}


class WriteError(OSError):
    """The disk does not take a file; the message names the argument and the file."""


@contextmanager
def replacing(path: str | os.PathLike[str], *, name: str = "path") -> Iterator[Path]:
    """Give the path of a temporary file beside ``path`` to write; at the end it takes its place.

    A reader sees the old file or the whole new one; after an error the old one is untouched and
    nothing new is left behind. A symbolic link stays one: the file that it means is written. What
    killed processes have left unfinished in the folder is removed. ``name`` is the argument that
    error messages name.

    Raises FileNotFoundError when the folder does not exist, ValueError when ``path`` is a folder,
    a pipe or a device, and WriteError when the disk does not take the file.
    """
    shown, path = os.fspath(path), check_place(Path(path), name=name)
    remove_unfinished(path.parent)
    with naming(name, shown):
        temporary, file = _unfinished(path)
    closing = ExitStack()
    closing.callback(remove_locked, temporary, file)
    with closing, naming(name, shown):
        # Not tempfile: its files are private to the user, and the finished one would stay so.
        ordinary = stat.S_IMODE(temporary.stat().st_mode)
        yield temporary
        os.chmod(temporary, ordinary)  # safetensors, for one, makes its files private
        if sys.platform == "win32":  # where open files cannot be renamed
            closing.pop_all()
            os.close(file)
            closing.callback(temporary.unlink, missing_ok=True)
        os.replace(temporary, path)


def _unfinished(path: Path) -> tuple[Path, int]:
    """A new file beside ``path`` and its descriptor, locked: its process is alive."""
    while True:
        own = f".{path.name[:_NAMED]}.{secrets.token_hex(4)}{UNFINISHED}"
        try:
            return path.with_name(own), open_locked(path.with_name(own), new=True)
        except (FileExistsError, BlockingIOError):  # just there, or just taken for a dead one's
            continue


def remove_unfinished(folder: Path) -> None:
    """Remove the unfinished files that killed processes have left in a folder."""
    for path in folder.glob(f".*{UNFINISHED}"):
        try:
            file = os.open(path, os.O_RDWR)
        except OSError:
            continue
        try:
            dead = try_lock(file)
        except BlockingIOError:
            dead = False
        if dead:
            remove_locked(path, file)
        else:
            os.close(file)


def try_folder(folder: Path, *, name: str) -> None:
    """Write an empty file into a folder and take it away again, and what killed processes have
    left with it; WriteError where that is impossible."""
    remove_unfinished(folder)
    with naming(name, folder):
        remove_locked(*_unfinished(folder / "try"))


@contextmanager
def naming(name: str, path: str | os.PathLike[str]) -> Iterator[None]:
    """Let errors of the disk name the argument ``name`` and the file."""
    try:
        yield
    except WriteError:
        raise
    except OSError as error:
        reason = error.strerror or str(error) or type(error).__name__
        named = WriteError(f"{name}: {os.fspath(path)!r} cannot be written ({reason})")
        named.errno = error.errno
        raise named from error


def check_place(path: Path, *, name: str = "path") -> Path:
    """The file that ``path`` means, behind all links; raises what :func:`replacing` raises where
    none can be written."""
    try:
        # A symbolic link that is replaced would be lost, and what it means would stay as it was.
        place = Path(os.path.realpath(path)) if path.is_symlink() else path
        if not place.parent.is_dir():
            raise FileNotFoundError(
                f"{name}: no folder {str(place.parent)!r} to write {place.name!r} in"
            )
        there = is_there(place)
        kind = place.stat().st_mode if there else stat.S_IFREG
    except FileNotFoundError:
        raise
    except (OSError, ValueError) as error:  # too long, of wrong characters, a circle of links
        reason = getattr(error, "strerror", None) or error
        raise ValueError(f"{name}: {str(path)!r} cannot be written ({reason})") from error
    if path.is_symlink() and not there:
        raise ValueError(
            f"{name}: {str(path)!r} is a link to {str(place)!r}, which is not there; name that "
            "file itself, or remove the link"
        )
    if stat.S_ISDIR(kind):
        raise ValueError(f"{name}: {str(path)!r} is a folder; expected a file name")
    if not stat.S_ISREG(kind):
        raise ValueError(f"{name}: {str(path)!r} is a pipe or a device; expected a file name")
    if there and not os.access(place, os.W_OK):
        raise PermissionError(f"{name}: {str(path)!r} is write-protected")
    return place


def check_regular(name: str, path: Any, what: str) -> Path:
    """The path of a regular file.

    ``name`` is the argument that messages name, ``what`` the kind of file that it expects. Raises
    FileNotFoundError where there is none, ValueError for a folder, a pipe, a device or no path at
    all: opening them could block for ever, or never end.
    """
    if not isinstance(path, (str, bytes, os.PathLike)) or not os.fspath(path):
        raise ValueError(f"{name}: got {path!r}; expected the path of a {what}")
    path = Path(os.fsdecode(path))
    try:
        mode = path.stat().st_mode
    except (FileNotFoundError, NotADirectoryError):
        raise FileNotFoundError(f"{name}: no {what} {str(path)!r}") from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise ValueError(f"{name}: {str(path)!r} cannot be opened ({reason})") from error
    if stat.S_ISDIR(mode):
        raise ValueError(f"{name}: {str(path)!r} is a folder; expected a {what}")
    if not stat.S_ISREG(mode):
        kind = _KINDS.get(stat.S_IFMT(mode), "no regular file")
        raise ValueError(f"{name}: {str(path)!r} is {kind}; expected a {what} in a regular file")
    return path


def is_there(path: Path) -> bool:
    """As ``path.exists()``, but OSError or ValueError for what no file can be named."""
    try:
        path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return False
    return True


def write_atomically(path: str | os.PathLike[str], data: bytes, *, name: str = "path") -> Path:
    """Write ``data`` to ``path``, all or nothing; errors as in :func:`replacing`."""
    with replacing(path, name=name) as temporary:
        temporary.write_bytes(data)
    return Path(path)


def write_together(folder: Path, files: Mapping[str, bytes], *, name: str = "path") -> None:
    """Write all ``files`` (name -> content) into ``folder``, and only then replace older ones, in
    their order.

    When a write fails, by a full disk for instance, every older file is as it was.
    """
    with ExitStack() as pending:
        for file in reversed(list(files)):
            pending.enter_context(replacing(folder / file, name=name)).write_bytes(files[file])


def printable(text: str) -> str:
    """Text that can be encoded: of a name that is not UTF-8, Python makes lone surrogates, here
    written as \\udcff, which JSON reads back."""
    return text.encode(errors="backslashreplace").decode()
