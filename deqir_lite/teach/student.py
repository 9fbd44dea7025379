"""The student's version of a chapter: exercises without their solutions."""

from collections.abc import Callable

from deqir_lite.teach.names import defined, used
from deqir_lite.teach.notebooks import Cell, Chapter, code_cell, markdown_cell
from deqir_lite.teach.parts import Part, parts
from deqir_lite.teach.readable import Reader


def student_cells(chapter: Chapter, reader: Reader) -> list[Cell]:
    """The cells of the student's notebook.

    Each solution is replaced by one cell: code that gives ``None`` to the names that its self-check
    asks for, or, where there is none, a place for words. Self-checks may fail without stopping
    "run all": they carry the tag "raises-exception". Raises ValueError for a self-check that asks
    for nothing that its solution defines.
    """
    found, cells = parts(chapter), []
    answered: set[str | None] = set()
    for part in found:
        if part.kind == "solution":
            if part.label not in answered:
                answered.add(part.label)
                cells.append(_stub(chapter, found, part))
        elif part.kind == "self-check":
            metadata = part.cell["metadata"] | {"tags": ["self-check", "raises-exception"]}
            cells.append(part.cell | {"metadata": metadata})
        else:
            cells.append(readable(part, reader))
    return cells


def readable(part: Part, reader: Reader) -> Cell:
    """A part with its Markdown as JupyterLab shows it; code as it is."""
    return part.cell if part.is_code else part.cell | {"source": reader.read(part.cell["source"])}


def _stub(chapter: Chapter, found: list[Part], first: Part) -> Cell:
    own = [part for part in found if part.label == first.label and part.is_code]
    checks = [part.cell["source"] for part in own if part.kind == "self-check"]
    solved = [part.cell["source"] for part in own if part.kind == "solution"]
    cell_id = f"answer-{first.label}"[:64]
    if not checks:
        return markdown_cell("**Your answer:**", cell_id)
    names = _all(defined, solved) & _all(used, checks)
    if not names:
        raise ValueError(
            f"{chapter.name}: the self-check of {first.label!r} asks for no name that its "
            "solution defines"
        )
    lines = [f"{name} = None  # your answer" for name in sorted(names)]
    return code_cell("\n".join(lines), cell_id)


def _all(find: Callable[[str], set[str]], sources: list[str]) -> set[str]:
    return {name for source in sources for name in find(source)}
