"""JSON that every reader accepts, written whole or not at all."""

import json
import math
from pathlib import Path
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PlainValidator, ValidationError

from deqir_lite._files import printable, write_atomically


class Schema(BaseModel):
    """What a JSON file holds: types are meant as they are written, other entries are let be."""

    model_config = ConfigDict(strict=True, extra="allow", allow_inf_nan=False, frozen=True)


Kind = TypeVar("Kind", bound=Schema)


def _number(value: Any) -> Any:
    return float(value) if value in ("inf", "-inf", "nan") else value


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError("Input should be a valid string")
    return value


Number = Annotated[float, Field(allow_inf_nan=True), BeforeValidator(_number)]
"""A number as :func:`to_json` writes it: NaN and infinities are strings in the file."""

Text = Annotated[str, PlainValidator(_text)]
"""Any text, also the name of a file that is not UTF-8, which pydantic takes for no string."""


def to_json(value: Any, *, indent: int | None = 1) -> str:
    """JSON, without ``indent`` on one line; NaN and infinities, which JSON does not know, as the
    strings "nan", "inf"."""
    text = json.dumps(_plain(value), indent=indent, ensure_ascii=False, allow_nan=False)
    return printable(text) + "\n"


def write_json(path: Path, value: Any, *, name: str = "path") -> Path:
    """Write ``value`` to ``path``; errors as in :func:`deqir_lite._files.replacing`."""
    return write_atomically(path, to_json(value).encode(), name=name)


def read_object(path: Path, *, name: str) -> dict[str, Any]:
    """The object in a JSON file; FileNotFoundError, or ValueError in one line when it holds none.

    ``name`` is the argument that error messages name.
    """
    if not path.is_file():
        if path.exists():
            raise ValueError(f"{name}: {path} is no regular file; expected a JSON file")
        raise FileNotFoundError(f"{name}: {path.parent} holds no {path.name}")
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise OSError(f"{name}: {path} cannot be read ({error.strerror})") from error
    except (ValueError, RecursionError) as error:  # also bytes that are no text
        raise ValueError(f"{name}: {path} is not valid JSON ({error})") from error
    if not isinstance(content, dict):
        raise ValueError(f"{name}: {path} holds no JSON object")
    return content


def read_schema(path: Path, kind: type[Kind], *, name: str) -> Kind:
    """The object in a JSON file as ``kind`` describes it; errors as in :func:`read_object`, and
    ValueError that names the file and its first field of another type."""
    return of_schema(read_object(path, name=name), kind, f"{name}: {path}")


def of_schema(content: dict[str, Any], kind: type[Kind], where: str) -> Kind:
    """``content`` as ``kind`` describes it; ValueError, beginning with ``where``, for the first
    field of another type."""
    try:
        return kind.model_validate(content)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        field = ".".join(map(str, first["loc"]))
        if first["type"] == "missing":
            raise ValueError(f"{where}: {field} is missing") from error
        message = first["msg"].removeprefix("Value error, ")
        message = message.replace("Input should", "expected it to")
        raise ValueError(f"{where}: {field}: got {_brief(first['input'])}; {message}") from error


def _brief(value: Any) -> str:
    text = " ".join(repr(value).split())
    return text if len(text) <= 60 else f"{text[:57]}..."


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    return str(value) if isinstance(value, float) and not math.isfinite(value) else value
