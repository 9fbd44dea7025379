"""What is run: tasks, sizes, chain lengths, the eta of every task, and the order of the work."""

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from deqir_lite.checks import check_choice
from deqir_lite.evaluation.goals import GOALS
from deqir_lite.operators import TASKS

SIZES = (64, 128, 256)
TIMESTEPS = (20, 100)
SEEDS = 8
"""Seeds 0 to 7 of the chain; their mean estimates the posterior mean."""

MASK_SEED = 0
"""Masks and subsets are the same for all photos and all seeds of the chain."""

FIRST_SIZE = 128
"""The size of the goals: it comes first."""

# From a scan over 0.15, 0.6, 0.85 and 1 with photo64 at 64 pixels and T = 20, on two photos that
# are not evaluated: deblurring and filling holes want less fresh noise than the other tasks.
_ETA_BY_KIND = {"deblur": (0.6,), "inpaint": (0.6,)}

ETAS: Mapping[str, tuple[float, ...]] = {
    task: _ETA_BY_KIND.get(task.split("-")[0], (1.0,)) for task in TASKS
}
"""Share of fresh noise in each step, per task; where there are several, the best is reported."""


class Setting(NamedTuple):
    """One line of the table before a choice of eta: all photos and seeds of it make its numbers."""

    task: str
    size: int
    timesteps: int
    eta: float


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

    ``eta`` replaces the ``ETAS`` of every task. Raises ValueError for an unknown task.
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
        for value in eta or ETAS[task]
    ]
