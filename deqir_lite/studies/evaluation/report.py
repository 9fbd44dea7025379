"""An evaluation told to its readers: a table on the terminal, and a page in Markdown."""

import math
import shlex
from collections.abc import Iterator
from itertools import groupby
from typing import NamedTuple

from deqir_lite._documents import render, text_table
from deqir_lite.metrics import EN_DASH, format_value
from deqir_lite.operators import TASKS
from deqir_lite.schedule import spacing_power
from deqir_lite.studies.evaluation.goals import GOAL_SIZE
from deqir_lite.studies.evaluation.pictures import Pictures
from deqir_lite.studies.evaluation.references import TV_WEIGHTS
from deqir_lite.studies.evaluation.results import Results
from deqir_lite.studies.evaluation.settings import ETA, MASK_SEED, SIZES, SPACING, TIMESTEPS
from deqir_lite.studies.evaluation.summary import Line, summarise

PAGE_START = "## Restoration\n"
"""The first line of each :func:`page`."""

_NAMES = {"pinv": "A⁺y", "tv": "TV", "gaussian": "Gaussian"}


class Block(NamedTuple):
    """A table: all tasks at one size, chain length and eta.

    ``met`` of the ``judged`` tasks reach all their goals; of those ``not_run`` nothing is known.
    """

    title: str
    header: list[str]
    rows: list[list[str]]
    judged: int
    met: int
    not_run: list[str]


def blocks(results: Results) -> Iterator[Block]:
    """The tables of an evaluation, the most important one first."""
    for (size, steps, eta), group in groupby(summarise(results), lambda line: line.setting[1:]):
        lines = list(group)
        margins = [min(by for _, by in line.verdicts) for line in lines if line.verdicts]
        header = ["task", "photos × seeds", "A⁺y", "baseline", "TV", "Gaussian", "one", "mean"]
        chain = f"T = {steps}, eta = {eta:g}" if steps else "simpler methods alone"
        yield Block(
            f"{size} × {size} pixels, {chain}",
            header + (["goals"] if margins else []),
            [_cells(line) + ([_verdict(line)] if margins else []) for line in lines],
            len(margins),
            sum(margin >= 0 for margin in margins),
            [task for task in TASKS if task not in {line.setting.task for line in lines}],
        )


def terminal_report(results: Results) -> str:
    """All tables; PSNR in dB, a dash for what has not been run."""
    parts = []
    for block in blocks(results):
        parts.append(f"{block.title}\n{text_table(block.rows, block.header)}")
        if block.judged:
            parts.append(f"{block.met} of {block.judged} tasks reach all their goals.")
    return "\n\n".join(parts) or "Nothing has been run."


def page(results: Results, pictures: Pictures, *, figure: str | None = None) -> str:
    """The section "Restoration" of a model card: tables, settings, how to compute it again.

    ``figure`` is the address of the picture that goes with it, made of ``pictures``.
    """
    lines = summarise(results)
    ran = {(line.setting.size, line.setting.timesteps) for line in lines}
    gaps = [
        mean - one
        for line in lines
        if (mean := line.psnr["mean"]) is not None and (one := line.psnr["one"]) is not None
    ]
    return render(
        "studies/evaluation/page.md.j2",
        settings=results.settings,
        context={"photos": None, "devices": [], "versions": {}} | results.context,
        blocks=blocks(results),
        not_run=[(size, T) for size in SIZES for T in TIMESTEPS if (size, T) not in ran],
        some_lack_photos=any(line.photos < len(results.settings["photos"]) for line in lines),
        sampled=any(line.seeds for line in lines),
        gaps=gaps,
        sampler=list(_sampler(lines)),
        figure=figure,
        shown=pictures.shown,
        decibels=lambda ratio: f"{10 * math.log10(ratio):.2f}",
        tv=TV_WEIGHTS,
        goal_size=GOAL_SIZE,
        mask_seed=MASK_SEED,
        command=reproducing_command(results),
    )


def reproducing_command(results: Results) -> str:
    """``deqir-lite study evaluation`` with the options that give the samples in ``results``.

    Where an interrupted run has not reached everything, the command goes further.
    """
    context, settings = results.context, results.settings
    ran = {setting for setting, _ in results.samples}
    tasks = [task for task in TASKS if task in {setting.task for setting in ran}]
    columns = [sorted({setting[k] for setting in ran}) for k in (1, 2, 3)]
    sizes, timesteps, etas = (",".join(f"{value:g}" for value in column) for column in columns)
    options = {
        "--prior": context.get("prior", "photo64"),
        "--label": context.get("label"),
        "--out": context.get("out"),
        "--photos": context.get("photos"),
        "--tasks": ",".join(tasks) if len(tasks) < len(TASKS) else None,
        "--sizes": sizes,
        "--timesteps": timesteps,
        "--eta": etas if etas != f"{ETA:g}" else None,
        "--spacing": f"{settings['spacing']:g}",
        "--seeds": settings["seeds"],
        "--dtype": settings["dtype"],
    }
    if settings["spacing"] == spacing_power(SPACING):
        del options["--spacing"]
    words = [str(word) for option in options.items() if option[1] for word in option]
    words += ["--all-seeds"] if settings["all_seeds"] else []
    return shlex.join(["deqir-lite", "study", "evaluation", *words])


def _cells(line: Line) -> list[str]:
    psnr = {name: format_value(value) for name, value in line.psnr.items()}
    return [
        *(line.setting.task, f"{line.photos} × {line.seeds or EN_DASH}", psnr["pinv"]),
        *(f"{psnr['baseline']} {line.baseline}", psnr["tv"], psnr["gaussian"]),
        *(psnr["one"], psnr["mean"]),
    ]


def _verdict(line: Line) -> str:
    """By how many dB the goals of a line are met, or each one missed; a dash without a verdict."""
    if not line.verdicts:
        return EN_DASH
    names = _NAMES | {"baseline": line.baseline}
    missed = [
        f"{-by:.2f} below {names[goal.method]}" + (f" + {goal.margin:g}" if goal.margin else "")
        for goal, by in line.verdicts
        if by < 0
    ]
    if missed:
        return f"missed: {'; '.join(missed)}"
    return f"met, by {min(by for _, by in line.verdicts):.2f}"


def _sampler(lines: list[Line]) -> Iterator[tuple[str, str, str, str, str, float]]:
    """What the chain itself loses: its samples under a prior whose exact answer is known."""
    for line in lines:
        exact, walked = line.psnr["gaussian"], line.psnr["walked"]
        if exact is not None and walked is not None:
            task, _, steps, eta = line.setting
            yield task, str(steps), f"{eta:g}", f"{exact:.2f}", f"{walked:.2f}", walked - exact
