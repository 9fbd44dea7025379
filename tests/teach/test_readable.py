"""What only Sphinx understands reads well in JupyterLab."""

import re
from pathlib import Path

import pytest
import yaml

from deqir_lite.bundled import book_folder
from deqir_lite.teach.notebooks import APPENDICES, Chapter, notebooks
from deqir_lite.teach.readable import Reader, Target, citations, readers, targets

from .conftest import markdown_cell

LATER = """# Later

$$
a
$$ (ch10-a)

```{exercise} Aside
:label: ex-aside
:nonumber:

Not counted.
```

```{exercise}
:label: ex-later

Counted.
```

:::{prf:theorem}
:label: thm-later

True.
:::"""


@pytest.fixture
def read(chapter):
    labels = targets([chapter]) | {"paper-eq-9": Target("(4.3)", "4")}
    return Reader("9", labels, {"cao2024deqir": ("Cao et al.", "2024")}).read


def test_admonition(read, chapter):
    text = read(chapter.cells[0]["source"])
    assert text.startswith(
        "# 9. A test\n\nFirst words.\n\n> **Before you start**\n>\n> **You need**"
    )
    assert "> **You need** (9.1) and $x$." in text


def test_theorem_equation_and_references(read, chapter):
    text = read(chapter.cells[2]["source"])
    assert text.startswith("## Doubling\n")
    assert "$$\ny = 2x \\tag{9.1}\n$$" in text
    assert "**Theorem 9.1 (Even).** $y$ is even, by (9.1)." in text
    assert "*Proof.* It is twice something (Cao et al., 2024). ∎" in text
    assert text.endswith("Theorem 9.1, “Doubling”, (4.3), Exercise 9.2.")


def test_exercise(read, chapter):
    exercise = chapter.cells[4]["source"].split("```{solution-start}")[0]
    assert "### Exercise 9.1 (Halve)\n\nWhat is half of y?" in read(exercise)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("{cite:t}`cao2024deqir` say", "Cao et al. (2024) say"),
        ("{cite:p}`cao2024deqir,other`", "(Cao et al., 2024; other, )"),
        ("{doc}`chapter 3 <03-ddim>`", "chapter 3"),
        ("{ref}`the claim <thm-even>`", "the claim"),
        ("{ref}`nowhere`", "nowhere"),
        ("{math}`x^2` {kbd}`Ctrl`", "$x^2$ Ctrl"),
        (":::{note}\nMind.\n:::", "> **Note**\n>\n> Mind."),
        ("```{math}\n:label: ch9-other\ny\n```", "$$\ny\n$$"),
        ("```{image} a.png\n:alt: A picture\n```", "![A picture](a.png)"),
        (":::{tip}\n$$\nx\n$$\n:::", "**Tip**\n\n$$\nx\n$$"),
        ("`{eq}` and {x}", "`{eq}` and {x}"),
        ("`{eq}` or `x`, not {eq}`ch9-double`", "`{eq}` or `x`, not (9.1)"),
        ("the {doc}`chapter\nthree <03-ddim>`", "the chapter three"),
        ("```python\n{eq}`ch9-double`\n```", "```python\n{eq}`ch9-double`\n```"),
        ("> $$\n> y\n> $$ (ch9-double)", "> $$\n> y \\tag{9.1}\n> $$"),
    ],
)
def test_other_roles_and_directives(read, text, expected):
    assert read(text) == expected


def test_numbers_are_those_of_the_built_book(chapter):
    """Exercises, theorems and equations are numbered by chapter."""
    later = Chapter(Path("10-later.ipynb"), [markdown_cell(LATER, "a")])
    found = targets([chapter, later])
    assert found["ex-later"] == Target("Exercise 10.1", "10")
    assert found["thm-later"] == Target("Theorem 10.1", "10")
    assert found["ch10-a"] == Target("(10.1)", "10")
    assert "ex-aside" not in found


def test_an_appendix_counts_with_its_letter(chapter):
    text = "# Lab\n\n$$\na\n$$ (lab-a)\n\n{eq}`lab-a`, {eq}`ch9-double`"
    lab = Chapter(Path("mutant-lab.ipynb"), [markdown_cell(text, "a")])
    labels = targets([chapter, lab])
    read = Reader(lab.mark, labels, {}).read(text)
    assert read == "# A. Lab\n\n$$\na \\tag{A.1}\n$$\n\n(A.1), (9.1)"
    assert lab.heading == "A. Lab"


def test_the_books_citations():
    cited = citations(book_folder() / "references.bib")
    assert cited["cao2024deqir"] == ("Cao et al.", "2024")
    assert cited["walker2011anderson"] == ("Walker and Ni", "2011")
    assert cited["arbelaez2011bsds"] == ("Arbeláez et al.", "2011")
    assert all(re.fullmatch(r"\d{4}", year) for _, year in cited.values())


def test_the_letters_are_those_of_the_table_of_contents():
    if not (toc := book_folder().parent / "_toc.yml").exists():
        pytest.skip("no source checkout")
    parts = yaml.safe_load(toc.read_text())["parts"]
    assert not parts[-1].get("numbered")
    files = [entry["file"] for entry in parts[-1]["chapters"]]
    assert files[: len(APPENDICES)] == [f"book/{name}" for name in APPENDICES]


def test_boxes_fold_where_they_do_in_the_book():
    text = ":::{admonition} What came out\n:class: note dropdown\n\n$x$ is it.\n:::"
    expected = "<details><summary><b>What came out</b></summary>\n\n$x$ is it.\n\n</details>"
    assert Reader("9", {}, {}, fold=True).read(text) == expected
    assert Reader("9", {}, {}).read(text) == "> **What came out**\n>\n> $x$ is it."


def test_nothing_of_sphinx_is_left_in_any_notebook():
    book = notebooks()
    for chapter, reader in zip(book, readers(book).values(), strict=True):
        for cell in chapter.cells:
            if cell["cell_type"] == "markdown":
                text = reader.read(cell["source"])
                where = f"{chapter.name}: {cell['source'][:60]!r}"
                assert not re.search(r"^(`{3,}|:{3,})\{", text, re.MULTILINE), where
                assert not re.search(r"\{[\w:-]+\}`", text), where
                assert not re.search(r"\$\$[ \t]*\([\w-]+\)", text), where


def test_every_reference_in_the_book_is_known():
    book = notebooks()
    labels = targets(book)
    pattern = re.compile(r"\{(?:eq|ref|numref|prf:ref)\}`([^`<]+)`")
    for chapter in book:
        for cell in chapter.cells:
            if cell["cell_type"] == "markdown":
                for label in pattern.findall(cell["source"]):
                    assert label in labels, f"{chapter.name}: {label}"
