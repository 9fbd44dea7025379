"""What is run: tasks, sizes, chain lengths, eta, and the order of the work."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from deqir_lite.chain import PICTURE
from deqir_lite.checks import check_choice
from deqir_lite.evaluation.goals import GOAL_SIZE, GOALS, own_goals
from deqir_lite.operators import TASKS

SIZES = (64, 128, 256)
TIMESTEPS = (20, 50)
ETA, SPACING = PICTURE["eta"], PICTURE["spacing"]
SEEDS = 8
"""Seeds 0 to 7 of the chain; their mean estimates the posterior mean."""

MASK_SEED = 0
"""Masks and subsets are the same for all photos and all seeds of the chain."""

FIRST_SIZE = GOAL_SIZE
"""The size of the goals comes first."""

SHORT = 50
"""Chains with fewer steps are short."""


class Setting(NamedTuple):
    """One line of the table before a choice of eta: all photos and seeds of it make its numbers."""

    task: str
    size: int
    timesteps: int
    eta: float


def seeds_of(setting: Setting, seeds: int, all_seeds: bool = False) -> int:
    """How many of the ``seeds`` a setting gets: all, or a single one where samples are expensive.

    Expensive are long chains and photos larger than those of the goals. Tasks with goals of their
    own have all seeds at the sizes of these, however long the chain; ``all_seeds`` gives them to
    everything.
    """
    cheap = setting.size <= GOAL_SIZE and setting.timesteps < SHORT
    asked_for = bool(own_goals(setting.task, setting.size))
    return seeds if all_seeds or cheap or asked_for else 1


def importance(size: int, timesteps: int) -> tuple[bool, int, bool, int]:
    """Sort key: 128 pixels first, then 64, short chains before long ones, large sizes last."""
    return size > FIRST_SIZE, timesteps, size != FIRST_SIZE, size


def plan(
    tasks: Iterable[str],
    sizes: Iterable[int],
    timesteps: Iterable[int],
    eta: Sequence[float] = (ETA,),
) -> list[Setting]:
    """All settings, the most important ones first: see :func:`importance`; tasks with a goal first.

    Every task is run with each ``eta``. Raises ValueError for an unknown task.
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
        for value in eta
    ]
