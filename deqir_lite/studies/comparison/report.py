"""A comparison told to its readers: JSON, CSV, a page in Markdown, and tables on the terminal."""

import csv
import io
from collections.abc import Sequence
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

from deqir_lite._documents import render, text_table
from deqir_lite._files import printable, write_together
from deqir_lite._json import to_json
from deqir_lite.fixedpoint.forms import FORMS
from deqir_lite.methods import METHODS, base_name
from deqir_lite.metrics import FEATURE_BLOCKS
from deqir_lite.operators import TASKS
from deqir_lite.studies.comparison.rows import FORMAT, PACKED, Found, Row
from deqir_lite.studies.comparison.settings import SEQUENTIAL, SIMPLE
from deqir_lite.studies.comparison.summary import FEWEST, Cell, summarise
from deqir_lite.studies.comparison.tables import PAPER_MARK, tables

RESULTS, TABLE, PAGE = "methods.json", "methods.csv", "methods.md"

PAGE_START = "## Methods compared\n"
"""The first line of each page."""


def write_report(
    folder: Path, found: Found, *, reference: str, left_out: Sequence[str] = (), command: str = ""
) -> str:
    """Write the three files into ``folder``, all or none, and return the text for the terminal.

    ``reference``: the method that the others are compared with; ``left_out``: lines on what could
    not be done; ``command``: that computes it again.
    """
    rows = in_order(found)
    cells = summarise(rows, reference=reference)
    shown = list(tables(cells))
    context = {
        "devices": sorted({session.device for session in found.sessions}),
        "versions": _versions(found),
        "priors": list(dict.fromkeys(session.prior for session in found.sessions)),
    }
    failed = [
        f"{row.method} on {row.task}, {row.photo}, seed {row.seed}: {row.failed}"
        for row in rows
        if row.failed is not None
    ]
    content = {
        "format": FORMAT,
        "settings": found.settings,
        "context": context,
        "reference": reference,
        "left_out": list(left_out),
        "rows": [_numbers(row) for row in rows],
        "summary": [_plain(cell) for cell in cells],
    }
    page = render(
        "studies/comparison/page.md.j2",
        tables=shown,
        with_paper=any(line[0].endswith(PAPER_MARK) for table in shown for line in table.rows),
        settings=found.settings,
        context=context,
        reference=reference,
        left_out=left_out,
        failed=failed,
        fewest=FEWEST,
        features=found.settings.get("features"),
        blocks=FEATURE_BLOCKS,
        inception=found.settings.get("inception"),
        networks=list(dict.fromkeys(row.method for row in rows if _is_network(row))),
        command=command,
        sizes=sorted({cell.setting.size for cell in cells}),
    )
    files = {RESULTS: to_json(content), TABLE: _csv(rows), PAGE: page}
    write_together(folder, {name: text.encode() for name, text in files.items()}, name="out")
    parts = [
        f"{table.title}\n{text_table(table.rows, table.header)}"
        for table in tables(cells, full=False)
    ]
    return "\n\n".join(parts + failed)


def in_order(found: Found) -> list[Row]:
    """The rows, in the same order however many processes there were."""
    photos = list(found.settings["photos"])
    return sorted(found.rows.values(), key=lambda row: _order(row, photos))


_METHODS, _FORMS, _TASKS = [*SIMPLE, *METHODS], [SEQUENTIAL, *FORMS], list(TASKS)


def _order(row: Row, photos: list[str]) -> tuple[Any, ...]:
    own = row.setting
    eta = -1.0 if own.eta is None else own.eta
    chain = (own.timesteps, own.spacing, eta, _FORMS.index(own.form))
    place = (photos.index(row.photo), own.size, own.sigma_y, _TASKS.index(own.task))
    known = len(_METHODS) if _is_network(row) else _METHODS.index(base_name(own.method))
    return *place, known, own.method, *chain, row.seed


def _is_network(row: Row) -> bool:
    return base_name(row.method) not in _METHODS


def _csv(rows: Sequence[Row]) -> str:
    text = io.StringIO()
    names = [column.name for column in fields(Row) if column.name not in PACKED]
    writer = csv.DictWriter(text, names, lineterminator="\n")
    writer.writeheader()
    writer.writerows(map(_numbers, rows))
    return printable(text.getvalue())


def _numbers(row: Row) -> dict[str, Any]:
    return {name: value for name, value in asdict(row).items() if name not in PACKED}


def _plain(cell: Cell) -> dict[str, Any]:
    differences = {
        name: difference._asdict() | {"real": difference.real}
        for name, difference in cell.differences.items()
    }
    own = {"photos": cell.photos, "seeds": cell.seeds, "failed": cell.failed}
    against = None if cell.reference is None else cell.reference._asdict()
    compared = {"reference": against, "differences": differences}
    return cell.setting._asdict() | own | cell.means | compared


def _versions(found: Found) -> dict[str, str]:
    """By package the version, or all that contributed: "2.12.0, 2.13.0"."""
    names = dict.fromkeys(name for session in found.sessions for name in session.versions)
    return {
        name: ", ".join(
            dict.fromkeys(s.versions[name] for s in found.sessions if name in s.versions)
        )
        for name in names
    }
