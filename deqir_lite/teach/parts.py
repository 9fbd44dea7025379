"""Take a chapter apart: text, exercises, solutions, self-checks.

In a chapter an exercise is a directive, and its solution lies between two more, across cells:

    ```{exercise} Title           text of the exercise
    ```{solution-start} ex-name   prose and code cells tagged "solution"
                                  then a code cell tagged "self-check"
    ```{solution-end}
"""

from collections.abc import Iterator
from dataclasses import dataclass

from deqir_lite.teach.directives import Directive, pieces
from deqir_lite.teach.notebooks import Cell, Chapter, markdown_cell, tags

KINDS = ("text", "exercise", "solution", "self-check")
"""What a part of a chapter can be."""


@dataclass(frozen=True)
class Part:
    """One cell, or a piece of a Markdown cell, and what it is.

    ``kind`` is one of :data:`KINDS`; ``label`` names the exercise that all but text belong to.
    """

    kind: str
    cell: Cell
    label: str | None = None

    @property
    def is_code(self) -> bool:
        """Whether it is a code cell."""
        return bool(self.cell["cell_type"] == "code")


def parts(chapter: Chapter) -> list[Part]:
    """All parts of a chapter in order. Code cells are the chapter's own, unchanged.

    Raises ValueError where the conventions are broken: a solution that does not end, a cell inside
    of one that is not tagged "solution" or "self-check", or a tagged cell outside.
    """
    found: list[Part] = []
    label: str | None = None
    for cell in chapter.cells:
        if cell["cell_type"] == "code":
            found.append(_code_part(chapter, cell, label))
            continue
        for number, (kind, text, at) in enumerate(_split(cell["source"], label)):
            label = at
            if text:
                suffix = f"-{number}" if number else ""
                source = markdown_cell(text, f"{cell['id']}{suffix}"[:64], **cell["metadata"])
                owner = label if kind == "solution" else _exercise_label(text, kind)
                found.append(Part(kind, source, owner))
    if label is not None:
        raise ValueError(f"{chapter.name}: the solution of {label!r} does not end")
    return found


def _code_part(chapter: Chapter, cell: Cell, label: str | None) -> Part:
    marked = [tag for tag in tags(cell) if tag in ("solution", "self-check")]
    if (label is None) == bool(marked) or len(marked) > 1:
        place = f"inside of the solution of {label!r}" if label else "outside of a solution"
        raise ValueError(
            f"{chapter.name}: the cell {cell['source'][:40]!r} {place} is tagged {tags(cell)}; "
            'expected one of "solution" and "self-check" inside, none outside'
        )
    return Part(marked[0] if marked else "text", cell, label)


def _split(text: str, label: str | None) -> Iterator[tuple[str, str, str | None]]:
    """(kind, text, label of the solution that is open after it); empty text where one opens."""
    together: list[str] = []
    for piece in [*pieces(text), None]:
        name = piece.name if isinstance(piece, Directive) else ""
        special = piece is None or name in ("exercise", "solution-start", "solution-end")
        if not special:
            together.append(piece.source if isinstance(piece, Directive) else str(piece))
            continue
        if together:
            yield ("text" if label is None else "solution"), "\n\n".join(together), label
            together = []
        if isinstance(piece, Directive) and name == "exercise":
            yield "exercise", piece.source, label
        elif isinstance(piece, Directive):
            label = piece.argument if name == "solution-start" else None
            yield "solution", "", label


def _exercise_label(text: str, kind: str) -> str | None:
    if kind != "exercise":
        return None
    return next((p.label for p in pieces(text) if isinstance(p, Directive)), None)
