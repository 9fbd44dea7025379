"""Take a chapter apart: text, exercises, solutions, self-checks.

In a chapter an exercise is a directive, then comes a place for the reader's answer, and the
solution lies between two more directives, across cells:

    ```{exercise} Title           text of the exercise
                                  a code cell tagged "self-check", with a placeholder:
                                  answer = ...  # yours
                                  self_check("ex-name", answer)
    ```{solution-start} ex-name   prose and code cells tagged "solution", which define the answer
                                  and end with the same self_check("ex-name", answer)
    ```{solution-end}

(A self-check may also be the last cell of the solution. Then it has no placeholder.)
"""

import re
from dataclasses import dataclass

from nbformat import NotebookNode
from nbformat.v4 import new_markdown_cell

from deqir_lite.teach.directives import pieces
from deqir_lite.teach.notebooks import Chapter

KINDS = ("text", "exercise", "solution", "self-check")
"""What a part of a chapter can be."""

_PLACES = ("exercise", "solution-start", "solution-end")


@dataclass(frozen=True)
class Part:
    """One cell, or a piece of a Markdown cell, and what it is.

    ``kind`` is one of :data:`KINDS`; ``label`` names the exercise that all but text belong to.
    """

    kind: str
    cell: NotebookNode
    label: str | None = None

    @property
    def is_code(self) -> bool:
        """Whether it is a code cell."""
        return bool(self.cell.cell_type == "code")


def parts(chapter: Chapter) -> list[Part]:
    """All parts of a chapter in order. Code cells are the chapter's own, unchanged.

    Raises ValueError where the conventions are broken: a solution that does not end, a cell inside
    of one that is not tagged "solution" or "self-check", a cell outside that is tagged "solution",
    or a self-check that does not belong to the exercise before it.
    """
    found: list[Part] = []
    label: str | None = None  # of the solution that is open
    asked: str | None = None  # the exercise before
    for cell in chapter.cells:
        if cell.cell_type == "code":
            found.append(_code_part(chapter, cell, label, asked))
            continue
        for number, piece in enumerate(pieces(cell.source, names=_PLACES)):
            if isinstance(piece, str):
                kind, text, owner = "solution" if label else "text", piece, label
            elif piece.name == "exercise":
                kind, text, owner = "exercise", piece.source, piece.label
                asked = piece.label
            else:
                label = piece.argument if piece.name == "solution-start" else None
                continue
            name = f"{cell.id}-{number}" if number else cell.id
            part = new_markdown_cell(text, id=name[:64], metadata=cell.metadata)
            found.append(Part(kind, part, owner))
    if label is not None:
        raise ValueError(f"{chapter.name}: the solution of {label!r} does not end")
    return found


def _code_part(chapter: Chapter, cell: NotebookNode, label: str | None, asked: str | None) -> Part:
    tags = cell.metadata.get("tags", [])
    marked = [tag for tag in tags if tag in ("solution", "self-check")]
    if len(marked) > 1 or (not marked if label else marked == ["solution"]):
        place = f"inside of the solution of {label!r}" if label else "outside of a solution"
        raise ValueError(
            f"{chapter.name}: the cell {cell.source[:40]!r} {place} is tagged {tags}; "
            'expected one of "solution" and "self-check" inside, "self-check" or none outside'
        )
    owner = label or (asked if marked else None)
    checked = re.findall(r"\bself_check\(\s*\"([^\"]+)\"", cell.source)
    if marked and (marked == ["self-check"] or checked) and checked != [owner]:
        raise ValueError(
            f"{chapter.name}: the cell {cell.source[:40]!r} checks {checked}; "
            f"expected the exercise that it belongs to, {owner!r}"
        )
    return Part(marked[0] if marked else "text", cell, owner)
