"""The chapters travel in the wheel, with all that the commands need."""

import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """The folder of an installed wheel."""
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    with zipfile.ZipFile(next(folder.glob("*.whl"))) as wheel:
        wheel.extractall(folder / "site")
    return folder / "site"


def test_the_book_is_complete(installed):
    book = installed / "deqir_lite" / "_data" / "book"
    wanted = [*(ROOT / "book").glob("*.ipynb"), ROOT / "book" / "references.bib"]
    for folder in ("_teach", "_assets/mathjax", "_assets/reveal"):
        wanted += [path for path in (ROOT / "book" / folder).rglob("*") if path.is_file()]
    for path in wanted:
        assert (book / path.relative_to(ROOT / "book")).read_bytes() == path.read_bytes()


def test_the_commands_work_without_a_checkout(installed, tmp_path):
    code = f"import sys; sys.path.insert(0, {str(installed)!r}); import runpy; "
    code += "runpy.run_module('deqir_lite.teach', run_name='__main__')"
    for command in ("student", "slides"):
        arguments = [sys.executable, "-c", code, command, str(tmp_path / command), "-c", "3"]
        subprocess.run(arguments, check=True, cwd=tmp_path, env=os.environ, capture_output=True)
    notebook = json.loads((tmp_path / "student" / "03-ddim-restoration.ipynb").read_text())
    assert notebook["nbformat"] == 4
    assert (tmp_path / "slides" / "assets" / "reveal" / "dist" / "reveal.js").is_file()
