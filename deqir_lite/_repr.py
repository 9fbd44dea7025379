"""One line for an object, whatever it holds: of tensors only what they are, never their numbers."""

from dataclasses import fields
from typing import Any

import numpy as np
import torch

_LONGEST = 60


def short(value: object) -> str:
    """``value`` in some words: dtype and shape of tensors, the name of functions and networks."""
    if isinstance(value, (torch.Tensor, np.ndarray)):
        return f"{str(value.dtype).removeprefix('torch.')} {tuple(value.shape)}"
    if isinstance(value, (list, tuple, dict, set, frozenset)) and len(value) > 4:
        return f"{type(value).__name__} of {len(value)}"
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(short(item) for item in value) + "]"
    if isinstance(value, type) or (callable(value) and hasattr(value, "__name__")):
        return str(value.__name__)
    plain = type(value).__repr__ in (object.__repr__, torch.nn.Module.__repr__)
    text = type(value).__name__ if plain else repr(value)
    text = " ".join(text.split())
    return text if len(text) <= _LONGEST or is_named(value) else f"{text[:_LONGEST]}..."


def is_named(value: object) -> bool:
    """Whether ``value`` is of this package, where representations are short."""
    return type(value).__module__.startswith("deqir_lite")


def short_repr(self: Any) -> str:
    """For dataclasses and named tuples that hold tensors: ``__repr__ = short_repr``."""
    names = getattr(self, "_fields", None) or [f.name for f in fields(self) if f.repr]
    held = {name: getattr(self, name) for name in names}
    said = (f"{name}={short(value)}" for name, value in held.items() if value is not None)
    return f"{type(self).__name__}({', '.join(said)})"
