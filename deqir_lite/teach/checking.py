"""Self-checks of exercises: right or wrong, and when wrong, a hint instead of the solution."""

from collections.abc import Callable
from typing import Any

from deqir_lite.checks import check_choice

Check = Callable[..., str]

CHECKS: dict[str, Check] = {}
"""Label of an exercise -> function of the answer: returns praise, or raises :class:`Hint`."""


class Hint(AssertionError):
    """The answer is not right yet; the message says where to look, not what to write."""

    def _render_traceback_(self) -> list[str]:
        """Jupyter shows this in place of a traceback, which would lead into the package."""
        return [f"Not yet. {self}"]


def exercise(label: str) -> Callable[[Check], Check]:
    """Register the function below as the check of the exercise with this label."""

    def register(check: Check) -> Check:
        if label in CHECKS:
            raise ValueError(f"label: there is a check of {label!r} already")
        CHECKS[label] = check
        return check

    return register


def self_check(label: str, *answer: Any) -> None:
    """Check the answer to an exercise: print what is right about it, or raise a :class:`Hint`.

    ``label`` is the exercise's label, ``answer`` what it asks for: numbers, tensors or functions.
    Three dots are the placeholder for it: then nothing is checked, and a line says what to do.
    Raises ValueError for an unknown label (the message lists the known ones).
    """
    check_choice("label", label, CHECKS)
    if any(part is ... for part in answer):
        print("No answer yet. Put yours in the place of the three dots, and run this cell.")
        return
    if any(part is None for part in answer):
        raise Hint("Replace the placeholder by your own answer first.")
    print(f"\N{CHECK MARK} {CHECKS[label](*answer)}")
