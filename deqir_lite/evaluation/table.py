"""The table: on the terminal, and as Markdown for the model card."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby

from deqir_lite.evaluation.goals import GOAL_SIZE, Goal
from deqir_lite.evaluation.references import TV_WEIGHTS
from deqir_lite.evaluation.results import Results
from deqir_lite.evaluation.settings import MASK_SEED, SIZES, TIMESTEPS
from deqir_lite.evaluation.summary import Line, summarise
from deqir_lite.metrics import EN_DASH, format_value
from deqir_lite.operators import TASKS

HEADINGS = (
    *("task", "photos × seeds", "eta", "A⁺y", "baseline", "TV", "Gaussian", "one", "mean"),
    f"goal at {GOAL_SIZE}",
)

_NAMES = {"pinv": "A⁺y", "tv": "TV", "gaussian": "Gaussian"}


def text_table(results: Results) -> str:
    """The table for a terminal; PSNR in dB, a dash for what has not been run."""
    blocks = []
    for title, lines in _blocks(summarise(results)):
        rows = [HEADINGS, *(_cells(line) for line in lines)]
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        text = [
            "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
            for row in rows
        ]
        blocks.append("\n".join([title, *text]))
    return "\n\n".join([*blocks, missing_from_goals(results)])


def markdown(results: Results, command: str, figure: str | None = None) -> str:
    """The section "Restoration" of a model card: tables, settings, how to compute it again.

    ``figure`` is the address of the picture that goes with it.
    """
    parts = ["## Restoration", _INTRODUCTION.format(seeds=results.settings["seeds"])]
    for title, lines in _blocks(summarise(results)):
        parts += [f"### {title}", _markdown_table(HEADINGS, map(_cells, lines))]
    parts += [*missing_blocks(results), missing_from_goals(results), _NATURE]
    if figure is not None:
        parts.append(_FIGURE.format(seeds=results.settings["seeds"], file=figure))
    parts.append(_settings(results))
    parts.append(f"Computed by\n\n```sh\n{command}\n```")
    return "\n\n".join([*parts, *sampler_block(results)]) + "\n"


def missing_from_goals(results: Results) -> str:
    """One sentence: what reaches all its goals at 128 pixels, what misses which, what is not run.

    A task that was run with several chain lengths is judged by the best of them.
    """
    best: dict[str, Line] = {}
    for line in summarise(results):
        if line.verdicts and (line.task not in best or _margin(line) > _margin(best[line.task])):
            best[line.task] = line
    names = list(best)
    met = [task for task in names if _margin(best[task]) >= 0]
    missed = [
        f"{task} ({'; '.join(_verdict(goal, by, best[task]) for goal, by in _misses(best[task]))})"
        for task in names
        if task not in met
    ]
    unknown = [task for task in TASKS if task not in names]
    if not names:
        return f"No task has been run at {GOAL_SIZE} pixels, the size of the goals, several times."
    sentence = f"At {GOAL_SIZE} pixels {len(met)} of {len(names)} tasks reach all their goals"
    sentence += f"; missed: {', '.join(missed)}" if missed else ""
    sentence += f"; not run: {', '.join(unknown)}" if unknown else ""
    return sentence + "."


def missing_blocks(results: Results) -> list[str]:
    """Sentences that name the usual sizes and lengths that were not run, or on fewer photos."""
    lines = [line for line in summarise(results) if line.seeds]
    ran = {(line.size, line.timesteps) for line in lines}
    most = {line.task: max(e.photos for e in lines if e.task == line.task) for line in lines}
    fewer = {(line.size, line.timesteps) for line in lines if line.photos < most[line.task]}
    usual = {(size, steps) for size in SIZES for steps in TIMESTEPS}
    return [
        f"{name}: {', '.join(f'{size} pixels with T = {steps}' for size, steps in sorted(stages))}."
        for name, stages in (("Not run", usual - ran), ("Stopped after fewer photos", fewer))
        if stages
    ]


def sampler_block(results: Results) -> list[str]:
    """What the chain itself loses: its samples under a prior whose exact answer is known."""
    rows = [
        (line.task, str(line.timesteps), f"{line.eta:g}", *map(format_value, (exact, walked)),
         f"{walked - exact:+.2f}")
        for line in summarise(results)
        if (exact := line.psnr["gaussian"]) is not None
        and (walked := line.psnr["walked"]) is not None
    ]  # fmt: skip
    if not rows:
        return []
    header = ("task", "T", "eta", "posterior mean", "mean of the samples", "difference")
    title, text = "### What the sampler loses", _SAMPLER.format(size=GOAL_SIZE)
    return [title, text, _markdown_table(header, rows)]


def _markdown_table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [header, ("---",) * len(header), *rows]
    return "\n".join(f"| {' | '.join(row)} |" for row in lines)


_INTRODUCTION = """PSNR in dB, the mean over the photos. "Baseline" is named in each line; "TV" \
and "Gaussian" are total variation and the posterior mean of the Gaussian photo prior; "one" is a \
single sample of this prior and "mean" the mean of {seeds} samples, where so many were drawn. All \
are clamped to the range of a photo."""

_NATURE = """A single posterior sample lies up to 3 dB below the posterior mean by nature: its \
expected squared error is twice as large."""

_SAMPLER = """The posterior mean of the Gaussian prior is known exactly. Here the same chains, of \
the same seeds, are walked with that prior at {size} pixels. What the mean of their samples lacks \
is not the prior's fault: a small part is lost because the samples are few, the rest because the \
chain fits every step to y, but does not draw from the posterior exactly. A better prior would not \
regain it."""

_FIGURE = """![One photo in every task: the photo, A⁺y, the baseline, one sample and the mean of \
{seeds} samples]({file})"""

_BUNDLED = "The photos that come with the book, none of them used to train a prior of the book"

_SETTINGS = """{whose}: {photos}; cropped to the centred square and resized. Grey ones are left \
out where colours are to be found. Masks are those of seed {mask}; the chains have the seeds 0 to \
{last}, or 0 alone, and are walked step by step (sequentially). eta is fixed for each task and \
length; where several are listed, the one with the best mean was chosen, on these photos. TV: \
A⁺y, smoothed {steps} times by scikit-image's denoise_tv_chambolle, with a weight that falls from \
{strong:g} to {gentle:g}, and corrected to fit y after each. Device: {devices}; {dtype} inside \
the network; {versions}."""


def _settings(results: Results) -> str:
    settings, context = results.settings, results.context
    return _SETTINGS.format(
        whose="Photos" if context.get("photos") else _BUNDLED,
        photos=", ".join(settings["photos"]),
        mask=MASK_SEED,
        last=settings["seeds"] - 1,
        steps=len(TV_WEIGHTS),
        strong=TV_WEIGHTS[0],
        gentle=TV_WEIGHTS[-1],
        devices="; ".join(context.get("devices", [])),
        dtype=settings["dtype"],
        versions=", ".join(f"{name} {v}" for name, v in context.get("versions", {}).items()),
    )


def _blocks(lines: Sequence[Line]) -> Iterator[tuple[str, list[Line]]]:
    for (size, steps), block in groupby(lines, key=lambda line: (line.size, line.timesteps)):
        yield f"{size} × {size} pixels, T = {steps or EN_DASH}", list(block)


def _cells(line: Line) -> tuple[str, ...]:
    """One row, a string for each of the HEADINGS."""
    psnr = {name: format_value(value) for name, value in line.psnr.items()}
    baseline = f"{psnr['baseline']} {line.baseline}"
    return (
        *(line.task, f"{line.photos} × {line.seeds or EN_DASH}", _eta(line), psnr["pinv"]),
        *(baseline, psnr["tv"], psnr["gaussian"], psnr["one"], psnr["mean"], _goal(line)),
    )


def _eta(line: Line) -> str:
    if line.eta is None:
        return EN_DASH
    others = ", ".join(f"{eta:g}" for eta in line.etas)
    return f"{line.eta:g}" + (f" (best of {others})" if len(line.etas) > 1 else "")


def _goal(line: Line) -> str:
    if not line.verdicts:
        return EN_DASH
    misses = _misses(line)
    if not misses:
        return f"met, by {_margin(line):.2f}"
    return "missed: " + "; ".join(_verdict(goal, by, line) for goal, by in misses)


def _misses(line: Line) -> list[tuple[Goal, float]]:
    return [(goal, by) for goal, by in line.verdicts if by < 0]


def _margin(line: Line) -> float:
    """The smallest distance to a goal, negative when one is missed."""
    return min(by for _, by in line.verdicts)


def _verdict(goal: Goal, by: float, line: Line) -> str:
    name = line.baseline if goal.method == "baseline" else _NAMES[goal.method]
    return f"{name}{f' + {goal.margin:g}' if goal.margin else ''} by {-by:.2f}"
