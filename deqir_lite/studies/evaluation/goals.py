"""What a good prior of this size reaches: the mean of 8 seeds against simpler methods."""

from collections.abc import Mapping
from typing import NamedTuple

GOAL_SIZE = 128
"""The usual goals are for photos of 128 x 128 pixels."""

RIVALS = ("tv", "gaussian")
"""Every task's restoration shall be better than these two: the two reference methods."""


class Goal(NamedTuple):
    """PSNR of the mean of the seeds >= PSNR of ``method`` + ``margin`` dB, at each of ``sizes``."""

    method: str
    margin: float
    sizes: tuple[int, ...] = (GOAL_SIZE,)


GOALS: Mapping[str, tuple[Goal, ...]] = {
    "sr2": (Goal("baseline", 1.9), Goal("tv", 0.7)),
    "sr4": (Goal("baseline", 1.3), Goal("tv", 0.3)),
    "deblur-gaussian": (Goal("pinv", 7.0), Goal("tv", 0.2)),
    "deblur-anisotropic": (Goal("pinv", 5.7),),
    "inpaint-random": (Goal("baseline", 0.9),),
    "inpaint-text": (Goal("baseline", 1.0),),
    "inpaint-box": (Goal("baseline", 1.2),),
    "colorization": (Goal("baseline", 1.0, (GOAL_SIZE, 256)),),
}
"""Task -> what its restoration shall reach, beside beating the ``RIVALS``."""


def own_goals(task: str, size: int) -> list[Goal]:
    """The goals of a task at a size that are not those of every task."""
    return [goal for goal in GOALS.get(task, ()) if size in goal.sizes]


def goals_of(task: str, size: int) -> list[Goal]:
    """All goals: a task's own ones, and at ``GOAL_SIZE`` the rivals that these do not name."""
    own = own_goals(task, size)
    named = {goal.method for goal in own}
    rivals = RIVALS if size == GOAL_SIZE else ()
    return own + [Goal(method, 0.0) for method in rivals if method not in named]
