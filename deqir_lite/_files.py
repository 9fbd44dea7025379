"""Write files so that nobody ever finds half of one."""

import os
import secrets
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def replacing(path: str | os.PathLike[str], *, name: str = "path") -> Iterator[Path]:
    """Give the path of a temporary file beside ``path`` to write; at the end it takes its place.

    A reader sees the old file or the whole new one; after an error the old one is untouched and
    nothing new is left behind. ``name`` is the argument that error messages name.

    Raises FileNotFoundError when the folder does not exist, ValueError when ``path`` is a folder,
    a pipe or a device.
    """
    path = Path(path)
    check_place(path, name=name)
    # Not tempfile: its files are private to the user, and the finished one would stay so.
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}.tmp")
    try:
        temporary.touch(exist_ok=False)
        ordinary = stat.S_IMODE(temporary.stat().st_mode)
        yield temporary
        os.chmod(temporary, ordinary)  # safetensors, for one, makes its files private
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def check_place(path: Path, *, name: str = "path") -> None:
    """Raise what :func:`replacing` raises where no file ``path`` can be written."""
    if not path.parent.is_dir():
        raise FileNotFoundError(f"{name}: no folder {str(path.parent)!r} to write {path.name!r} in")
    if path.is_dir():
        raise ValueError(f"{name}: {str(path)!r} is a folder; expected a file name")
    if path.exists() and not path.is_file():
        raise ValueError(f"{name}: {str(path)!r} is a pipe or a device; expected a file name")


def write_atomically(path: str | os.PathLike[str], data: bytes, *, name: str = "path") -> Path:
    """Write ``data`` to ``path``, all or nothing; errors as in :func:`replacing`."""
    with replacing(path, name=name) as temporary:
        temporary.write_bytes(data)
    return Path(path)


def printable(text: str) -> str:
    """Text that can be encoded: of a name that is not UTF-8, Python makes lone surrogates, here
    written as \\udcff, which JSON reads back."""
    return text.encode(errors="backslashreplace").decode()
