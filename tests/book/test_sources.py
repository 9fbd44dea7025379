"""What can be checked in the sources of the book, before it is built."""

import re

import nbformat
import pytest

from .conftest import ROOT, notebooks, toc

MAX_LINES = 30


@pytest.fixture(params=notebooks())
def source(request):
    return nbformat.read(ROOT / f"{request.param}.ipynb", as_version=4)


def test_every_document_is_in_the_table_of_contents():
    book = ROOT / "book"
    on_disk = [*book.glob("*.ipynb"), *book.glob("*.md"), *book.glob("api/*.md")]
    names = {path.relative_to(ROOT).with_suffix("").as_posix() for path in on_disk}
    assert names == set(toc())
    assert len(on_disk) == len(toc()), "a notebook and a page have the same name"


def test_no_committed_outputs(source):
    for cell in source.cells:
        if cell.cell_type == "code":
            assert not cell.outputs, f"outputs in the cell {cell.source[:60]!r}"
            assert cell.execution_count is None


def test_cells_are_short(source):
    for cell in source.cells:
        if cell.cell_type == "code":
            lines = cell.source.count("\n") + 1
            assert lines <= MAX_LINES, f"{lines} lines in the cell {cell.source[:60]!r}"


def test_first_cell_is_the_title(source):
    first = source.cells[0]
    assert first.cell_type == "markdown"
    assert re.match(r"(\(.*\)=\n)?# \S", first.source)
    titles = [c for c in source.cells if c.cell_type == "markdown" and c.source.startswith("# ")]
    assert len(titles) <= 1, "one title per page"


def test_equations_have_labels_that_can_be_referred_to(source):
    for cell in source.cells:
        if cell.cell_type == "markdown":
            assert "\\label{" not in cell.source, "use $$ ... $$ (label); see CONTRIBUTING.md"


def test_r_is_the_residual_of_a_step_and_of_nothing_else(source):
    """What a sweep changes, F(X) - X, is d: r is no function of X and is not counted by sweeps."""
    for cell in source.cells:
        wrong = re.search(r"\\mathbf r\s*(=\s*F|&=\s*F|\(|\^)", cell.source)
        assert not wrong, cell.source[wrong.start() : wrong.start() + 60]


def test_bundled_scripts_come_with_their_licences():
    for name in ("book/_assets/mathjax", "tests/book/axe"):
        assert (ROOT / name / "LICENSE").stat().st_size > 1000
