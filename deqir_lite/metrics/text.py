"""Numbers in tables."""

import math

import torch

EN_DASH = "\N{EN DASH}"


def format_value(value: float | torch.Tensor | None, *, spec: str = ".2f") -> str:
    """Write one number for a table: an en dash for None and NaN, the mean of a vector."""
    if isinstance(value, torch.Tensor):
        value = float(value.double().mean())
    if value is None or math.isnan(value):
        return EN_DASH
    return format(value, spec)
