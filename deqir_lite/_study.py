"""Files of long measurements that can go on later: what they hold, and how they are read."""

import json
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, TypeVar

from deqir_lite._files import write_atomically
from deqir_lite._json import to_json
from deqir_lite.machine import machine, versions

Entry = TypeVar("Entry")


def write_study(path: Path, module: str, key: str, entries: Iterable[dict[str, Any]]) -> None:
    """Write ``entries`` under ``key``, all or nothing, with the command, versions and machine."""
    content = {
        "command": f"python -m {module}",
        "versions": versions(),
        "machine": machine(),
        key: list(entries),
    }
    write_atomically(path, to_json(content).encode(), name="out")


def read_study(
    path: Path, key: str, kind: str, decode: Callable[[dict[str, Any]], Entry]
) -> list[Entry]:
    """The decoded entries of a file of :func:`write_study`.

    Raises FileNotFoundError, or ValueError when the file is none of this ``kind``.
    """
    if not path.is_file():
        raise FileNotFoundError(f"path: no study {str(path)!r}")
    try:
        return [decode(entry) for entry in json.loads(path.read_text(encoding="utf-8"))[key]]
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(f"path: {str(path)!r} is no {kind} study ({error!r})") from error
