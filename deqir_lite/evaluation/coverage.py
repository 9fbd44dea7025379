"""What the tables lack: stages that were not run, and photos that do not count."""

from collections.abc import Iterable

from deqir_lite.evaluation.photos import measures_brightness
from deqir_lite.evaluation.results import Results
from deqir_lite.evaluation.settings import SIZES, TIMESTEPS
from deqir_lite.evaluation.summary import Line, summarise

Stage = tuple[int, int]
"""Size and chain length; without samples the length is 0."""


def not_run(results: Results) -> str:
    """A sentence that names the usual sizes and lengths that were not run, or nothing."""
    ran = {(line.size, line.timesteps) for line in summarise(results) if line.seeds}
    lacking = {(size, steps) for size in SIZES for steps in TIMESTEPS} - ran
    return f"These were not run: {_names(lacking)}." if lacking else ""


def has_all_photos(results: Results, line: Line) -> bool:
    """Whether a line counts all photos of its task, as far as the results can tell.

    All that were found shall count. For tasks that measure brightness only those in colour: the
    photos on which any such task was computed, at any size. When no other task was computed,
    nothing tells grey photos from those that were not reached, and all shall count.
    """
    found = set(results.settings.get("photos", {}))
    tasks = {task for task, _, _ in results.references}
    if measures_brightness(line.task) and not all(map(measures_brightness, tasks)):
        found &= {photo for task, _, photo in results.references if measures_brightness(task)}
    return line.photos >= len(found)


def not_all_photos(results: Results) -> list[str]:
    """Sentences that name the stages with lines that lack photos.

    A photo is left out where it is smaller than the size. If every photo was computed for some
    task at this size, then none is, and the run must have been stopped.
    """
    lacking = {
        (line.size, line.timesteps)
        for line in summarise(results)
        if (line.seeds or not line.timesteps) and not has_all_photos(results, line)
    }
    photos = set(results.settings.get("photos", {}))
    stopped = {
        (size, steps)
        for size, steps in lacking
        if photos == {photo for _, n, photo in results.references if n == size}
    }
    unclear = lacking - stopped
    sentences = []
    if stopped:
        sentences.append(f"The run was stopped before all photos were done: {_names(stopped)}.")
    if unclear:
        sentences.append(
            f"Not all {len(photos)} photos count here: {_names(unclear)}. The others are smaller "
            "than this, or grey in tasks that restore colour, or the run was stopped before them."
        )
    return sentences


def _names(stages: Iterable[Stage]) -> str:
    return ", ".join(
        f"{size} pixels" + (f" with T = {steps}" if steps else "") for size, steps in sorted(stages)
    )
