"""The chapters of the book as notebooks: read, chosen, and written."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import nbformat
from nbformat import NotebookNode

from deqir_lite.bundled import book_folder
from deqir_lite.checks import check_choice
from deqir_lite.teach.directives import headings

APPENDICES = ("mutant-lab", "your-own-photo", "reading-notes")
"""The notebooks after the chapters, which have the letters A, B, ... in place of a number."""

_TAUGHT = APPENDICES[:1]  # those with exercises


@dataclass(frozen=True)
class Chapter:
    """One chapter: its file ``path`` and its ``cells``."""

    path: Path
    cells: list[NotebookNode]

    @property
    def name(self) -> str:
        """The file's name without ending, for example "04-proposition-1"."""
        return self.path.stem

    @property
    def number(self) -> int:
        """The chapter's number; 0 for what is none, an appendix or the front page."""
        return int(self.name[:2]) if self.name[:2].isdigit() else 0

    @property
    def mark(self) -> str:
        """What its equations, figures and exercises are counted with: "4", "A", or nothing."""
        if self.name in APPENDICES:
            return "ABCDEFGHIJ"[APPENDICES.index(self.name)]
        return str(self.number or "")

    @cached_property
    def title(self) -> str:
        """The title, without a number."""
        return headings(self.cells[0].source, 1)[0]

    @property
    def heading(self) -> str:
        """The title with number or letter, where there is one: "4. Proposition 1"."""
        return f"{self.mark}. {self.title}" if self.mark else self.title

    @cached_property
    def sections(self) -> list[str]:
        """The titles of its sections (``##``), in order."""
        texts = [cell.source for cell in self.cells if cell.cell_type == "markdown"]
        return [title for text in texts for title in headings(text, 2)]


def read_chapter(path: Path) -> Chapter:
    """Read one notebook; ValueError when the file is none."""
    try:
        return Chapter(path, nbformat.read(path, as_version=4).cells)
    except (ValueError, AttributeError) as error:
        raise ValueError(f"path: {str(path)!r} is no notebook ({error!r})") from error


def chapters(book: Sequence[Chapter] | None = None) -> list[Chapter]:
    """What is taught: all chapters of the book, in order, then the appendix with exercises.

    ``book``: its notebooks where they are read already.
    """
    pages = notebooks() if book is None else book
    return [page for page in pages if page.number or page.name in _TAUGHT]


def notebooks() -> list[Chapter]:
    """All notebooks of the book in order: the front page, the chapters, the appendices."""
    numbered = sorted(book_folder().glob("[0-9][0-9]-*.ipynb"))
    others = [book_folder() / f"{name}.ipynb" for name in APPENDICES]
    return [read_chapter(path) for path in [*numbered, *others]]


def chosen(names: list[str], available: list[Chapter]) -> list[Chapter]:
    """The chapters with the given numbers or names, all when none is given."""
    by_name = {c.name: c for c in available} | {str(c.number): c for c in available if c.number}
    for name in names:
        if name not in by_name:
            check_choice("chapter", name, [_choice(c) for c in available])
    wanted = {by_name[name].name for name in names} or {c.name for c in available}
    return [chapter for chapter in available if chapter.name in wanted]


def _choice(chapter: Chapter) -> str:
    return f"{chapter.number} ({chapter.name})" if chapter.number else chapter.name


def notebook(cells: list[NotebookNode]) -> NotebookNode:
    """A notebook of these cells for Python."""
    kernel = {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"}
    metadata = {"kernelspec": kernel, "language_info": {"name": "python"}}
    return nbformat.v4.new_notebook(cells=cells, metadata=metadata)
