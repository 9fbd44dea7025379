"""Every equation of the paper that is used has its label, function and test, and no link is loose.

Read from the sources: no test is run for it, and the book need not be built.
"""

import json
import sys

import pytest

from .conftest import ROOT, parse

sys.path.insert(0, str(ROOT / "book" / "_scripts"))
import ledger

TABLE = """
[2]
says = "Noise."

[8]
says = "Map."

[9]
says = "All states."

[13]
says = "Slope."
reason = "Background."

["Alg. 1"]
says = "Solver."
"""
PAGE = "# A\n\n$$\nx\n$$ (paper-eq-2)\n\n"
PAGE += ":::{prf:algorithm} Solve\n:label: paper-alg-1\n\nRepeat.\n:::\n"
CELL = "> $$\n> y\n> $$ (paper-eq-9)\n\nas in {eq}`paper-eq-2`, not $$ (paper-eq-13) in a line\n"
MODULE = '''
def forward():
    """Noise (Eq. 2)."""

class Chain:
    """Quoted, "Eq. 13", is an example; equation 13 of another paper is not meant."""

    def sweep(self):
        """Eqs. 8 to 9, in Alg. 1."""

    def _private(self):
        """Eq. 13."""
'''
TESTS = """
import pytest

@pytest.mark.equation("2")
def test_forward(): ...

@pytest.mark.parametrize("x", [1])
@pytest.mark.equation("9", "8", "Alg. 1")
def test_sweep(x): ...
"""


@pytest.fixture
def project(tmp_path):
    """A small project with a complete ledger."""
    for folder in ("book", "deqir_lite/parts", "tests/parts"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "equations.toml").write_text(TABLE)
    (tmp_path / "book" / "a.md").write_text(PAGE + "\n```{math}\n:label: paper-eq-8\nz\n```\n")
    code = {"cell_type": "code", "source": "# $$ (paper-eq-13)", "metadata": {}, "outputs": []}
    text = {"cell_type": "markdown", "source": CELL, "metadata": {}}
    notebook = {"cells": [text, code | {"execution_count": None}], "metadata": {}}
    (tmp_path / "book" / "03-b.ipynb").write_text(
        json.dumps(notebook | {"nbformat": 4, "nbformat_minor": 4})
    )
    (tmp_path / "deqir_lite" / "parts" / "chain.py").write_text(MODULE)
    (tmp_path / "tests" / "parts" / "test_chain.py").write_text(TESTS)
    return tmp_path


def problems(project):
    return ledger.problems(ledger.collect(project, project / "equations.toml"))


def replace(path, old, new):
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def test_the_ledger_of_the_book_is_complete():
    entries = ledger.collect(ROOT)
    assert not ledger.problems(entries)
    known = {*range(1, 14), "Alg. 1", "Alg. 2"}
    assert set(entries) == known, "the paper has Eqs. 1 to 13 and two algorithms"
    assert list(entries)[-2:] == ["Alg. 1", "Alg. 2"]


def test_a_complete_ledger(project):
    entries = ledger.collect(project, project / "equations.toml")
    assert not ledger.problems(entries)
    assert entries[2].labels == ["book/a"]
    assert entries[9].labels == ["book/03-b"]
    assert entries[2].objects == [("func", "deqir_lite.parts.chain.forward")]
    assert entries[9].objects == [("meth", "deqir_lite.parts.chain.Chain.sweep")]
    assert entries[8].tests == ["tests/parts/test_chain.py::test_sweep"]
    assert entries[13] == ledger.Entry("Slope.", "Background.")
    assert entries["Alg. 1"].labels == ["book/a"]
    assert entries["Alg. 1"].objects == entries[9].objects
    assert entries["Alg. 1"].tests == entries[9].tests


@pytest.mark.parametrize(
    ("file", "old", "new", "message"),
    [
        ("book/a.md", "(paper-eq-2)", "", "Eq. 2: no label"),
        ("book/a.md", "(paper-eq-2)", "(paper-eq-4)", "Eq. 4: not in equations.toml"),
        ("book/a.md", "(paper-eq-2)", "(paper-eq-9)", "Eq. 9: labelled more than once"),
        ("deqir_lite/parts/chain.py", "(Eq. 2)", "", "Eq. 2: no function"),
        ("deqir_lite/parts/chain.py", "(Eq. 2)", "(Eqs. 2, 4)", "Eq. 4: not in equations.toml"),
        ("deqir_lite/parts/chain.py", "(Eq. 2)", "(Eqs. 2 and 13)", "Eq. 13: equations.toml has"),
        ("tests/parts/test_chain.py", '@pytest.mark.equation("2")', "", "Eq. 2: no test"),
        ("tests/parts/test_chain.py", '"2"', '"2", "7"', "Eq. 7: not in equations.toml"),
        ("tests/parts/test_chain.py", ', "Alg. 1"', "", "Alg. 1: no test"),
        ("book/a.md", "paper-alg-1", "paper-alg-7", "Alg. 7: not in equations.toml"),
        ("deqir_lite/parts/chain.py", ", in Alg. 1", "", "Alg. 1: no function"),
        ("tests/parts/test_chain.py", '"2"', '"2", "13"', "Eq. 13: equations.toml has a reason"),
        ("equations.toml", 'reason = "Background."', "", "Eq. 13: no label"),
        ("equations.toml", 'says = "Noise."', 'says = "N"\nreason = "None."', "Eq. 2: equations"),
    ],
)
def test_a_missing_link_is_noticed(project, file, old, new, message):
    replace(project / file, old, new)
    assert any(problem.startswith(message) for problem in problems(project))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("x (Eq. 9).", {9}),
        ("Eqs. 8 to 11", {8, 9, 10, 11}),
        ("Eqs. 8-11", {8, 9, 10, 11}),
        ("Eqs. 8, 9 and 11", {8, 9, 11}),
        ("Eqs. 2, 3, and 5", {2, 3, 5}),
        ("Eqs. 8\nto 11", {8, 9, 10, 11}),
        ("update below Eq. 5 and step 7", {5}),
        ("Algorithm 2 with the loss of Eq. 12", {"Alg. 2", 12}),
        ('Alg. 1 and "Alg. 2"', {"Alg. 1"}),
        ('for example "Eq. 11"', set()),
        ("equation 9 of another paper", set()),
    ],
)
def test_how_docstrings_name_equations(text, expected):
    assert ledger.numbers(text) == expected


def test_the_page_shows_every_link(html):
    page = parse(html / "book" / "ledger.html")
    text = page.find("article").get_text(" ", strip=True)
    targets = {tag["href"].split("#")[-1] for tag in page.select("article a[href]")}
    for number, entry in ledger.collect(ROOT).items():
        assert (number if isinstance(number, str) else f"[paper {number}]") in text
        assert entry.says in text
        if entry.reason:
            assert entry.reason in text
        for _, name in entry.objects:
            assert {name, f"module-{name}"} & targets, name
        for test in entry.tests:
            assert test.split("::")[1] in text
        if entry.labels:
            anchor = f"equation-paper-eq-{number}"
            if isinstance(number, str):
                anchor = f"paper-alg-{number.removeprefix('Alg. ')}"
            assert anchor in targets
