"""A small book with an appendix, whose pages have letters."""

import subprocess
import sys

import pytest

from .conftest import ROOT, parse

INDEX = """# Front

```{toctree}
:caption: Chapters
:numbered: 1

one
```

```{toctree}
:caption: Appendices

lab
notes
```
"""
PAGE = """# Page

## Section

$$
x
$$ (NAME-x)

:::{prf:theorem}
:label: thm-NAME

True.
:::

:::{table} Numbers
:name: tab-NAME

| a |
|---|
| 1 |
:::

{eq}`NAME-x`, {prf:ref}`thm-NAME`, {numref}`tab-NAME`, {eq}`lab-x`.
"""


@pytest.fixture(scope="module")
def book(tmp_path_factory):
    folder = tmp_path_factory.mktemp("letters")
    (folder / "index.md").write_text(INDEX)
    for name in ("one", "lab", "notes"):
        (folder / f"{name}.md").write_text(PAGE.replace("NAME", name))
    lines = [
        f"import sys; sys.path.insert(0, {str(ROOT / 'book' / '_scripts')!r})",
        "extensions = ['myst_parser', 'sphinx_proof', 'sphinx_multitoc_numbering', 'letters']",
        "myst_enable_extensions = ['colon_fence', 'dollarmath']",
        "html_theme, numfig, math_numfig = 'sphinx_book_theme', True, True",
        "numfig_secnum_depth = 1",
    ]
    (folder / "conf.py").write_text("\n".join(lines))
    command = [sys.executable, "-m", "sphinx", "-q", "-W", str(folder), str(folder / "html")]
    subprocess.run(command, check=True)
    return folder / "html"


@pytest.mark.parametrize(("name", "mark"), [("one", "1"), ("lab", "A"), ("notes", "B")])
def test_numbers_by_chapter_or_letter(book, name, mark):
    article = parse(book / f"{name}.html").find("article")
    assert article.h1.text.startswith(f"{mark}. Page")
    assert article.h2.text.startswith("Section")
    assert article.select_one(".eqno").text.startswith(f"({mark}.1)")
    assert f"Theorem {mark}.1" in article.select_one(".proof").text
    said = article.find_all("p")[-1].text
    assert said == f"({mark}.1), Theorem {mark}.1, Table {mark}.1, (A.1)."


def test_letters_in_the_table_of_contents(book):
    entries = [link.text.strip() for link in parse(book / "index.html").select("nav a.internal")]
    assert {"1. Page", "A. Page", "B. Page"} <= set(entries)
