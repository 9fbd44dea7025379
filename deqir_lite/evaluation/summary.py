"""From scores of single photos to the lines of the table: means, the chosen eta, the goals."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from deqir_lite.baselines import baseline_of
from deqir_lite.evaluation.goals import Goal, shortfalls
from deqir_lite.evaluation.results import Results
from deqir_lite.evaluation.settings import MASK_SEED, Setting, importance, plan
from deqir_lite.operators import TASKS, make_task

METHODS = ("pinv", "baseline", "tv", "gaussian")


@dataclass(frozen=True)
class Line:
    """One task at one size and chain length.

    ``psnr`` and ``ssim`` hold means over ``photos`` photos: of the ``METHODS``, of "one" sample
    (the average over the seeds of each seed's own score), of the "mean" of the seeds, where there
    are several, and of the mean of the same chains "walked" under the Gaussian prior. Without
    samples ``eta`` is None. ``etas`` are all that were run; ``eta`` is the best of them.
    """

    task: str
    size: int
    timesteps: int
    eta: float | None
    etas: tuple[float, ...]
    photos: int
    seeds: int
    baseline: str
    psnr: dict[str, float | None]
    ssim: dict[str, float | None]

    @property
    def verdicts(self) -> list[tuple[Goal, float]]:
        """The goals at this size, with the dB above (or, negative, below) them."""
        return shortfalls(self.task, self.size, self.psnr)


def summarise(results: Results) -> list[Line]:
    """All lines for which there is any number, the most important ones first."""
    lengths: dict[int, set[int]] = {size: set() for _, size, _ in results.references}
    for setting, _ in results.samples:
        lengths[setting.size].add(setting.timesteps)
    steps = {length for ran in lengths.values() for length in ran or {0}}
    found = (
        _line(results, task, size, timesteps)
        for task, size, timesteps, _ in plan(TASKS, lengths, steps, [0.0])
        if timesteps in (lengths[size] or {0})
    )
    return [line for line in found if line is not None]


def first_stage(settings: Iterable[Setting]) -> tuple[int, int]:
    """The most important size and chain length among some settings."""
    return min({(s.size, s.timesteps) for s in settings}, key=lambda pair: importance(*pair))


def _line(results: Results, task: str, size: int, timesteps: int) -> Line | None:
    photos = [photo for t, n, photo in results.references if (t, n) == (task, size)]
    if not photos:
        return None
    by_eta: dict[float, list[str]] = {}
    for ran, photo in results.samples:
        if ran[:3] == (task, size, timesteps):
            by_eta.setdefault(ran.eta, []).append(photo)
    eta = _best_eta(results, task, size, timesteps, by_eta)
    setting = None if eta is None else Setting(task, size, timesteps, eta)
    photos = photos if eta is None else by_eta[eta]
    return Line(
        task=task,
        size=size,
        timesteps=timesteps,
        eta=eta,
        etas=tuple(sorted(by_eta)),
        photos=len(photos),
        seeds=0 if setting is None else len(results.samples[setting, photos[0]]["single"]["psnr"]),
        baseline=baseline_of(make_task(task, (64, 64), seed=MASK_SEED)).name,
        psnr=_scores(results, task, size, setting, photos, "psnr"),
        ssim=_scores(results, task, size, setting, photos, "ssim"),
    )


def _best_eta(
    results: Results, task: str, size: int, timesteps: int, by_eta: dict[float, list[str]]
) -> float | None:
    """The eta whose mean of the seeds is best, among those that were run on the most photos."""
    most = max(map(len, by_eta.values()), default=0)
    scored = {
        eta: _sampled(results, Setting(task, size, timesteps, eta), photos, "psnr")
        for eta, photos in by_eta.items()
        if len(photos) == most
    }
    return max(scored, default=None, key=lambda eta: scored[eta]["mean"] or scored[eta]["one"] or 0)


def _scores(
    results: Results, task: str, size: int, setting: Setting | None, photos: list[str], score: str
) -> dict[str, float | None]:
    references = [results.references[task, size, photo] for photo in photos]
    means = {method: _mean([entry[method][score] for entry in references]) for method in METHODS}
    if setting is None:
        return means | {"one": None, "mean": None, "walked": None}
    return means | _sampled(results, setting, photos, score)


def _sampled(
    results: Results, setting: Setting, photos: list[str], score: str
) -> dict[str, float | None]:
    entries = [results.samples[setting, photo] for photo in photos]
    several = all(len(entry["single"][score]) > 1 for entry in entries)
    walked = [entry["gaussian"][score] for entry in entries if "gaussian" in entry]
    return {
        "one": _mean([value for entry in entries for value in entry["single"][score]]),
        "mean": _mean([entry["mean"][score] for entry in entries]) if several else None,
        "walked": _mean(walked) if several else None,
    }


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known else None
