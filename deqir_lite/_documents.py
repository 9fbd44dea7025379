"""Markdown documents from their templates, and the tables in them."""

import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import jinja2
from tabulate import tabulate

from deqir_lite._files import printable


def table(rows: Iterable[Sequence[str]], header: Sequence[str]) -> str:
    """A table in Markdown; a | inside a cell is escaped."""
    escaped = [[cell.replace("|", "\\|") for cell in row] for row in (header, *rows)]
    sides = ["left"] * len(header)
    return tabulate(escaped[1:], escaped[0], tablefmt="pipe", disable_numparse=True, colalign=sides)


def text_table(rows: Iterable[Sequence[str]], header: Sequence[str]) -> str:
    """The table for a terminal."""
    return tabulate([*rows], header, tablefmt="simple", disable_numparse=True)


def render(template: str, **facts: Any) -> str:
    """The document that the file ``template``, relative to the package, makes of ``facts``.

    Blank lines that follow each other become one. Raises jinja2.UndefinedError when a fact is
    missing, and what formatting raises when one is of another kind.
    """
    text = _environment.get_template(template).render(facts)
    return printable(re.sub(r"\n{3,}", "\n\n", text).strip()) + "\n"


_environment = jinja2.Environment(
    loader=jinja2.FileSystemLoader(Path(__file__).parent),
    undefined=jinja2.StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
    autoescape=False,
)
_environment.filters["table"] = table
