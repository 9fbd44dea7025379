"""The paper's layout: tasks as groups of columns, methods as rows, the paper's own below."""

from collections.abc import Iterator, Sequence
from itertools import groupby
from operator import itemgetter
from typing import NamedTuple

from deqir_lite.memory import in_gigabytes
from deqir_lite.methods import METHODS, base_name
from deqir_lite.metrics import EN_DASH, format_value
from deqir_lite.schedule.grid import SPACINGS
from deqir_lite.studies.comparison.paper import PAPER, PaperTable, columns_of
from deqir_lite.studies.comparison.settings import SIMPLE, Setting, of_form
from deqir_lite.studies.comparison.summary import FID, FRECHET, Cell, Difference

BETTER, WORSE = "▲", "▼"

PAPER_MARK = ", paper"
"""Ends the names of rows that are the paper's."""

_TITLES = {
    "psnr": "PSNR", "psnr_cropped": "PSNR, cropped", "ssim": "SSIM", "lpips": "LPIPS",
    "consistency": "Cons.", "consistency_8bit": "Cons., 8 bits",
    "lite0_relative": "Lite0, rel.", FRECHET: "Fréchet-Lite0, rel.",
    FID: "FID",
}  # fmt: skip
_SPECS = {
    "ssim": ".3f", "lpips": ".3f", "consistency": ".4g", "consistency_8bit": ".4g",
    "lite0_relative": ".3f", FRECHET: ".3f",
}  # fmt: skip
_SMALLER_IS_BETTER = ("lpips", "lite0_relative")
_FURTHER = ("lite0_relative", FRECHET, FID)
"""Where they are known, and the page has them only."""

_OF_COLOUR = tuple(
    ("colorization", n) for n in ("psnr", "consistency", "consistency_8bit", "lpips", FID)
)

_KNOWN = (*SIMPLE, *METHODS)
"""All others are networks."""

_SIDE_BY_SIDE = 4
"""Tasks of which the paper has no table, in one table."""


class Table(NamedTuple):
    """Cells are text; a method that is better or worse than the reference, as far as the intervals
    say so, has a ▲ or ▼ behind the number."""

    title: str
    header: list[str]
    rows: list[list[str]]


def tables(cells: Sequence[Cell], *, full: bool = True) -> Iterator[Table]:
    """All tables: by size and noise, those of the paper first, each followed by the differences
    in PSNR from the reference. The paper has rows where y is without noise. Unless ``full``, the
    distances for relative use, and columns of which only the paper has numbers, are left out."""

    def block(cell: Cell) -> tuple[int, float]:
        return cell.setting.size, cell.setting.sigma_y

    for (size, level), group in groupby(sorted(cells, key=block), key=block):
        found = list(group)
        tasks = list(dict.fromkeys(cell.setting.task for cell in found))
        noise = f", noise of {level:g} in y" if level else ""
        networks = any(base_name(cell.setting.method) not in _KNOWN for cell in found)
        for title, columns, paper in _layouts(tasks, networks):
            inside = {task for task, _ in columns}
            lines: dict[Setting, dict[str, Cell]] = {}
            for cell in found:
                if cell.setting.task in inside:
                    line = cell.setting._replace(task="")
                    lines.setdefault(line, {})[cell.setting.task] = cell
            where = f"{size} × {size} pixels{noise}"
            if full:
                columns = tuple(_with_further(columns, lines))
            else:
                columns = tuple(column for column in columns if _known(lines, *column))
            rows = [_row(line, own, columns) for line, own in lines.items()]
            rows += [] if level or paper is None else _paper_rows(paper, columns)
            yield Table(f"{title} ({where})" if title else where, _header(columns), rows)
            yield from _differences(lines, [t for t in tasks if t in inside], where)


def _with_further(
    columns: Sequence[tuple[str, str]], lines: dict[Setting, dict[str, Cell]]
) -> Iterator[tuple[str, str]]:
    """The columns, and behind those of each task the further ones that are known."""
    for task, group in groupby(columns, key=itemgetter(0)):
        yield from group
        for number in _FURTHER:
            if (task, number) not in columns and _known(lines, task, number):
                yield task, number


def _known(lines: dict[Setting, dict[str, Cell]], task: str, number: str) -> bool:
    return any(task in own and own[task].means[number] is not None for own in lines.values())


def _layouts(
    tasks: list[str], networks: bool
) -> Iterator[tuple[str, tuple[tuple[str, str], ...], PaperTable | None]]:
    """Title, columns, and the paper's table; whether there are rows of ``networks``."""
    for table in PAPER:
        there = [task for task in table.tasks if task in tasks]
        if table.of_networks and not networks:
            continue
        if there == ["colorization"]:
            yield table.title, _OF_COLOUR, table
        elif there:
            yield table.title, columns_of(*there), table
    known = {task for table in PAPER for task in table.tasks}
    others = [task for task in tasks if task not in known]
    for first in range(0, len(others), _SIDE_BY_SIDE):
        yield "", columns_of(*others[first : first + _SIDE_BY_SIDE]), None


def _header(columns: Sequence[tuple[str, str]]) -> list[str]:
    header, last = ["method", "chain", "photos × seeds"], ""
    for task, number in columns:
        header.append(_TITLES[number] if task == last else f"{task}: {_TITLES[number]}")
        last = task
    return [*header, "NFEs", "sweeps", "seconds", "memory"]


def name_of(setting: Setting) -> str:
    """A method with its form."""
    return setting.method + of_form(setting.form)


def chain_of(setting: Setting) -> str:
    """Its timesteps and share of noise; a dash where there is no chain."""
    if not setting.timesteps:
        return EN_DASH
    named = {power: name for name, power in SPACINGS.items()}
    spacing = named.get(setting.spacing, f"power {setting.spacing:g}")
    eta = "" if setting.eta is None else f", eta {setting.eta:g}"
    return f"T = {setting.timesteps}, {spacing}{eta}"


def _row(line: Setting, own: dict[str, Cell], columns: Sequence[tuple[str, str]]) -> list[str]:
    values = [_value(own.get(task), number) for task, number in columns]
    photos = sorted({cell.photos for cell in own.values()})
    seeds = max(cell.seeds for cell in own.values())
    count = EN_DASH.join(map(str, dict.fromkeys((photos[0], photos[-1]))))
    cost = []
    for name, spec in ("nfe", ".0f"), ("sweeps", ".1f"), ("seconds", ".3g"):
        known = [v for cell in own.values() if (v := cell.means[name]) is not None]
        cost.append(format_value(sum(known) / len(known) if known else None, spec=spec))
    peaks = [p for cell in own.values() if (p := cell.means["peak_bytes"]) is not None]
    cost.append(in_gigabytes(int(max(peaks))) if peaks else EN_DASH)
    return [name_of(line), chain_of(line), f"{count} × {seeds}", *values, *cost]


def _value(cell: Cell | None, number: str) -> str:
    if cell is None:
        return EN_DASH
    text = format_value(cell.means[number], spec=_SPECS.get(number, ".2f"))
    difference = cell.differences.get(number)
    return f"{text} {_mark(difference, number)}".rstrip()


def _mark(difference: Difference | None, number: str) -> str:
    if difference is None or not difference.real:
        return ""
    return BETTER if (difference.mean > 0) != (number in _SMALLER_IS_BETTER) else WORSE


def _paper_rows(table: PaperTable, columns: Sequence[tuple[str, str]]) -> Iterator[list[str]]:
    for row in table.rows:
        values = dict(zip(table.columns, row.values, strict=True))
        texts = [
            format_value(values.get(column), spec=_SPECS.get(column[1], ".2f"))
            for column in columns
        ]
        nfe = EN_DASH if row.nfe is None else str(row.nfe)
        yield [row.method + PAPER_MARK, row.data, EN_DASH, *texts, nfe, EN_DASH, EN_DASH, EN_DASH]


def _differences(
    lines: dict[Setting, dict[str, Cell]], tasks: list[str], where: str
) -> Iterator[Table]:
    rows = []
    for line, own in lines.items():
        found = {
            task: cell.differences["psnr"]
            for task, cell in own.items()
            if "psnr" in cell.differences
        }
        if found:
            other = next(cell.reference for cell in own.values() if cell.reference is not None)
            texts = [_interval(found.get(task)) for task in tasks]
            minus = f"{name_of(other)}: {chain_of(other)}"
            rows.append([name_of(line), chain_of(line), minus, *texts])
    if rows:
        title = f"Difference in PSNR, with its 95 % interval ({where})"
        yield Table(title, ["method", "chain", "minus", *tasks], rows)


def _interval(difference: Difference | None) -> str:
    if difference is None:
        return EN_DASH
    mean, low, high, photos = difference
    mark = _mark(difference, "psnr")
    return f"{mean:+.2f} [{low:+.2f}, {high:+.2f}] of {photos} {mark}".rstrip()
