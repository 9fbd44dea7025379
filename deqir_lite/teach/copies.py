"""A chapter for students, without solutions, for instructors, with the lesson plan on top, and for
readers, as it stands in the book."""

from collections.abc import Callable
from copy import deepcopy

from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_markdown_cell

from deqir_lite.teach.names import defined, used
from deqir_lite.teach.notebooks import Chapter
from deqir_lite.teach.parts import Part, parts
from deqir_lite.teach.readable import Reader
from deqir_lite.teach.units import Unit


def student_cells(chapter: Chapter, reader: Reader) -> list[NotebookNode]:
    """The cells of the student's notebook.

    Solutions are left out. Where an exercise has a self-check before its solution, that is the
    place for the answer; else one cell takes the place of the solution: code that gives ``None`` to
    the names that its self-check asks for, or, where there is none, a place for words. Self-checks
    may fail without stopping "run all": they carry the tag "raises-exception". Raises ValueError
    for a self-check that asks for nothing that its solution defines.
    """
    found, cells = parts(chapter), []
    answered = _prepared(found)
    for part in found:
        if part.kind == "solution":
            if part.label not in answered:
                answered.add(part.label)
                cells.append(_stub(chapter, found, part))
        else:
            cells.append(_readable(part, reader))
        if part.kind == "self-check":
            cells[-1].metadata.tags = ["self-check", "raises-exception"]
    return cells


def instructor_cells(chapter: Chapter, reader: Reader, units: list[Unit]) -> list[NotebookNode]:
    """The plans of those ``units`` that teach this chapter, then the chapter.

    The code cells are those of the chapter, unchanged; solutions stand under a line that says so.
    """
    cells = [
        new_markdown_cell(
            f"**For the teacher**\n\n{unit.to_markdown()}", id=f"plan-unit-{unit.number}"
        )
        for unit in units
        if unit.chapter == chapter.name
    ]
    opened: set[str | None] = set()
    for part in parts(chapter):
        if part.kind == "solution" and part.label not in opened:
            opened.add(part.label)
            cells.append(new_markdown_cell("**Solution**", id=f"solution-{part.label}"[:64]))
        cells.append(_readable(part, reader))
    return cells


def reader_cells(chapter: Chapter, reader: Reader) -> list[NotebookNode]:
    """The page as it is in the book; what is folded away there is folded in JupyterLab too."""
    cells = instructor_cells(chapter, reader, [])
    for cell in cells:
        tags = set(cell.metadata.get("tags", []))
        folded = {
            "source_hidden": tags & {"hide-input", "hide-cell", "solution"},
            "outputs_hidden": tags & {"hide-output", "hide-cell"},
        }
        if cell.cell_type == "code" and any(folded.values()):
            cell.metadata.jupyter = {name: True for name, why in folded.items() if why}
    return cells


def _readable(part: Part, reader: Reader) -> NotebookNode:
    """A copy of a part, with its Markdown as JupyterLab shows it; code as it is."""
    cell = deepcopy(part.cell)
    if not part.is_code:
        cell.source = reader.read(cell.source)
    return cell


def _prepared(found: list[Part]) -> set[str | None]:
    """The exercises with a self-check, and so a place for the answer, before their solution."""
    solved: set[str | None] = set()
    prepared: set[str | None] = set()
    for part in found:
        if part.kind == "solution":
            solved.add(part.label)
        elif part.kind == "self-check" and part.label not in solved:
            prepared.add(part.label)
    return prepared


def _stub(chapter: Chapter, found: list[Part], first: Part) -> NotebookNode:
    own = [part for part in found if part.label == first.label and part.is_code]
    checks = [part.cell.source for part in own if part.kind == "self-check"]
    solved = [part.cell.source for part in own if part.kind == "solution"]
    cell_id = f"answer-{first.label}"[:64]
    if not checks:
        return new_markdown_cell("**Your answer:**", id=cell_id)
    names = _all(defined, solved) & _all(used, checks)
    if not names:
        raise ValueError(
            f"{chapter.name}: the self-check of {first.label!r} asks for no name that its "
            "solution defines"
        )
    lines = [f"{name} = None  # your answer" for name in sorted(names)]
    return new_code_cell("\n".join(lines), id=cell_id)


def _all(find: Callable[[str], set[str]], sources: list[str]) -> set[str]:
    return {name for source in sources for name in find(source)}
