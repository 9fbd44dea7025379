"""Students get everything but the solutions, and what they get runs."""

import re
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

from deqir_lite.teach import Hint, self_check
from deqir_lite.teach.copies import instructor_cells, student_cells
from deqir_lite.teach.names import defined, used
from deqir_lite.teach.notebooks import Chapter, chapters, notebook
from deqir_lite.teach.parts import parts
from deqir_lite.teach.readable import Reader, readers
from deqir_lite.teach.units import load_units

from .conftest import code_cell, markdown_cell
from .test_parts import answered_before

BOOK = chapters()


@pytest.fixture(scope="module")
def reader_for():
    known = readers(BOOK)
    return lambda chapter: known.get(chapter.name, Reader(chapter.mark, {}, {}))


def code(cells):
    return [cell["source"] for cell in cells if cell["cell_type"] == "code"]


def as_notebook(cells):
    made = notebook(cells)
    nbformat.validate(made)
    return made


def run(cells):
    made = as_notebook(cells)
    NotebookClient(made, timeout=300, allow_errors=True).execute()
    return made


def failing(made):
    return [
        cell
        for cell in made.cells
        if any(output.output_type == "error" for output in cell.get("outputs", []))
    ]


def test_stubs_take_the_place_of_solutions(chapter, reader_for):
    cells = student_cells(chapter, reader_for(chapter))
    sources = [cell["source"] for cell in cells]
    at = sources.index("half = None  # your answer")
    assert "### Exercise" in sources[at - 1]
    assert sources[at + 1] == 'self_check("ex-test-half", half)'
    assert cells[at + 1].metadata.tags == ["self-check", "raises-exception"]
    assert sources.count("**Your answer:**") == 1
    text = "\n".join(sources)
    for secret in ("x again", "y // 2", "unused", "no surprise", "Because", "solution"):
        assert secret not in text
    assert "The end." in text


def test_a_place_for_the_answer_before_the_solution_stays(reader_for):
    cells = [markdown_cell("# A test", "title"), *answered_before()]
    chapter = Chapter(Path("09-test.ipynb"), cells)
    copy = student_cells(chapter, reader_for(chapter))
    assert [cell["source"] for cell in copy[2:]] == ['n = ...\nself_check("ex-a", n)']
    assert copy[-1].metadata.tags == ["self-check", "raises-exception"]
    assert len(instructor_cells(chapter, reader_for(chapter), [])) == 6


def test_three_dots_are_no_answer(capsys):
    self_check("ex-luma", ...)
    assert capsys.readouterr().out.startswith("No answer yet.")
    with pytest.raises(Hint, match="placeholder"):
        self_check("ex-luma", None)


def test_a_check_that_asks_for_nothing_from_the_solution():
    cells = [
        markdown_cell("# A test", "title"),
        markdown_cell("```{solution-start} ex-a\n```", "s"),
        code_cell("a = 1", "a", tags=["solution"]),
        code_cell('self_check("ex-a", b)', "b", tags=["self-check"]),
        markdown_cell("```{solution-end}\n```", "e"),
    ]
    with pytest.raises(ValueError, match="'ex-a' asks for no name"):
        student_cells(Chapter(Path("09-test.ipynb"), cells), Reader("9", {}, {}))


def test_names():
    source = "import a.b as c, d.e\nf, (g, *h) = 1, (2, 3)\n"
    source += "for i in k: j = [m for m in n]\ndef o(p):\n    q = r\n    return q\n"
    source += "class S: t = v\nu: int = 1\nw = lambda x: x + y + len(z)"
    assert defined(source) == set("cdfghijoSuw")
    assert used(source) == set("knrvyz")


@pytest.mark.parametrize("chapter", BOOK, ids=lambda chapter: chapter.name)
def test_every_chapter_converts(chapter, reader_for):
    found = parts(chapter)
    cells = student_cells(chapter, reader_for(chapter))
    as_notebook(cells)
    hidden = {part.cell["source"] for part in found if part.kind == "solution"}
    assert not hidden & {cell["source"] for cell in cells}
    kept = [part.cell["source"] for part in found if part.is_code and part.kind != "solution"]
    assert [source for source in code(cells) if "= None  # your answer" not in source] == kept
    exercises = {part.label for part in found if part.kind == "exercise"}
    assert None not in exercises
    solved = {part.label for part in found if part.kind == "solution"}
    assert exercises == solved, "an exercise without a solution, or the reverse"


@pytest.mark.parametrize("chapter", BOOK, ids=lambda chapter: chapter.name)
def test_what_a_solution_defines_is_not_needed_outside(chapter):
    """Follow each name through the chapter: who gave it its value last?"""
    owner = {}
    for part in parts(chapter):
        if not part.is_code:
            continue
        source = re.sub(r"^[%!].*$", "", part.cell["source"], flags=re.MULTILINE)
        for name in used(source) - defined(source):
            label = owner.get(name)
            assert label in (None, part.label), f"{name!r} comes from the solution of {label!r}"
        for name in defined(source):
            owner[name] = part.label if part.kind == "solution" else None


@pytest.mark.parametrize("chapter", BOOK, ids=lambda chapter: chapter.name)
def test_instructors_get_the_chapter_that_ci_executes(chapter, reader_for):
    cells = instructor_cells(chapter, reader_for(chapter), load_units())
    as_notebook(cells)
    own = [cell for cell in cells if cell["cell_type"] == "code"]
    assert own == [cell for cell in chapter.cells if cell["cell_type"] == "code"]
    text = "\n".join(cell["source"] for cell in cells)
    assert text.count("**Solution**") == len(
        {part.label for part in parts(chapter) if part.kind == "solution"}
    )


def test_a_plan_comes_first(reader_for):
    units = load_units()
    planned = {unit.chapter for unit in units}
    for chapter in BOOK:
        cells = instructor_cells(chapter, reader_for(chapter), units)
        first = cells[0]["source"]
        assert first.startswith("**For the teacher**") == (chapter.name in planned)


def test_running_a_small_chapter(chapter, reader_for):
    """CI executes the chapters themselves; this one is executed as instructors get it."""
    check = "from deqir_lite.teach.checking import Hint, exercise\n"
    check += '@exercise("ex-test-half")\ndef check(half):\n'
    check += '    if half != 3: raise Hint("No.")\n    return "Yes."'
    first = code_cell(check, "register")
    chapter = Chapter(chapter.path, [chapter.cells[0], first, *chapter.cells[1:]])
    made = run(instructor_cells(chapter, reader_for(chapter), []))
    assert not failing(made)
    outputs = [o.text for cell in made.cells for o in cell.get("outputs", []) if "text" in o]
    assert outputs == ["y = 6\n", "\N{CHECK MARK} Yes.\n", "6.0\n"]


def test_running_a_chapter_of_the_book(reader_for):
    """The student's version runs to its end; where an answer is due, it says so."""
    chapter = next(c for c in BOOK if c.number == 1)  # the fastest
    made = run(student_cells(chapter, reader_for(chapter)))
    assert not failing(made)
    waiting = [cell for cell in made.cells if "self-check" in cell.metadata.get("tags", [])]
    assert len(waiting) == sum(part.kind == "self-check" for part in parts(chapter)) > 0
    for cell in waiting:
        assert cell.outputs[-1].text.startswith("No answer yet.")
