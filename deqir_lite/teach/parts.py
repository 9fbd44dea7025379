"""Take a chapter apart: text, exercises, solutions, self-checks.

In a chapter an exercise is a directive, and its solution lies between two more, across cells:

    ```{exercise} Title           text of the exercise
    ```{solution-start} ex-name   prose and code cells tagged "solution"
                                  then a code cell tagged "self-check"
    ```{solution-end}
"""

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
    of one that is not tagged "solution" or "self-check", or a tagged cell outside.
    """
    found: list[Part] = []
    label: str | None = None  # of the solution that is open
    for cell in chapter.cells:
        if cell.cell_type == "code":
            found.append(_code_part(chapter, cell, label))
            continue
        for number, piece in enumerate(pieces(cell.source, names=_PLACES)):
            if isinstance(piece, str):
                kind, text, owner = "solution" if label else "text", piece, label
            elif piece.name == "exercise":
                kind, text, owner = "exercise", piece.source, piece.label
            else:
                label = piece.argument if piece.name == "solution-start" else None
                continue
            name = f"{cell.id}-{number}" if number else cell.id
            part = new_markdown_cell(text, id=name[:64], metadata=cell.metadata)
            found.append(Part(kind, part, owner))
    if label is not None:
        raise ValueError(f"{chapter.name}: the solution of {label!r} does not end")
    return found


def _code_part(chapter: Chapter, cell: NotebookNode, label: str | None) -> Part:
    tags = cell.metadata.get("tags", [])
    marked = [tag for tag in tags if tag in ("solution", "self-check")]
    if (label is None) == bool(marked) or len(marked) > 1:
        place = f"inside of the solution of {label!r}" if label else "outside of a solution"
        raise ValueError(
            f"{chapter.name}: the cell {cell.source[:40]!r} {place} is tagged {tags}; "
            'expected one of "solution" and "self-check" inside, none outside'
        )
    return Part(marked[0] if marked else "text", cell, label)
