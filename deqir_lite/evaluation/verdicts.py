"""Which tasks reach their goals: in a cell of the table, and in words."""

from collections.abc import Iterable

from deqir_lite.evaluation.coverage import has_all_photos
from deqir_lite.evaluation.goals import GOAL_SIZE, Goal
from deqir_lite.evaluation.results import Results
from deqir_lite.evaluation.summary import Line, summarise
from deqir_lite.metrics import EN_DASH
from deqir_lite.operators import TASKS

_NAMES = {"pinv": "A⁺y", "tv": "TV", "gaussian": "Gaussian"}


def goal_cell(line: Line) -> str:
    """By how many dB the goals of a line are met, or each one missed; a dash without a verdict."""
    if not line.verdicts:
        return EN_DASH
    if _margin(line) >= 0:
        return f"met, by {_margin(line):.2f}"
    return "missed: " + "; ".join(f"{by:.2f} below {goal}" for by, goal in _misses(line))


def goals_reached(results: Results) -> str:
    """Paragraphs: which tasks reach all their goals, which miss what, which cannot be judged.

    A task is judged by the mean of several samples, at the size of the goals. Of several chain
    lengths the one with the best verdict counts, among those with the most photos. The few goals
    at other sizes follow by themselves.
    """
    summary = summarise(results)
    lines = [line for line in summary if line.size == GOAL_SIZE]
    judged: dict[str, list[Line]] = {}
    for line in lines:
        if line.verdicts:
            judged.setdefault(line.task, []).append(line)
    single = [task for task in _tasks(lines) if task not in judged]
    paragraphs = _judged(results, judged) if judged else [_NOTHING]
    if single:
        paragraphs.append(f"One sample only, not judged: {', '.join(single)}.")
    unknown = [task for task in TASKS if task not in judged and task not in single]
    if judged and unknown:
        paragraphs.append(f"Not run: {', '.join(unknown)}.")
    others = [
        f"{line.task} at {line.size} pixels with T = {line.timesteps}, {goal_cell(line)}"
        for line in summary
        if line.size != GOAL_SIZE and line.verdicts
    ]
    if others:
        paragraphs.append(f"Goals at other sizes, in dB: {'; '.join(others)}.")
    return "\n\n".join(paragraphs)


_NOTHING = f"No task has been run at {GOAL_SIZE} pixels, the size of the goals, with several seeds."


def _judged(results: Results, judged: dict[str, list[Line]]) -> list[str]:
    best = [max(own, key=lambda line: (line.photos, _margin(line))) for own in judged.values()]
    met = [line for line in best if _margin(line) >= 0]
    missed = [line for line in best if _margin(line) < 0]
    partial = [line.task for line in best if not has_all_photos(results, line)]
    lengths = {line.timesteps for own in judged.values() for line in own}
    sentences = [
        f"At {GOAL_SIZE} pixels {len(met)} of {len(best)} tasks reach all their goals. "
        f"Each is judged by the mean of {results.settings['seeds']} samples, {_where(lengths)}."
    ]
    if len(lengths) > 1:
        sentences += _judged_at_one_length(judged)
    if partial:
        named = ", ".join(partial) if len(partial) < len(best) else "any of them"
        sentences.append(f"Not all photos are done, or large enough, for {named}.")
    paragraphs = [" ".join(sentences)]
    if met:
        paragraphs.append(f"Met: {'; '.join(map(_met, met))}.")
    if missed:
        paragraphs.append(f"Missed: {'; '.join(map(_missed, missed))}.")
    return paragraphs


def _where(lengths: set[int]) -> str:
    if len(lengths) == 1:
        return f"with T = {min(lengths)}"
    return "with the chain length that does best on these photos"


def _judged_at_one_length(judged: dict[str, list[Line]]) -> list[str]:
    alone: dict[int, list[str]] = {}
    for task, own in judged.items():
        if len(own) == 1:
            alone.setdefault(own[0].timesteps, []).append(task)
    return [
        f"Judged at T = {steps} alone, the only length with several samples: {', '.join(tasks)}."
        for steps, tasks in sorted(alone.items())
    ]


def _tasks(lines: Iterable[Line]) -> list[str]:
    """Each task with samples, once."""
    return list(dict.fromkeys(line.task for line in lines if line.seeds))


def _met(line: Line) -> str:
    return f"{line.task} (T = {line.timesteps}, by {_margin(line):.2f} dB)"


def _missed(line: Line) -> str:
    misses = (f"{by:.2f} dB below {goal}" for by, goal in _misses(line))
    return f"{line.task} (T = {line.timesteps}: {', '.join(misses)})"


def _misses(line: Line) -> list[tuple[float, str]]:
    """How far below which goals, by name."""
    return [(-by, _name(goal, line)) for goal, by in line.verdicts if by < 0]


def _margin(line: Line) -> float:
    """The smallest distance to a goal, negative when one is missed."""
    return min(by for _, by in line.verdicts)


def _name(goal: Goal, line: Line) -> str:
    name = line.baseline if goal.method == "baseline" else _NAMES[goal.method]
    return name + (f" + {goal.margin:g}" if goal.margin else "")
