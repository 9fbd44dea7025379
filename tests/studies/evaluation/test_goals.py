"""Which goals a task has."""

import pytest

from deqir_lite.operators import TASKS
from deqir_lite.studies.evaluation.goals import GOALS, goals_of


def asked(task, size=128):
    return {goal.method: goal.margin for goal in goals_of(task, size)}


def test_every_goal_is_a_task():
    assert set(GOALS) <= set(TASKS)


@pytest.mark.parametrize("task", TASKS)
def test_every_task_shall_beat_the_rivals(task):
    assert {"tv", "gaussian"} <= asked(task).keys()
    assert len(goals_of(task, 128)) == len(asked(task))  # each method is named once
    assert asked(task, 64) == {}
