"""Binder and Colab: shown with a repository, and only then."""

import json
import subprocess
import sys
from functools import cache

import nbformat
import pytest
import yaml

from .conftest import ROOT, parse

TEXT = """# Title

:::{note}
Mind {eq}`first`.
:::

$$
x
$$ (first)"""
READABLE = """# Title

> **Note**
>
> Mind (1).

$$
x \\tag{1}
$$"""
URL = "https://github.com/someone/deqir-lite"
CONFIG = yaml.safe_load((ROOT / "_config.yml").read_text())


@pytest.fixture(scope="module")
def build(tmp_path_factory):
    """Build a book of one notebook, strictly; returns its launch addresses and its folder."""
    book = tmp_path_factory.mktemp("book")
    cells = [nbformat.v4.new_markdown_cell(TEXT), nbformat.v4.new_code_cell("1 + 1")]
    metadata = {"language_info": {"name": "python"}}
    notebook = nbformat.v4.new_notebook(cells=cells, metadata=metadata)
    nbformat.write(notebook, book / "index.ipynb")

    @cache
    def run(url):
        options = {
            "repository_url": url,
            "repository_branch": "main",
            "launch_buttons": CONFIG["launch_buttons"],
        }
        lines = [
            f"import sys; sys.path.insert(0, {str(ROOT / 'book' / '_scripts')!r})",
            "myst_enable_extensions = ['colon_fence', 'dollarmath']",
            "extensions, nb_execution_mode = ['myst_nb', 'launch'], 'off'",
            f"html_theme, html_theme_options = 'sphinx_book_theme', {options!r}",
        ]
        (book / "conf.py").write_text("\n".join(lines))
        out = tmp_path_factory.mktemp("html")
        command = [sys.executable, "-m", "sphinx", "-q", "-W", str(book), str(out)]
        subprocess.run(command, check=True)
        links = [tag["href"] for tag in parse(out / "index.html").select("a[href]")]
        return [link for link in links if "binder" in link or "colab" in link], out

    return run


def test_nothing_without_a_repository(build):
    links, out = build("")
    assert links == []
    assert not (out / "colab").exists()


def test_buttons_with_a_repository(build):
    links, out = build(URL)
    assert links == [
        "https://mybinder.org/v2/gh/someone/deqir-lite/main?urlpath=lab/tree/notebooks/index.ipynb",
        "https://colab.research.google.com/github/someone/deqir-lite/blob/gh-pages"
        "/colab/index.ipynb",
    ]
    copy = json.loads((out / "colab" / "index.ipynb").read_text())
    first, *others = copy["cells"]
    assert "".join(first["source"]) == f'%pip install -q "deqir-lite[viz] @ git+{URL}@main"'
    assert ["".join(cell["source"]) for cell in others] == [READABLE, "1 + 1"]
    nbformat.validate(copy)


def test_the_notebook_behind_the_download_button_reads_well(build):
    _, out = build("")
    (button,) = parse(out / "index.html").select("a[href$='.ipynb']")
    copy = nbformat.read(out / button["href"], as_version=4)
    assert [cell.source for cell in copy.cells] == [READABLE, "1 + 1"]


def test_binder_writes_the_copies_that_its_button_opens():
    script = ROOT / ".binder" / "postBuild"
    assert script.stat().st_mode & 0o111, "repo2docker runs it"
    assert "deqir-lite teach notebooks notebooks\n" in script.read_text()


def test_the_book_uses_the_extension():
    assert "launch" in CONFIG["sphinx"]["local_extensions"]
    assert {"url", "branch"} <= set(CONFIG["repository"])


def test_binder_installs_the_project_with_the_pinned_versions():
    environment = yaml.safe_load((ROOT / ".binder" / "environment.yml").read_text())
    (pip,) = [entry["pip"] for entry in environment["dependencies"] if isinstance(entry, dict)]
    assert "-c ../constraints.txt" in pip
    assert "-e ..[book]" in pip
