"""JSON that every reader accepts."""

import json
import math
from typing import Any


def to_json(value: Any) -> str:
    """Indented JSON; NaN and infinities, which JSON does not know, as the strings "nan", "inf"."""
    return json.dumps(_plain(value), indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    return str(value) if isinstance(value, float) and not math.isfinite(value) else value
