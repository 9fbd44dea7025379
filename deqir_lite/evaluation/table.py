"""The table: on the terminal, and as Markdown for the model card."""

from collections.abc import Iterable, Iterator
from itertools import groupby

from deqir_lite._markdown import markdown_table
from deqir_lite.evaluation import prose
from deqir_lite.evaluation.coverage import not_all_photos, not_run
from deqir_lite.evaluation.goals import GOAL_SIZE
from deqir_lite.evaluation.pictures import Pictures
from deqir_lite.evaluation.results import Results
from deqir_lite.evaluation.summary import Line, summarise
from deqir_lite.evaluation.verdicts import goal_cell, goals_reached
from deqir_lite.metrics import EN_DASH, format_value

HEADINGS = ("task", "photos × seeds", "eta", "A⁺y", "baseline", "TV", "Gaussian", "one", "mean")
GOAL_HEADING = f"goal at {GOAL_SIZE}"
"""One more column in the tables of this size."""

Rows = list[tuple[str, ...]]


def text_table(results: Results) -> str:
    """The table for a terminal; PSNR in dB, a dash for what has not been run."""
    blocks = []
    for title, rows in _blocks(summarise(results)):
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        text = [
            "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
            for row in rows
        ]
        blocks.append("\n".join([title, *text]))
    return "\n\n".join([*blocks, *not_all_photos(results), goals_reached(results)])


def markdown(results: Results, command: str, figure: str | None = None) -> str:
    """The section "Restoration" of a model card: tables, settings, how to compute it again.

    ``figure`` is the address of the picture that goes with it. What it shows is told by the
    pictures beside the results, where they are kept.
    """
    parts = ["## Restoration", prose.INTRODUCTION]
    for title, rows in _blocks(summarise(results)):
        parts += [f"### {title}", markdown_table(rows[0], rows[1:])]
    parts += [not_run(results), *not_all_photos(results), goals_reached(results)]
    parts.append(prose.nature(results))
    if figure is not None:
        parts.append(prose.figure(results, figure, Pictures(results.folder)))
    parts += [prose.settings(results), f"Computed by\n\n```sh\n{command}\n```"]
    parts += _sampler_block(results)
    return "\n\n".join(part for part in parts if part) + "\n"


def _sampler_block(results: Results) -> list[str]:
    """What the chain itself loses: its samples under a prior whose exact answer is known."""
    found = [
        (line, exact, walked)
        for line in summarise(results)
        if (exact := line.psnr["gaussian"]) is not None
        and (walked := line.psnr["walked"]) is not None
    ]
    if not found:
        return []
    header = ("task", "T", "eta", "posterior mean", "mean of the samples", "difference")
    rows = [
        (line.task, str(line.timesteps), f"{line.eta:g}", *map(format_value, (exact, walked)),
         f"{walked - exact:+.2f}")
        for line, exact, walked in found
    ]  # fmt: skip
    gains = dict.fromkeys(line.task for line, exact, walked in found if walked > exact)
    text = prose.sampler(results.settings["seeds"], GOAL_SIZE, list(gains))
    return ["### What the sampler loses", text, markdown_table(header, rows)]


def _blocks(lines: Iterable[Line]) -> Iterator[tuple[str, Rows]]:
    """For each size and chain length a title, and the rows with their headings."""
    for (size, steps), block in groupby(lines, key=lambda line: (line.size, line.timesteps)):
        goals = size == GOAL_SIZE
        headings = (*HEADINGS, GOAL_HEADING) if goals else HEADINGS
        rows = [_cells(line) + ((goal_cell(line),) if goals else ()) for line in block]
        yield f"{size} × {size} pixels, T = {steps or EN_DASH}", [headings, *rows]


def _cells(line: Line) -> tuple[str, ...]:
    """One row, a string for each of the HEADINGS."""
    psnr = {name: format_value(value) for name, value in line.psnr.items()}
    baseline = f"{psnr['baseline']} {line.baseline}"
    return (
        *(line.task, f"{line.photos} × {line.seeds or EN_DASH}", _eta(line), psnr["pinv"]),
        *(baseline, psnr["tv"], psnr["gaussian"], psnr["one"], psnr["mean"]),
    )


def _eta(line: Line) -> str:
    if line.eta is None:
        return EN_DASH
    others = ", ".join(f"{eta:g}" for eta in line.etas)
    return f"{line.eta:g}" + (f" (best of {others})" if len(line.etas) > 1 else "")
