"""The built book: its pages, and the executed notebooks that they were made from."""

from functools import cache
from pathlib import Path

import nbformat
import pytest
import yaml
from bs4 import BeautifulSoup

ROOT = Path(__file__).resolve().parents[2]
HTML = ROOT / "_build" / "html"
EXECUTED = ROOT / ".nbexec"


def toc() -> list[str]:
    """The documents of the book in reading order, without suffix."""
    tree = yaml.safe_load((ROOT / "_toc.yml").read_text())
    chapters = [entry for part in tree["parts"] for entry in part["chapters"]]
    pages = [[entry, *entry.get("sections", [])] for entry in chapters]
    return [tree["root"], *(page["file"] for entry in pages for page in entry)]


def notebooks() -> list[str]:
    """Those documents of the book that are notebooks."""
    return [name for name in toc() if (ROOT / f"{name}.ipynb").exists()]


@cache
def parse(path: Path) -> BeautifulSoup:
    return BeautifulSoup(path.read_text(encoding="utf-8"), "html.parser")


@cache
def executed(name: str) -> nbformat.NotebookNode:
    return nbformat.read(EXECUTED / f"{Path(name).name}.ipynb", as_version=4)


@pytest.fixture(scope="session")
def html() -> Path:
    if not (HTML / "index.html").exists():
        pytest.skip("the book is not built; run `make book` or `make test`")
    return HTML
