"""One claim: a statement, what was measured, and what is required of it."""

import math
import numbers
import operator
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

RELATIONS: dict[str, Callable[[float, float], bool]] = {
    "<=": operator.le,
    "<": operator.lt,
    ">=": operator.ge,
    ">": operator.gt,
    "==": operator.eq,
}
_SIGNS = {"<=": "≤", "<": "<", ">=": "≥", ">": ">", "==": "="}


@dataclass(frozen=True)
class Claim:
    """One row: what is claimed, and what was measured.

    Attributes:
        claim: the statement in words.
        equation: number of the equation in the paper or the book, may be empty.
        measured: a number, or True or False for a claim that is no number.
        tolerance: what ``measured`` is compared with; None for True or False.
        relation: how: "<=", "<", ">=", ">" or "==".
        dtype: data type of the computation, for example "float64"; may be None.
    """

    claim: str
    equation: str
    measured: float | bool
    tolerance: float | None = None
    relation: str = "<="
    dtype: str | None = None

    @property
    def passed(self) -> bool:
        """Whether the measurement meets the requirement; a NaN meets none."""
        if isinstance(self.measured, bool):
            return self.measured
        if self.tolerance is None or math.isnan(self.measured):
            return False
        return RELATIONS[self.relation](self.measured, self.tolerance)

    def cells(self) -> tuple[str, ...]:
        """Return the row as text, one entry for each column of the table."""
        if self.tolerance is None:
            measured, required = ("holds" if self.measured else "does not hold"), "holds"
        else:
            measured, required = f"{self.measured:.3g}", f"{self.tolerance:.3g}"
            # Never let rounding show a failure as a success: "1e-10 <= 1e-10, fails".
            if measured == required and self.measured != self.tolerance:
                measured, required = repr(self.measured), repr(self.tolerance)
            required = f"{_SIGNS[self.relation]} {required}"
        result = "✓ pass" if self.passed else "✗ FAIL"
        return (self.claim, self.equation, measured, required, self.dtype or "\N{EN DASH}", result)


def as_number(measured: Any) -> float | bool:
    """One Python number or bool from whatever holds exactly one."""
    if isinstance(measured, (torch.Tensor, np.ndarray, np.generic)):
        size = measured.numel() if isinstance(measured, torch.Tensor) else measured.size
        if size != 1:
            raise ValueError(
                f"measured: got shape {tuple(measured.shape)}; expected one number: "
                "take the maximum or the mean first"
            )
        measured = measured.item()
    if isinstance(measured, bool):
        return measured
    if not isinstance(measured, numbers.Real):
        raise ValueError(f"measured: got {measured!r}; expected a number, True or False")
    return float(measured)
