"""The built pages: complete, without errors, with real descriptions, and readable offline."""

import re
from collections.abc import Iterator
from functools import cache
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
from bs4 import BeautifulSoup, Tag

from .conftest import HTML, ROOT, executed, notebooks, parse, toc

EXTERNAL = re.compile(r"^(https?:)?//", re.IGNORECASE)
FILE_NAME = re.compile(r"^\S*[\w-]\.(png|svg|jpe?g|gif|webp)$", re.IGNORECASE)
# outputs that a page does not show
HIDDEN = ("remove-output", "remove_output", "remove-cell", "remove_cell")


# of a wider scope than a test: then all tests of one page follow each other
@pytest.fixture(scope="module", params=toc())
def page(request, html) -> BeautifulSoup:
    return parse(html / f"{request.param}.html")


@pytest.fixture(scope="module", params=notebooks())
def chapter(request, html) -> tuple[str, BeautifulSoup]:
    return request.param, parse(html / f"{request.param}.html")


def shown(cell) -> list:
    """The outputs of an executed cell that its page must show."""
    if set(HIDDEN) & set(cell.metadata.get("tags", [])):
        return []
    glued = "application/papermill.record"
    return [
        output
        for output in cell.outputs
        if "data" not in output or not all(mime.startswith(glued) for mime in output.data)
    ]


def text_of(outputs: list) -> list[str]:
    """The printed lines among outputs."""
    streams = [output.text for output in outputs if output.output_type == "stream"]
    return [line.strip() for text in streams for line in text.splitlines() if line.strip()]


class Anchors(HTMLParser):
    """Collects what the fragment of an address can name on a page."""

    def __init__(self) -> None:
        super().__init__()
        self.names: set[str | None] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.names |= {value for key, value in attrs if key == "id" or (tag, key) == ("a", "name")}


@cache
def anchors(path: Path) -> set[str | None]:
    """Without the tree of the page: links lead to the sources of hundreds of modules."""
    page = Anchors()
    page.feed(path.read_text(encoding="utf-8"))
    return page.names


def external(tag: Tag) -> Iterator[str]:
    """Addresses on other hosts that a browser would fetch for a tag."""
    wanted = {"link": ["href"], "object": ["data"], "image": ["href", "xlink:href"]}
    if tag.name == "link" and {"canonical", "license", "author"} & set(tag.get("rel", [])):
        return
    for attribute in [*wanted.get(tag.name, []), "src", "srcset", "poster"]:
        value = str(tag.get(attribute, ""))
        if any(EXTERNAL.match(part.strip()) for part in value.split(",")):
            yield value


def test_front_page_leads_to_the_book(html):
    assert f"{toc()[0]}.html" in (html / "index.html").read_text()


def test_page_has_a_title_and_text(page):
    article = page.find("article")
    assert article is not None
    assert article.find("h1") is not None
    assert len(article.get_text(" ", strip=True)) > 100


def test_a_page_is_described_by_its_beginning(page):
    (tag,) = page.select("head meta[name=description]")
    text = " ".join(page.find("article").get_text(" ").split())
    words = re.findall(r"\w{4,}", tag["content"])
    assert len(words) >= 5
    assert all(word in text for word in words)
    assert not re.search(r"\\\\|\$", tag["content"]), "a formula is no description"


def test_no_problem_left_in_the_page(page):
    assert not page.select(".system-message, .problematic")
    text = page.find("article").get_text(" ")
    for left_over in ("TODO", "FIXME", "{cite", "{ref}", "{eq}", "{numref}", "{prf:ref}"):
        assert left_over not in text


def test_every_output_is_in_the_page(chapter):
    name, page = chapter
    hidden = {"remove-cell", "remove_cell"}
    cells = [c for c in executed(name).cells if c.cell_type == "code" and c.source.strip()]
    cells = [c for c in cells if not hidden & set(c.metadata.get("tags", []))]
    blocks = page.select("div.cell")
    assert len(blocks) == len(cells)
    for cell, block in zip(cells, blocks, strict=True):
        start = cell.source[:60]
        assert cell.execution_count is not None, f"not executed: {start!r}"
        outputs = shown(cell)
        if not outputs:
            continue
        area = block.select_one(".cell_output")
        assert area is not None, f"no output of the cell {start!r}"
        rendered = area.select(".output, .admonition, img, script, table, figure")
        assert area.get_text(strip=True) or rendered, f"empty output of the cell {start!r}"
        text = area.get_text()
        for line in text_of(outputs):
            assert line in text, f"{line!r} is missing from the output of {start!r}"
        pictures = [o for o in outputs if "image/png" in o.get("data", {})]
        pictures = [o for o in pictures if "text/html" not in o.data]
        assert len(area.select("img, svg")) >= len(pictures), f"a picture is missing: {start!r}"


def test_no_errors_or_warnings_among_the_outputs(chapter):
    name, page = chapter
    assert not page.select(".cell_output .stderr"), "something was written to stderr"
    for cell in executed(name).cells:
        if cell.cell_type != "code":
            continue
        streams = [o for o in cell.outputs if o.output_type == "stream" and o.name == "stderr"]
        assert not streams, f"stderr: {streams[0].text[:200]!r}"
        if "raises-exception" not in cell.metadata.get("tags", []):
            assert not [o for o in cell.outputs if o.output_type == "error"], cell.source[:60]
    expected = page.select(".cell.tag_raises-exception .cell_output")
    for area in page.select(".cell_output"):
        if area not in expected:
            assert "Traceback (most recent call last)" not in area.get_text()


def test_printed_tables_fit_on_a_telephone(chapter):
    """On 390 pixels 56 letters have room. A longer sentence breaks, and columns would be torn."""
    name, _ = chapter
    for cell in executed(name).cells:
        if cell.cell_type != "code":
            continue
        printed = [output.text for output in shown(cell) if output.output_type == "stream"]
        for line in "".join(printed).splitlines():
            columns = re.search(r"\S {2,}[^\s#]", line)  # and no comment behind a line of code
            assert len(line) <= 56 or not columns, f"{len(line)} letters: {line}"


def test_chapter_ends_with_a_certificate(chapter):
    name, page = chapter
    if name == toc()[0]:
        return  # the index claims nothing
    assert page.select("article table.certificate tr"), "no certificate"


def test_images_are_described(page):
    images = page.select("article img")
    for image in images:
        alt = image.get("alt", "").strip()
        source = image.get("src", "")[:80]
        assert alt, f"no alternative text: {source}"
        assert not FILE_NAME.match(alt), f"a file name as alternative text: {alt}"
        assert len(alt) >= 10, f"alternative text says too little: {alt!r}"


def test_nothing_is_loaded_from_another_host(page):
    loaded = [address for tag in page.find_all(True) for address in external(tag)]
    assert not loaded
    styles = [tag.get_text() for tag in page.find_all("style")]
    styles += [str(tag["style"]) for tag in page.select("[style]")]
    for style in styles:
        assert not re.search(r"(url\(|@import)\s*[\"']?(https?:)?//", style)
    for script in page.select("script:not([src])"):
        # an inline script may name an address, but not add a script or a style from it
        assert not re.search(r"(src|href)\s*=\s*[\"'](https?:)?//", script.get_text())


def test_style_sheets_load_nothing_from_another_host(html):
    for path in html.rglob("*.css"):
        text = re.sub(r"/\*.*?\*/", "", path.read_text(encoding="utf-8"), flags=re.DOTALL)
        assert not re.search(r"(url\(|@import)\s*[\"']?(https?:)?//", text), path.name


def test_scripts_and_styles_exist(page, request, html):
    here = (html / f"{request.node.callspec.params['page']}.html").parent
    addresses = [tag["src"] for tag in page.select("script[src], img[src]")]
    addresses += [tag["href"] for tag in page.select("link[rel~=stylesheet], link[rel~=preload]")]
    for address in addresses:
        if not address.startswith("data:"):
            target = here / unquote(urlsplit(address).path)
            assert target.exists(), f"missing: {address}"


def weight(page: BeautifulSoup, path: Path) -> float:
    """MB of a page with all that a browser loads for it at once."""
    files = {tag["src"] for tag in page.select("script[src], img[src]")}
    files |= {tag["href"] for tag in page.select("link[rel~=stylesheet], link[rel~=preload]")}
    local = {path.parent / unquote(urlsplit(name).path) for name in files if "data:" not in name}
    # of the fonts in the theme's style sheet, the one with the icons is used
    local |= set(HTML.glob("_static/vendor/fontawesome/webfonts/fa-solid-900.woff2"))
    return (path.stat().st_size + sum(file.stat().st_size for file in local)) / 1e6


def test_a_page_loads_quickly(page, request, html):
    name = request.node.callspec.params["page"]
    assert weight(page, html / f"{name}.html") < (1.5 if name == toc()[0] else 4.0)


def test_internal_links_lead_somewhere(page, request, html):
    own = html / f"{request.node.callspec.params['page']}.html"
    for link in page.select("a[href]"):
        address = urlsplit(link["href"])
        if address.scheme or address.netloc or link["href"] in ("", "#"):
            continue
        target = (own.parent / unquote(address.path)).resolve() if address.path else own
        assert target.exists(), f"dead link: {link['href']}"
        if address.fragment and target.suffix == ".html":
            assert unquote(address.fragment) in anchors(target), f"dead anchor: {link['href']}"


def test_bibliography_leads_to_every_publication(html):
    dois = re.findall(r"\bdoi\s*=\s*[{\"](.+?)[}\"]", (ROOT / "book/references.bib").read_text())
    known = {f"https://doi.org/{doi}".lower() for doi in dois}
    entries = parse(html / "book" / "bibliography.html").select("article .citation")
    assert entries
    for entry in entries:
        links = [tag["href"] for tag in entry.select("a[href^='https://']")]
        assert links, f"no link: {entry.get_text(' ', strip=True)[:80]}"
        if "doi:" in entry.get_text():
            assert known & {link.lower() for link in links}, f"DOI without a link: {links}"


def test_mathematics_uses_the_local_copy(page):
    if page.select(".math"):
        sources = [tag["src"] for tag in page.select("script[src]")]
        assert any("_static/mathjax/tex-mml-chtml.js" in source for source in sources)


def test_every_notebook_was_executed_once():
    stamps = ROOT / ".nbexec" / "stamps.json"
    if not stamps.exists():
        pytest.skip("no chapter was executed; run `make book` or `make test`")
    for name in notebooks():
        counts = [c.execution_count for c in executed(name).cells if c.cell_type == "code"]
        counts = [count for count in counts if count is not None]
        assert counts == list(range(1, len(counts) + 1))
