"""One line for an object, whatever it holds: of tensors only what they are, never their numbers."""

import functools
from dataclasses import fields
from typing import Any

_LONGEST = 60


def short(value: object) -> str:
    """``value`` in some words: dtype and shape of tensors, the name of functions and networks."""
    import numpy as np
    import torch  # when a message needs it: the command checks its options without

    if isinstance(value, (torch.Tensor, np.ndarray)):
        return f"{str(value.dtype).removeprefix('torch.')} {tuple(value.shape)}"
    if isinstance(value, (list, tuple, dict, set, frozenset)) and len(value) > 4:
        return f"{type(value).__name__} of {len(value)}"
    if isinstance(value, functools.partial):
        return short(value.func)
    if isinstance(value, (list, tuple)):
        text = f"[{', '.join(short(item) for item in value)}]"
        return text if len(text) <= _LONGEST else f"{type(value).__name__} of {len(value)}"
    if isinstance(value, type) or (callable(value) and hasattr(value, "__name__")):
        return str(value.__name__)
    plain = type(value).__repr__ in (object.__repr__, torch.nn.Module.__repr__)
    text = type(value).__name__ if plain else repr(value)
    text = " ".join(text.split())
    ours = type(value).__module__.startswith("deqir_lite")  # where representations are short
    return text if ours or len(text) <= _LONGEST else f"{text[:_LONGEST]}..."


def _is_empty(value: object) -> bool:
    return value is None or (isinstance(value, (list, dict)) and not value)


def short_repr(self: Any) -> str:
    """For dataclasses and named tuples that hold tensors: ``__repr__ = short_repr``."""
    names = getattr(self, "_fields", None) or [f.name for f in fields(self) if f.repr]
    held = {name: getattr(self, name) for name in names}
    said = (f"{name}={short(value)}" for name, value in held.items() if not _is_empty(value))
    return f"{type(self).__name__}({', '.join(said)})"
