"""Docstrings reach the API page as they were meant."""

import importlib.util

import pytest

from .conftest import ROOT


@pytest.fixture(scope="module")
def plain():
    path = ROOT / "book" / "_scripts" / "book_extension.py"
    spec = importlib.util.spec_from_file_location("book_extension", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.plain


def test_mathematics_is_not_markup(plain):
    assert plain(["y = w / |w|^2, x* and x_."]) == [r"y = w / \|w\|^2, x\* and x\_."]


def test_code_and_roles_stay(plain):
    line = "see ``|x|``, ``x_``, :func:`solve` and * nothing else"
    assert plain([line]) == [line.replace("* nothing", r"\* nothing")]


def test_bullets_stay(plain):
    lines = ["* one", "  and more", "* two"]
    assert plain(lines) == lines


def test_indented_lines_are_shown_as_they_stand(plain):
    lines = ["The sum is", "    |x| = 1", "for all x."]
    assert plain(lines) == ["The sum is", "", "::", "", "    |x| = 1", "", "for all x."]


def test_sections_are_left_to_napoleon(plain):
    lines = [
        "Sum.",
        "",
        "Args:",
        "    x: a number,",
        "        or two.",
        "",
        "Raises:",
        "    E: no.",
    ]
    assert plain(lines) == lines
