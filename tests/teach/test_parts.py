"""Chapters come apart at their exercises, and nothing gets lost."""

from pathlib import Path

import pytest

from deqir_lite.teach.directives import Directive, pieces
from deqir_lite.teach.notebooks import Chapter, chapters, chosen
from deqir_lite.teach.parts import parts

from .conftest import code_cell, markdown_cell


def chapter_of(*cells):
    return Chapter(Path("09-test.ipynb"), [markdown_cell("# A test", "title"), *cells])


def test_pieces_of_a_text():
    text = "before\n\n```{exercise} Title $x$\n:label: ex-a\n:class: b\n\nbody\n\nmore\n```\nafter"
    before, directive, after = pieces(text)
    assert (before, after) == ("before", "after")
    assert isinstance(directive, Directive)
    assert (directive.name, directive.argument) == ("exercise", "Title $x$")
    assert directive.options == {"label": "ex-a", "class": "b"}
    assert directive.body == "body\n\nmore"
    assert directive.source in text


def test_a_longer_fence_holds_a_shorter_one():
    text = "::::{admonition} A\n:::{note}\ninner\n:::\nouter\n::::"
    (directive,) = pieces(text)
    assert directive.body == ":::{note}\ninner\n:::\nouter"


def test_code_blocks_are_text():
    text = "```python\n:::{note}\n```\n"
    assert list(pieces(text)) == [text.strip("\n")]


def test_a_directive_that_does_not_end():
    with pytest.raises(ValueError, match="not closed"):
        list(pieces("```{note}\nbody"))


def test_kinds_and_labels(chapter):
    found = [(part.kind, part.label, part.is_code) for part in parts(chapter)]
    assert found == [
        ("text", None, False),
        ("text", None, True),
        ("text", None, False),
        ("text", None, True),
        ("text", None, False),
        ("exercise", "ex-test-half", False),
        ("solution", "ex-test-half", False),
        ("solution", "ex-test-half", True),
        ("self-check", "ex-test-half", True),
        ("solution", "ex-test-half", False),
        ("exercise", "ex-words", False),
        ("solution", "ex-words", False),
        ("text", None, False),
        ("text", None, True),
    ]


def answered_before(label="ex-a", asked="ex-a"):
    """An exercise with a place for the answer before its solution."""
    return [
        markdown_cell(f"```{{exercise}} A\n:label: {asked}\n\nHow many?\n```", "e"),
        code_cell(f'n = ...\nself_check("{label}", n)', "check", tags=["self-check"]),
        markdown_cell(f"```{{solution-start}} {asked}\n```\n\nTwo.", "s"),
        code_cell(f'n = 2\nself_check("{asked}", n)', "solve", tags=["solution"]),
        markdown_cell("```{solution-end}\n```", "end"),
    ]


def test_a_self_check_may_stand_before_the_solution():
    found = parts(chapter_of(*answered_before()))
    assert [(part.kind, part.label) for part in found[1:]] == [
        ("exercise", "ex-a"),
        ("self-check", "ex-a"),
        ("solution", "ex-a"),
        ("solution", "ex-a"),
    ]


def test_code_is_untouched_and_text_complete(chapter):
    found = parts(chapter)
    code = [part.cell for part in found if part.is_code]
    assert code == [cell for cell in chapter.cells if cell["cell_type"] == "code"]
    text = "\n".join(part.cell["source"] for part in found if not part.is_code)
    for words in ("Before you start", "It is x again.", "no surprise", "Because.", "The end."):
        assert words in text
    assert "solution-start" not in text
    assert "solution-end" not in text
    ids = [part.cell["id"] for part in found]
    assert len(set(ids)) == len(ids)


@pytest.mark.parametrize(
    ("cells", "message"),
    [
        ([code_cell("a = 1", "a", tags=["solution"])], "outside of a solution"),
        ([markdown_cell("```{solution-start} ex-a\n```", "s")], "'ex-a' does not end"),
        (
            [markdown_cell("```{solution-start} ex-a\n```", "s"), code_cell("a = 1", "a")],
            "inside of the solution of 'ex-a'",
        ),
        (answered_before(label="ex-b"), r"checks \['ex-b'\]; expected .* 'ex-a'"),
        (answered_before()[2:3] + answered_before(asked="ex-b")[3:], "expected .* 'ex-a'"),
        ([code_cell('self_check("ex-a", 1)', "a", tags=["self-check"])], "expected .* None"),
        ([code_cell("n = 1", "a", tags=["self-check"])], r"checks \[\]"),
    ],
)
def test_broken_conventions(cells, message):
    with pytest.raises(ValueError, match=message):
        parts(chapter_of(*cells))


def test_title_and_sections(chapter):
    assert (chapter.number, chapter.name, chapter.title) == (9, "09-test", "A test")
    assert chapter.sections == ["Doubling", "Exercises", "End"]


def test_choosing_chapters():
    book = chapters()
    numbered = [c.number for c in book if c.number]
    assert numbered == sorted(numbered)
    assert [c.name for c in book[len(numbered) :]] == ["mutant-lab"]
    headings = [f"{numbered[-1]}. {book[-2].title}", f"A. {book[-1].title}"]
    assert [c.heading for c in book[-2:]] == headings
    assert chosen([], book) == book
    assert [c.number for c in chosen(["4", "03-ddim-restoration"], book)] == [3, 4]
    assert [c.number for c in chosen(["mutant-lab"], book)] == [0]
    with pytest.raises(ValueError, match=r"chapter: unknown value '77'.*4 \(04-proposition-1\)"):
        chosen(["77"], book)
