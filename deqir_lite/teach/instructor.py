"""The instructor's version of a chapter: everything, with the lesson plan on top."""

from deqir_lite.teach.notebooks import Cell, Chapter, markdown_cell
from deqir_lite.teach.parts import parts
from deqir_lite.teach.readable import Reader
from deqir_lite.teach.student import readable
from deqir_lite.teach.units import Unit


def instructor_cells(chapter: Chapter, reader: Reader, units: list[Unit]) -> list[Cell]:
    """The plans of those ``units`` that teach this chapter, then the chapter.

    The code cells are those of the chapter, unchanged; solutions stand under a line that says so.
    """
    cells = [
        markdown_cell(f"**For the teacher**\n\n{unit.to_markdown()}", f"plan-unit-{unit.number}")
        for unit in units
        if unit.chapter == chapter.name
    ]
    opened: set[str | None] = set()
    for part in parts(chapter):
        if part.kind == "solution" and part.label not in opened:
            opened.add(part.label)
            cells.append(markdown_cell("**Solution**", f"solution-{part.label}"[:64]))
        cells.append(readable(part, reader))
    return cells
