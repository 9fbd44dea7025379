"""What a good prior of this size reaches: the mean of 8 seeds against simpler methods."""

from collections.abc import Mapping
from typing import NamedTuple

GOAL_SIZE = 128
"""Goals are for photos of 128 x 128 pixels."""

RIVALS = ("tv", "gaussian")
"""Every task's restoration shall be better than these two: the two reference methods."""


class Goal(NamedTuple):
    """PSNR of the mean of the seeds >= PSNR of ``method`` + ``margin`` dB."""

    method: str
    margin: float


GOALS: Mapping[str, Goal] = {
    "sr2": Goal("baseline", 1.5),
    "sr4": Goal("baseline", 0.8),
    "deblur-gaussian": Goal("pinv", 4.0),
    "deblur-anisotropic": Goal("pinv", 4.0),
    "inpaint-random": Goal("baseline", 1.5),
    "inpaint-stripe": Goal("baseline", 1.5),
    "inpaint-text": Goal("baseline", 1.5),
    "colorization": Goal("baseline", 1.0),
}
"""Task -> what its restoration shall reach at ``GOAL_SIZE``, beside beating the ``RIVALS``."""


def goals_of(task: str) -> list[Goal]:
    """All goals of a task: its own, where it has one, and the two reference methods."""
    own = [GOALS[task]] if task in GOALS else []
    return own + [Goal(method, 0.0) for method in RIVALS]


def shortfalls(task: str, psnr: Mapping[str, float | None]) -> list[tuple[Goal, float]]:
    """By how many dB each goal of a task is exceeded (positive) or missed (negative).

    ``psnr`` holds "mean", the mean of the seeds, and the methods that goals name; goals whose
    numbers are missing are left out.
    """
    reached = psnr.get("mean")
    found = []
    for goal in goals_of(task):
        other = psnr.get(goal.method)
        if reached is not None and other is not None:
            found.append((goal, reached - other - goal.margin))
    return found
