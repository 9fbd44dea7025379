"""The chapters of the book as notebooks: where they lie, and the cells that they are made of."""

import json
import re
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from deqir_lite.checks import check_choice

Cell = dict[str, Any]

_CHAPTER = re.compile(r"\d\d-[\w-]+\.ipynb")
_INDEX = "00-index.ipynb"


@dataclass(frozen=True)
class Chapter:
    """One chapter: its file ``path`` and its ``cells``, whose sources are strings."""

    path: Path
    cells: list[Cell]

    @property
    def name(self) -> str:
        """The file's name without ending, for example "04-proposition-1"."""
        return self.path.stem

    @property
    def number(self) -> int:
        """The chapter's number."""
        return int(self.name[:2])

    @cached_property
    def title(self) -> str:
        """The title without its number."""
        first = str(self.cells[0]["source"]).split("\n")
        heading = next(line for line in first if line.startswith("# "))
        return re.sub(r"^#\s+(\d+\.\s+)?", "", heading)

    @cached_property
    def sections(self) -> list[str]:
        """The titles of its sections (``##``), in order."""
        texts = [cell["source"] for cell in self.cells if cell["cell_type"] == "markdown"]
        return [line[3:].strip() for text in texts for line in headings(text)]


def headings(text: str) -> list[str]:
    """The lines of a Markdown cell that begin a section."""
    return [line for line in text.split("\n") if line.startswith("## ")]


def book_folder() -> Path:
    """The folder with the sources of the book: in a checkout book/, in a wheel _data/book.

    Raises FileNotFoundError when there is none.
    """
    package = Path(__file__).resolve().parents[1]
    # The wheel's own folder first: beside an installed package, book/ may be anybody's.
    for folder in (package / "_data" / "book", package.parent / "book"):
        if (folder / _INDEX).is_file():
            return folder
    raise FileNotFoundError(
        f"book: neither {package / '_data' / 'book'} nor {package.parent / 'book'} holds "
        f"{_INDEX}; reinstall the package or run from a source checkout"
    )


def read_chapter(path: Path) -> Chapter:
    """Read one notebook; ValueError when the file is none."""
    try:
        cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
        for cell in cells:
            if not isinstance(cell["source"], str):
                cell["source"] = "".join(cell["source"])
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(f"path: {str(path)!r} is no notebook ({error!r})") from error
    return Chapter(path, cells)


def chapters(folder: Path | None = None) -> list[Chapter]:
    """All chapters in ``folder`` (default: the book's), in order; the index is not one."""
    folder = book_folder() if folder is None else folder
    files = sorted(p for p in folder.glob("*.ipynb") if _CHAPTER.fullmatch(p.name))
    found = [read_chapter(path) for path in files if path.name != _INDEX]
    if not found:
        raise FileNotFoundError(f"book: no chapters in {str(folder)!r}")
    return found


def chosen(names: list[str], available: list[Chapter]) -> list[Chapter]:
    """The chapters with the given numbers or names, all when none is given."""
    by_name = {c.name: c for c in available} | {str(c.number): c for c in available}
    for name in names:
        if name not in by_name:
            check_choice("chapter", name, [f"{c.number} ({c.name})" for c in available])
    wanted = {by_name[name].name for name in names} or {c.name for c in available}
    return [chapter for chapter in available if chapter.name in wanted]


def markdown_cell(source: str, cell_id: str, **metadata: Any) -> Cell:
    """A new Markdown cell."""
    return {"cell_type": "markdown", "id": cell_id, "metadata": metadata, "source": source}


def code_cell(source: str, cell_id: str, **metadata: Any) -> Cell:
    """A new code cell without outputs."""
    cell = markdown_cell(source, cell_id, **metadata)
    return cell | {"cell_type": "code", "execution_count": None, "outputs": []}


def tags(cell: Cell) -> list[str]:
    """The tags of a cell."""
    return list(cell["metadata"].get("tags", []))


def notebook_bytes(cells: list[Cell]) -> bytes:
    """A notebook file with these cells, as Jupyter writes it."""
    kernel = {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"}
    content = {
        "cells": [cell | {"source": cell["source"].splitlines(keepends=True)} for cell in cells],
        "metadata": {"kernelspec": kernel, "language_info": {"name": "python"}},
        "nbformat": 4,
        "nbformat_minor": 5,
    }
    return (json.dumps(content, indent=1, ensure_ascii=False) + "\n").encode()
