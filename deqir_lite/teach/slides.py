"""Slides of a chapter as one reveal.js page that needs no network.

nbconvert makes the page from a notebook of slides; slides.html.j2 holds what we change of its
template. The scripts (reveal.js, MathJax) come from the book's own copies and lie beside the pages.
"""

from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

from deqir_lite.teach.notebooks import (
    Cell,
    Chapter,
    book_folder,
    chapters,
    chosen,
    markdown_cell,
    notebook_bytes,
    read_chapter,
)
from deqir_lite.teach.outline import Section, outline
from deqir_lite.teach.readable import Reader, citations, targets
from deqir_lite.teach.units import Unit, load_units

ASSETS = ("reveal", "mathjax")
"""Folders of book/_assets that the slides load from; copied to assets/ beside them."""

_TEMPLATE = Path(__file__).with_name("slides.html.j2")
_SHOWN = ["text/html", "image/png", "text/plain"]  # the first of these that an output has


def slide_files(names: list[str], executed: Path | None = None) -> dict[str, bytes]:
    """File name -> content: a page for each chapter named (all when none is), and the scripts.

    With ``executed``, a folder with executed copies of the chapters, the slides show their
    outputs. Raises FileNotFoundError where a copy is missing, ValueError where its code is not the
    chapter's or nbconvert is not installed.
    """
    book, root = chapters(), book_folder()
    labels, cited, units = targets(book), citations(root / "references.bib"), load_units()
    files: dict[str, bytes] = {}
    for chapter in chosen(names, book):
        shown = chapter if executed is None else _with_outputs(chapter, executed)
        sections = outline(shown, Reader(chapter.number, labels, cited))
        page = slide_page(f"{chapter.number}. {chapter.title}", sections, _notes(chapter, units))
        files[f"{chapter.name}.html"] = page.encode()
    for folder in ASSETS:
        place = root / "_assets" / folder
        for path in sorted(p for p in place.rglob("*") if p.is_file()):
            files[f"assets/{path.relative_to(root / '_assets').as_posix()}"] = path.read_bytes()
    return files


def slide_cells(title: str, sections: Sequence[Section], notes: dict[str, str]) -> list[Cell]:
    """The notebook of slides: cells that say in their metadata where a slide begins.

    A section begins a "slide" under its heading, with "notes" for the speaker (``notes``: title of
    a section -> text); where it goes on, a "subslide" begins under the running title.
    """
    found: list[Cell] = []
    for column, section in enumerate(sections):
        for row, cells in enumerate(section.slides):
            name = f"slide-{column}-{row}"
            top = [markdown_cell(section.title or title, name, tags=["running"])]
            if row == 0:
                top = [markdown_cell(f"## {section.title}", name)] if section.title else []
                if section.title in notes:
                    note = markdown_cell(notes[section.title], f"{name}-notes")
                    top.append(_typed(note, "notes"))
            shown = [*top, *cells]
            shown[0] = _typed(shown[0], "subslide" if row else "slide")
            found += shown
    return found


def slide_page(title: str, sections: Sequence[Section], notes: dict[str, str]) -> str:
    """The HTML of one chapter; ``notes`` as for :func:`slide_cells`."""
    exporter = _exporter()
    import nbformat  # there when nbconvert is

    notebook = nbformat.reads(notebook_bytes(slide_cells(title, sections, notes)), as_version=4)
    notebook.metadata["title"] = title
    page, _ = exporter.from_notebook_node(notebook)
    return str(page)


@cache
def _exporter() -> Any:
    """nbconvert's exporter, with every address that it would load from set to the copies."""
    try:
        from nbconvert import SlidesExporter
    except ImportError as error:
        raise ValueError("slides: need nbconvert; install deqir-lite[book]") from error
    from traitlets.config import Config

    return SlidesExporter(
        config=Config(NbConvertBase={"display_data_priority": _SHOWN}),
        template_file=str(_TEMPLATE),
        reveal_url_prefix="assets/reveal",
        mathjax_url="assets/mathjax/tex-mml-chtml.js",
        reveal_theme="slides",
        reveal_width="1100",
        reveal_height="720",
        reveal_number="c/t",
        exclude_input_prompt=True,
        exclude_output_prompt=True,
        exclude_anchor_links=True,
        jquery_url="",
        require_js_url="",
        mermaid_js_url="",
        mermaid_layout_elk_js_url="",
        jupyter_widgets_base_url="",
        font_awesome_url="",
    )


def _typed(cell: Cell, slide_type: str) -> Cell:
    return cell | {"metadata": cell["metadata"] | {"slideshow": {"slide_type": slide_type}}}


def _notes(chapter: Chapter, units: Sequence[Unit]) -> dict[str, str]:
    return {
        stage.section: f"{stage.minutes} minutes. **Show:** {stage.show} **Ask:** {stage.ask}"
        for unit in units
        if unit.chapter == chapter.name
        for stage in unit.stages
    }


def _with_outputs(chapter: Chapter, folder: Path) -> Chapter:
    path = Path(folder) / chapter.path.name
    if not path.is_file():
        raise FileNotFoundError(f"executed: no file {str(path)!r}")
    copy = read_chapter(path)
    if [cell["source"] for cell in copy.cells] != [cell["source"] for cell in chapter.cells]:
        raise ValueError(f"executed: {str(path)!r} is not the chapter as it is now; run it again")
    return copy
