"""From scores of single photos to the lines of the table: means, and the goals."""

from collections.abc import Iterable
from dataclasses import dataclass

from deqir_lite.baselines import baseline_of
from deqir_lite.operators import make_task
from deqir_lite.studies.evaluation.goals import Goal, goals_of
from deqir_lite.studies.evaluation.results import Results
from deqir_lite.studies.evaluation.settings import MASK_SEED, Setting, importance

METHODS = ("pinv", "baseline", "tv", "gaussian")


@dataclass(frozen=True)
class Line:
    """Means over ``photos`` photos of one setting; without samples its chain has no step.

    ``psnr`` has dB by method: the ``METHODS``, "one" sample (the average over the seeds of each
    seed's own score), the "mean" of the seeds, where there are several, and "walked", the mean of
    the same chains under the Gaussian prior. What is not known is None.
    """

    setting: Setting
    photos: int
    seeds: int
    baseline: str
    psnr: dict[str, float | None]

    @property
    def verdicts(self) -> list[tuple[Goal, float]]:
        """The goals at this size, with the dB above (or, negative, below) them.

        Goals whose numbers are not known are left out.
        """
        reached = self.psnr["mean"]
        if reached is None:
            return []
        goals = ((goal, self.psnr[goal.method]) for goal in goals_of(*self.setting[:2]))
        return [(goal, reached - v - goal.margin) for goal, v in goals if v is not None]


def summarise(results: Results) -> list[Line]:
    """All lines for which there is any number, the most important ones first."""
    photos: dict[Setting, list[str]] = {}
    for setting, photo in results.samples:
        photos.setdefault(setting, []).append(photo)
    sampled = {setting[:2] for setting in photos}
    for task, size, photo in results.references:
        if (task, size) not in sampled:
            photos.setdefault(Setting(task, size, 0, 0.0), []).append(photo)
    return [_line(results, setting, photos[setting]) for setting in sorted(photos, key=_order)]


def _order(setting: Setting) -> tuple[bool, tuple[float, ...]]:
    return setting.timesteps == 0, importance(setting)


def _line(results: Results, setting: Setting, photos: list[str]) -> Line:
    references = [results.references[setting.task, setting.size, photo] for photo in photos]
    samples = [results.samples[setting, photo] for photo in photos if setting.timesteps]
    seeds = min((len(entry["single"]["psnr"]) for entry in samples), default=0)
    several = samples if seeds > 1 else []
    psnr = {method: _mean(entry[method]["psnr"] for entry in references) for method in METHODS}
    psnr["one"] = _mean(value for entry in samples for value in entry["single"]["psnr"])
    psnr["mean"] = _mean(entry["mean"]["psnr"] for entry in several)
    psnr["walked"] = _mean(e["gaussian"]["psnr"] for e in several if "gaussian" in e)
    baseline = baseline_of(make_task(setting.task, (64, 64), seed=MASK_SEED)).name
    return Line(setting, len(photos), seeds, baseline, psnr)


def _mean(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known else None
