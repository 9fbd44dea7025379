"""What makes the built pages a site that loads quickly.

* Each page is described by its first paragraph, for search engines and for cards in messages.
* What a page does not use is left out: MathJax where there is no formula; the cards and tabs of
  sphinx-design where there are none; Thebe, which needs a network; the state of live widgets, of
  which a page shows the picture; the icons as a script, which are there as a font as well; the
  index of the search on all pages but the search's.
* A grid of photos is described by what the metadata of its cell say, as other pictures are.
* Once the book has an address (``html_baseurl``), a sitemap, and a picture on the cards.
"""

import html
import re
from pathlib import Path
from typing import Any

import nbformat
from docutils import nodes
from sphinx.application import Sphinx

LONGEST = 200  # characters of a description that search engines show
CARD = "_static/readme.png"
WIDGETS = "application/vnd.jupyter.widget-state+json"
DESIGNED = re.compile(r'class="[^"]*\bsd-')  # what sphinx-design makes
UNUSED = re.compile(
    r'\s*<script [^>]*src="(?:[^"]*/)?'
    r'(?:fontawesome|searchtools|language_data|searchindex)\.js[^"]*"></script>'
)


def first_words(doctree: nodes.document) -> str:
    """The beginning of the first paragraph outside of boxes, in whole sentences if possible."""
    for paragraph in doctree.findall(nodes.paragraph):
        if isinstance(paragraph.parent, nodes.section):
            text = " ".join(paragraph.astext().split())
            if len(text) <= LONGEST:
                return text
            cut = text[:LONGEST].rpartition(". ")[0]
            return f"{cut}." if cut else f"{text[:LONGEST].rpartition(' ')[0]} ..."
    return ""


def describe(app: Sphinx, page: str, template: str, context: Any, doctree: Any) -> None:
    """Add the description of a page, and what a card in a message shows of it."""
    said = first_words(doctree) if doctree else ""
    facts = {"og:title": context.get("title", ""), "og:type": "article"}
    if said:
        facts["og:description"] = said
    if app.config.html_baseurl:
        facts["og:image"] = f"{app.config.html_baseurl.rstrip('/')}/{CARD}"
    tags = [f'<meta name="description" content="{html.escape(said)}" />'] if said else []
    tags += [
        f'<meta property="{name}" content="{html.escape(nodes.unescape(text))}" />'
        for name, text in facts.items()
    ]
    context["metatags"] = context.get("metatags", "") + "\n".join(tags)


def label_grids(app: Sphinx, doctree: nodes.document) -> None:
    """Give each grid of photos or panels the description in the metadata of its cell.

    Panels get the classes there, too, which say whether they follow a dark page.
    """
    source = Path(app.env.doc2path(app.env.docname))
    if source.suffix != ".ipynb":
        return
    cells = [
        cell
        for cell in nbformat.read(source, as_version=4).cells
        if cell.cell_type == "code"
        and cell.source.strip()
        and not {"remove-cell", "remove_cell"} & set(cell.metadata.get("tags", []))
    ]
    blocks = [n for n in doctree.findall(nodes.container) if "cell" in n["classes"]]
    described = [cell.metadata.get("mystnb", {}).get("image", {}) for cell in cells]
    if not any(described):
        return
    for image, block in zip(described, blocks, strict=True):
        for raw in block.findall(nodes.raw):
            text = raw.astext()
            for said, name in (('aria-label=""', "alt"), ('class=""', "classes")):
                text = text.replace(said, f'{said[:-1]}{html.escape(image.get(name, ""))}"')
            raw.children = [nodes.Text(text)]


def drop_unused(app: Sphinx, page: str, template: str, context: Any, doctree: Any) -> None:
    """Leave out what Jupyter Book adds to every page, and this one does not use."""
    unused = ["sphinx-thebe"]
    if not DESIGNED.search(context.get("body", "")):
        unused += ["sphinx-design", "design-tabs"]
    formulas = doctree is not None and any(
        True for kind in (nodes.math, nodes.math_block) for _ in doctree.findall(kind)
    )
    if not formulas:
        unused.append("mathjax/")
    for kind in ("script_files", "css_files"):
        context[kind] = [
            file
            for file in context.get(kind, [])
            if not any(name in str(file.filename) for name in unused)
            and "THEBE_JS_URL" not in file.attributes.get("body", "")
            and file.attributes.get("type") != WIDGETS
        ]


def finish(app: Sphinx, exception: Exception | None) -> None:
    """Drop what the theme loads on every page and the book needs on none; write the sitemap."""
    if exception or app.builder.format != "html":
        return
    folder = Path(app.outdir)
    for path in folder.rglob("*.html"):
        if path.name != "search.html":
            text = path.read_text(encoding="utf-8")
            path.write_text(UNUSED.sub("", text), encoding="utf-8")
    if app.config.html_baseurl:
        address = app.config.html_baseurl.rstrip("/")
        pages = sorted(app.builder.get_target_uri(page) for page in app.env.found_docs)
        entries = "".join(f"<url><loc>{address}/{html.escape(page)}</loc></url>" for page in pages)
        (folder / "sitemap.xml").write_text(
            '<?xml version="1.0" encoding="utf-8"?>\n'
            f'<urlset xmlns="http://www.sitemaps.org/schemas/sitemap/0.9">{entries}</urlset>\n'
        )


def setup(app: Sphinx) -> dict[str, Any]:
    """Connect the functions above."""
    app.connect("doctree-read", label_grids)
    app.connect("html-page-context", describe)
    app.connect("html-page-context", drop_unused, priority=900)
    app.connect("build-finished", finish, priority=900)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
