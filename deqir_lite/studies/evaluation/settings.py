"""What is run: tasks, sizes, chain lengths, eta, and the order of the work."""

from collections.abc import Iterable
from itertools import product
from typing import NamedTuple

from deqir_lite.chain import PICTURE
from deqir_lite.checks import check_choice, check_integer
from deqir_lite.defaults import EVALUATED_SEEDS, EVALUATED_SIZES, EVALUATED_STEPS
from deqir_lite.images import SMALLEST_SIDE
from deqir_lite.operators import TASKS, check_side
from deqir_lite.studies.evaluation.goals import GOAL_SIZE, GOALS, own_goals

SIZES, TIMESTEPS, SEEDS = EVALUATED_SIZES, EVALUATED_STEPS, EVALUATED_SEEDS
"""Seeds 0 to 7 of the chain: their mean estimates the posterior mean."""

ETA, SPACING = PICTURE["eta"], PICTURE["spacing"]

MASK_SEED = 0
"""Masks and subsets are the same for all photos and all seeds of the chain."""

SHORT = 50
"""Chains with fewer steps are short."""


class Setting(NamedTuple):
    """One line of the table: all its photos and seeds make its numbers."""

    task: str
    size: int
    timesteps: int
    eta: float


def seeds_of(setting: Setting, seeds: int, *, all_seeds: bool = False) -> int:
    """How many of the ``seeds`` a setting gets: all, or a single one where samples are expensive.

    Expensive are long chains and photos larger than those of the goals. Tasks with goals of their
    own have all seeds at the sizes of these, however long the chain; ``all_seeds`` gives them to
    everything.
    """
    cheap = setting.size <= GOAL_SIZE and setting.timesteps < SHORT
    asked_for = bool(own_goals(setting.task, setting.size))
    return seeds if all_seeds or cheap or asked_for else 1


def importance(setting: Setting) -> tuple[float, ...]:
    """Sort key: photos of the size of the goals, then smaller ones, then larger; short chains
    before long ones; tasks with goals of their own before others."""
    task, size, timesteps, eta = setting
    return size > GOAL_SIZE, timesteps, size != GOAL_SIZE, size, eta, _ORDER.index(task)


_ORDER = [*dict.fromkeys((*GOALS, *TASKS))]


def plan(
    tasks: Iterable[str],
    sizes: Iterable[int],
    timesteps: Iterable[int],
    *,
    eta: Iterable[float] = (ETA,),
) -> list[Setting]:
    """All settings, the most important ones first. Raises ValueError for an unknown task."""
    tasks = list(tasks)
    for task in tasks:
        check_choice("tasks", task, TASKS)
    combined = product(tasks, sizes, timesteps, eta)
    return sorted((Setting(*values) for values in combined), key=importance)


def check_sizes(tasks: Iterable[str], sizes: Iterable[int]) -> None:
    """Raise ValueError, naming ``sizes``, unless photos of each size are for each of the tasks."""
    for task, size in product(tasks, sizes):
        check_integer("sizes", size, SMALLEST_SIDE)
        check_side("sizes", size, task)
