"""What is run: tasks, sizes, chain lengths, the eta of every task, and the order of the work."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from deqir_lite.checks import check_choice
from deqir_lite.evaluation.goals import GOAL_SIZE, GOALS
from deqir_lite.operators import TASKS

SIZES = (64, 128, 256)
TIMESTEPS = (20, 100)
SEEDS = 8
"""Seeds 0 to 7 of the chain; their mean estimates the posterior mean."""

MASK_SEED = 0
"""Masks and subsets are the same for all photos and all seeds of the chain."""

FIRST_SIZE = GOAL_SIZE
"""The size of the goals comes first."""

SHORT = 50
"""Chains with fewer steps are short."""

_LITTLE_NOISE = ("deblur", "inpaint")
"""Kinds of tasks that short chains solve better with less fresh noise."""


class Setting(NamedTuple):
    """One line of the table before a choice of eta: all photos and seeds of it make its numbers."""

    task: str
    size: int
    timesteps: int
    eta: float


def default_eta(task: str, timesteps: int) -> float:
    """Share of fresh noise in each step: 0.6 for short chains that deblur or fill holes, else 1.

    Chosen once, from a scan over 0.6, 0.85 and 1 with photo64 at 64 pixels, on other photos than
    the bundled ones. ``--eta 0.6,0.85,1`` repeats it on any photos.
    """
    return 0.6 if timesteps < SHORT and task.split("-")[0] in _LITTLE_NOISE else 1.0


def seeds_of(setting: Setting, seeds: int, all_seeds: bool = False) -> int:
    """How many of the ``seeds`` a setting gets: all, or a single one where samples are expensive.

    Expensive are long chains and photos larger than those of the goals. Tasks with a goal have all
    seeds at its size, however long the chain; ``all_seeds`` gives them to everything.
    """
    cheap = setting.size <= GOAL_SIZE and setting.timesteps < SHORT
    asked_for = setting.size == GOAL_SIZE and setting.task in GOALS
    return seeds if all_seeds or cheap or asked_for else 1


def importance(size: int, timesteps: int) -> tuple[bool, int, bool, int]:
    """Sort key: 128 pixels first, then 64, short chains before long ones, large sizes last."""
    return size > FIRST_SIZE, timesteps, size != FIRST_SIZE, size


def plan(
    tasks: Iterable[str],
    sizes: Iterable[int],
    timesteps: Iterable[int],
    eta: Sequence[float] | None = None,
) -> list[Setting]:
    """All settings, the most important ones first: see :func:`importance`; tasks with a goal first.

    ``eta`` replaces the :func:`default_eta` of every task. Raises ValueError for an unknown task.
    """
    tasks = list(tasks)
    for task in tasks:
        check_choice("tasks", task, TASKS)
    stages = sorted(
        ((size, steps) for size in sizes for steps in timesteps), key=lambda s: importance(*s)
    )
    ordered = sorted(tasks, key=[*GOALS, *TASKS].index)
    return [
        Setting(task, size, steps, value)
        for size, steps in stages
        for task in ordered
        for value in eta or [default_eta(task, steps)]
    ]
