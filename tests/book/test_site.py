"""A small book with the extension that describes its pages and keeps them light."""

import subprocess
import sys
import xml.etree.ElementTree as ET

import nbformat
import pytest

from .conftest import ROOT, parse

PAGE = """# Title

:::{note}
Not this.
:::

A page about *one* thing & another. It goes on with words that nobody needs to see, since there is a
limit to what a search engine shows of a page, and this sentence is longer than that, by many a
word or more. So the rest of it is left out."""
WIDGETS = "application/vnd.jupyter.widget-state+json"
IMAGE = {"alt": 'Two "cups"', "classes": "dark-light plot"}
GRID = """from IPython.display import HTML
HTML('<div role="group" aria-label=""><img class="">grid</div>')"""


@pytest.fixture
def build(tmp_path):
    """Build the book strictly, at an address; returns the folder."""
    cells = [
        nbformat.v4.new_markdown_cell(PAGE),
        nbformat.v4.new_code_cell("1 + 1"),
        nbformat.v4.new_code_cell(GRID, metadata={"mystnb": {"image": IMAGE}}),
        nbformat.v4.new_code_cell("2 + 2", metadata={"tags": ["remove-cell"]}),
    ]
    cells[2].outputs = [
        nbformat.v4.new_output(
            "execute_result",
            {
                "text/html": '<div role="group" aria-label=""><img class="">grid</div>',
                "text/plain": "<HTML>",
            },
            execution_count=2,
        )
    ]
    metadata = {"language_info": {"name": "python"}, "widgets": {WIDGETS: {"state": {"a": {}}}}}
    notebook = nbformat.v4.new_notebook(cells=cells, metadata=metadata)
    nbformat.write(notebook, tmp_path / "index.ipynb")

    def run(address):
        lines = [
            f"import sys; sys.path.insert(0, {str(ROOT / 'book' / '_scripts')!r})",
            "extensions, nb_execution_mode = ['myst_nb', 'sphinx_design', 'pages'], 'off'",
            "nb_ipywidgets_js = {}",
            "myst_enable_extensions = ['colon_fence']",
            f"html_theme, html_baseurl = 'sphinx_book_theme', {address!r}",
        ]
        (tmp_path / "conf.py").write_text("\n".join(lines))
        out = tmp_path / "html"
        command = [sys.executable, "-m", "sphinx", "-q", "-W", str(tmp_path), str(out)]
        subprocess.run(command, check=True)
        return out

    return run


def tags(page):
    found = page.select("head meta[property], head meta[name=description]")
    return {tag.get("property") or tag["name"]: tag["content"] for tag in found}


def test_without_an_address(build):
    out = build("")
    page = parse(out / "index.html")
    assert tags(page) == {
        "description": "A page about one thing & another.",
        "og:title": "Title",
        "og:type": "article",
        "og:description": "A page about one thing & another.",
    }
    grid = page.select_one("[role=group]")
    assert grid["aria-label"] == IMAGE["alt"]
    assert grid.img["class"] == IMAGE["classes"].split()
    sources = [script.get("src", "") for script in page.select("script")]
    assert not [s for s in sources if "fontawesome" in s or "searchindex" in s or "thebe" in s]
    assert [s for s in sources if "bootstrap" in s]
    assert not page.select(f"script[type='{WIDGETS}'], link[href*=design], script[src*=design]")
    search = parse(out / "search.html")
    assert [s for s in search.select("script[src]") if "searchindex.js" in s["src"]]
    assert not (out / "sitemap.xml").exists()


def test_with_an_address(build):
    out = build("https://example.org/book/")
    image = tags(parse(out / "index.html"))["og:image"]
    assert image == "https://example.org/book/_static/readme.png"
    places = [element.text for element in ET.parse(out / "sitemap.xml").iter() if element.text]
    assert places == ["https://example.org/book/index.html"]
