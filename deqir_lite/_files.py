"""Write files so that nobody ever finds half of one."""

import os
import secrets
from pathlib import Path


def write_atomically(path: str | os.PathLike[str], data: bytes, name: str = "path") -> Path:
    """Write ``data`` to a temporary file beside ``path``, then move it there in one step.

    A reader sees the old file or the whole new one; after an error nothing new is left behind.
    ``name`` is the argument that error messages name.

    Raises FileNotFoundError when the folder does not exist, ValueError when ``path`` is a folder.
    """
    path = Path(path)
    if not path.parent.is_dir():
        raise FileNotFoundError(f"{name}: no folder {str(path.parent)!r} to write {path.name!r} in")
    if path.is_dir():
        raise ValueError(f"{name}: {str(path)!r} is a folder; expected a file name")
    # Not tempfile: its files are private to the user, and the finished one would stay so.
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}.tmp")
    try:
        with open(temporary, "xb") as file:
            file.write(data)
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
    return path
