"""Tables, and documents from templates that lie in the package."""

import jinja2
import pytest

from deqir_lite import _documents
from deqir_lite._documents import render, table, text_table


def test_a_bar_inside_a_cell_does_not_end_it():
    lines = table([["a|b"]], ["|e|"]).splitlines()
    assert [line.replace("\\|", "").count("|") for line in lines] == [2, 2, 2]


def test_numbers_stay_as_they_are_written():
    assert text_table([["1.50", "–"]], ["a", "b"]).split() == ["a", "b", "----", "---", "1.50", "–"]


def test_documents(monkeypatch):
    template = "{% if x %}\nx = {{ x }}\n{% endif %}\n\n\n\n{{ [['1']] | table(['n']) }}\n"
    loader = jinja2.DictLoader({"a.md": template})
    environment = _documents._environment.overlay(loader=loader)
    monkeypatch.setattr(_documents, "_environment", environment)
    assert render("a.md", x="<") == "x = <\n\n| n   |\n|:----|\n| 1   |\n"
    with pytest.raises(jinja2.UndefinedError, match="'x' is undefined"):
        render("a.md")
