"""JSON that every reader accepts, written whole or not at all."""

import json
import math
from pathlib import Path
from typing import Any

from deqir_lite._files import printable, write_atomically


def to_json(value: Any) -> str:
    """Indented JSON; NaN and infinities, which JSON does not know, as the strings "nan", "inf"."""
    text = json.dumps(_plain(value), indent=1, ensure_ascii=False, allow_nan=False)
    return printable(text) + "\n"


def write_json(path: Path, value: Any, *, name: str = "path") -> Path:
    """Write ``value`` to ``path``; errors as in :func:`deqir_lite._files.replacing`."""
    return write_atomically(path, to_json(value).encode(), name=name)


def read_object(path: Path, *, name: str) -> dict[str, Any]:
    """The object in a JSON file; FileNotFoundError, or ValueError in one line when it holds none.

    ``name`` is the argument that error messages name.
    """
    if not path.is_file():
        raise FileNotFoundError(f"{name}: {path.parent} holds no {path.name}")
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:  # also bytes that are no text
        raise ValueError(f"{name}: {path} is not valid JSON ({error})") from error
    if not isinstance(content, dict):
        raise ValueError(f"{name}: {path} holds no JSON object")
    return content


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    return str(value) if isinstance(value, float) and not math.isfinite(value) else value
