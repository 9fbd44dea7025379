"""What the checks of exercises have in common: functions, numbers and their typical mistakes."""

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor

from deqir_lite.teach.checking import Hint


def as_function(answer: Any) -> Callable[..., Any]:
    """The learner's function (or class); a hint when something else was handed in."""
    if not callable(answer):
        raise Hint("Hand in the function (or class) itself: answer = its name, without brackets.")
    return answer


def as_tensor(result: Any, *, shape: tuple[int, ...] | None = None) -> Tensor:
    """What the learner's function returned, as float64; a hint when it has not this ``shape``."""
    if not isinstance(result, (Tensor, int, float)):
        raise Hint(f"Your function returned {type(result).__name__}; expected a tensor.")
    value = torch.as_tensor(result, dtype=torch.float64)
    if shape is not None and value.shape != shape:
        raise Hint(f"Your function returned shape {tuple(value.shape)}; expected {shape}.")
    return value


def compare(value: Tensor, right: Tensor, wrong: Mapping[str, Tensor], otherwise: str) -> None:
    """Pass when right, else raise the hint whose typical wrong answer this is, or ``otherwise``.

    ``wrong`` holds hint -> wrong answer, all of the shape of ``value``.
    """
    if torch.allclose(value, right, atol=1e-9):
        return
    for hint, mistake in wrong.items():
        if torch.allclose(value, mistake, atol=1e-9):
            raise Hint(hint)
    raise Hint(otherwise)
