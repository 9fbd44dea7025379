"""Slides: in order, not overfull, without exercises, and without a network."""

import re
from functools import cache
from html.parser import HTMLParser
from types import SimpleNamespace

import pytest
from bs4 import BeautifulSoup
from nbformat.v4 import new_output

from deqir_lite.bundled import book_folder
from deqir_lite.teach.notebooks import chapters, notebooks
from deqir_lite.teach.outline import LINES, Section, blocks, height, outline
from deqir_lite.teach.readable import Reader, readers
from deqir_lite.teach.slides import slide_cells, slide_files, slide_page

from .conftest import code_cell, markdown_cell

EXTERNAL = re.compile(r"^\s*(https?:)?//", re.IGNORECASE)
LOADED = re.compile(r"(url\(|@import|\bfrom|\bimport\(?)\s*[\"']?(https?:)?//", re.IGNORECASE)


PAGES = notebooks()
BOOK = {chapter.name: chapter for chapter in chapters(PAGES)}


@pytest.fixture(autouse=True, scope="module")
def _the_book_is_read_once():
    with pytest.MonkeyPatch.context() as patch:
        known = readers(PAGES)
        patch.setattr("deqir_lite.teach.slides.notebooks", lambda: PAGES)
        patch.setattr("deqir_lite.teach.slides.readers", lambda book: known)
        yield


@cache
def files_of(name):
    """The slides of one chapter, and what they load."""
    return slide_files([name])


def test_blocks_keep_formulas_and_code_whole():
    text = "a\nb\n\n$$\nx\n\ny\n$$\n\n```python\n\nz\n```\n\n- one\n- two"
    assert list(blocks(text)) == [
        "a\nb",
        "$$\nx\n\ny\n$$",
        "```python\n\nz\n```",
        "- one\n- two",
    ]


def test_a_paragraph_that_leads_to_a_formula_stays_with_it():
    text = "Hence,\n\n$$\nx\n$$\n\nas before:\n\n- a list\n\nFinally,"
    assert list(blocks(text)) == ["Hence,\n\n$$\nx\n$$", "as before:", "- a list", "Finally,"]


def test_sections_become_columns(chapter):
    sections = outline(chapter, Reader("9", {}, {}))
    assert [section.title for section in sections] == ["", "Doubling", "End"]
    cells = [cell for section in sections for slide in section.slides for cell in slide]
    sources = [cell["source"] for cell in cells]
    assert "y = 2 * x" in "".join(sources)
    for skipped in ("half", "Halve", "Because"):
        assert skipped not in "".join(sources)


def test_long_sections_are_divided(chapter):
    words = "\n\n".join(f"Paragraph {i} " + "word " * 60 for i in range(12))
    chapter = type(chapter)(chapter.path, [markdown_cell(f"# T\n\n## Long\n\n{words}", "a")])
    slides = outline(chapter, Reader("9", {}, {}))[-1].slides
    assert len(slides) > 1
    for slide in slides:
        assert sum(map(height, slide)) <= LINES
    assert "".join(cell["source"] for slide in slides for cell in slide).count("Paragraph") == 12


def output(**content):
    return new_output("display_data", content)


@pytest.fixture(scope="module")
def sections():
    cell = code_cell("x = 1 < 2", "c", mystnb={"image": {"alt": 'Two "lines" & more'}})
    cell.outputs = [
        new_output("stream", name="stdout", text="a < b\n"),
        output(**{"image/png": "aGk=", "text/plain": "<Figure>"}),
        output(**{"text/html": "<table></table>", "image/png": "aGk="}),
    ]
    start = [markdown_cell("# T", "t")], [markdown_cell("First.", "f")]
    more = [markdown_cell("$a_1 < b_2$ and [a link](https://example.org)", "d")]
    return [Section("", list(start)), Section("$x_1$ & *y*", [[cell], more])]


def test_height_counts_outputs(sections):
    cell = sections[1].slides[0][0]
    assert height(cell) > 2 * height(code_cell("x = 1", "d"))


def test_cells_say_where_slides_begin(sections):
    cells = slide_cells("9. T", sections, {"$x_1$ & *y*": "Ask."})
    kinds = [cell["metadata"].get("slideshow", {}).get("slide_type") for cell in cells]
    assert kinds == ["slide", "subslide", None, "slide", "notes", None, "subslide", None]
    assert cells[1]["source"] == "9. T"
    assert cells[3]["source"] == "## $x_1$ & *y*"
    assert cells[6]["source"] == "$x_1$ & *y*"
    assert len({cell["id"] for cell in cells}) == len(cells)
    assert "slideshow" not in sections[0].slides[0][0]["metadata"], "the chapter stays as it is"


def test_a_page_has_columns_outputs_and_notes(sections):
    text = slide_page("9. T & U", sections, {"$x_1$ & *y*": "**Ask:** why?"})
    assert slide_page("9. T & U", sections, {"$x_1$ & *y*": "**Ask:** why?"}) == text
    page = BeautifulSoup(text, "html.parser")
    assert page.title.get_text() == "9. T & U slides"
    columns = page.select(".slides > section")
    assert [len(column.select("section")) for column in columns] == [2, 2]
    assert columns[0].select_one("h1").get_text() == "T"
    first, second = columns[1].select("section")
    assert first.select_one("h2").get_text() == "$x_1$ & y"
    assert first.select_one("aside.notes").get_text(strip=True) == "Ask:why?"
    assert not second.select("h2, aside")
    assert second.select_one(".celltag_running").get_text().strip() == "$x_1$ & y"
    assert "$a_1 < b_2$" in second.get_text()
    (picture,) = first.select("img")
    assert picture["alt"] == 'Two "lines" & more'
    assert picture["src"] == "data:image/png;base64,aGk="
    assert first.select_one(".jp-OutputArea pre").get_text() == "a < b\n"
    assert first.select_one(".highlight pre").get_text().strip() == "x = 1 < 2"
    assert len(first.select("table")) == 1
    assert not first.select(".jp-InputPrompt, .jp-OutputPrompt, .anchor-link")


def test_there_is_a_page_for_every_chapter(monkeypatch):
    monkeypatch.setattr("deqir_lite.teach.slides.slide_page", lambda *arguments: "")
    pages = {name for name in slide_files([]) if name.endswith(".html")}
    assert pages == {f"{name}.html" for name in BOOK}


class Page(HTMLParser):
    """The elements of a page in one pass: BeautifulSoup takes six times as long for its tree."""

    VOID = ("area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source")

    def __init__(self, text):
        super().__init__()
        self.elements, self._open = [], []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attributes):
        around = {element.tag for element in self._open}
        element = SimpleNamespace(tag=tag, attributes=dict(attributes), text="", around=around)
        self.elements.append(element)
        if tag not in self.VOID:
            self._open.append(element)

    def handle_endtag(self, tag):
        if any(element.tag == tag for element in self._open):
            while self._open.pop().tag != tag:
                pass

    def handle_data(self, data):
        program = self._open and self._open[-1].tag in ("script", "style")
        for element in self._open[-1:] if program else self._open:
            element.text += data

    def named(self, *tags):
        return [element for element in self.elements if element.tag in tags]


@pytest.mark.parametrize("name", BOOK)
def test_a_page_is_complete_and_loads_nothing_from_elsewhere(name):
    files, chapter = files_of(name), BOOK[name]
    page = Page(files[f"{name}.html"].decode())
    shown = [heading for heading in page.named("h2") if "section" in heading.around]
    assert len(shown) == len([s for s in chapter.sections if s != "Exercises"])
    assert page.named("h1")[0].text.endswith(chapter.title)
    addresses = [tag.attributes.get(k) for tag in page.elements for k in ("src", "href", "data")]
    links = {link.attributes.get("href") for link in page.named("a")}  # followed by choice
    assert len(set(filter(None, addresses)) - links) >= 5
    for address in set(filter(None, addresses)) - links:
        assert not EXTERNAL.match(address), address
        if not address.startswith("data:"):
            assert address in files, f"missing beside the slides: {address}"
    for tag in page.named("script", "style"):
        assert not LOADED.search(tag.text), tag.text[:200]
        assert tag.attributes.get("src") != ""
    (text,) = (element.text for element in page.named("html"))
    assert len(text) > 1000
    assert "solution-start" not in text
    assert "self_check(" not in text.replace("import self_check", "")


def test_what_the_pages_load_loads_nothing_from_elsewhere():
    files = files_of("15-checkpoints")
    for name, content in files.items():
        if name.endswith(".css"):
            text = re.sub(r"/\*.*?\*/", "", content.decode(), flags=re.DOTALL)
            assert not LOADED.search(text), name
    assert sum(len(c) for name, c in files.items() if name.startswith("assets/reveal/")) < 1_000_000


def test_bundled_scripts_come_with_their_licence():
    files = files_of("15-checkpoints")
    licence = files["assets/reveal/LICENSE"].decode()
    assert "Hakim El Hattab" in licence
    assert "Permission is hereby granted" in licence
    assert files["assets/mathjax/LICENSE"]


def test_outputs_come_from_executed_copies(tmp_path):
    name = "03-ddim-restoration"
    with pytest.raises(FileNotFoundError, match="executed: no file"):
        slide_files(["3"], executed=tmp_path)
    source = (book_folder() / f"{name}.ipynb").read_text()
    copy = tmp_path / f"{name}.ipynb"
    copy.write_text(source.replace('"outputs": []', '"outputs": [OUT]', 1).replace(
        "[OUT]", '[{"output_type": "stream", "name": "stdout", "text": ["forty-two"]}]'
    ))  # fmt: skip
    page = slide_files(["3"], executed=tmp_path)[f"{name}.html"].decode()
    assert page.count("forty-two") == 1
    copy.write_text(source.replace("import torch", "import numpy"))
    with pytest.raises(ValueError, match="not the chapter as it is now"):
        slide_files(["3"], executed=tmp_path)
