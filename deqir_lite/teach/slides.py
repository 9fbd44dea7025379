"""Slides of a chapter as one reveal.js page that needs no network.

nbconvert makes the page from a notebook of slides; slides.html.j2 holds what we change of its
template. The scripts (reveal.js, MathJax) come from the book's own copies and lie beside the pages.
"""

from collections.abc import Sequence
from copy import deepcopy
from functools import cache
from pathlib import Path

from nbconvert import SlidesExporter
from nbformat import NotebookNode
from nbformat.v4 import new_markdown_cell
from traitlets.config import Config

from deqir_lite.bundled import book_folder
from deqir_lite.teach.notebooks import Chapter, chapters, chosen, notebook, notebooks, read_chapter
from deqir_lite.teach.outline import Section, outline
from deqir_lite.teach.readable import readers
from deqir_lite.teach.units import Unit, load_units

ASSETS = ("reveal", "mathjax")
"""Folders of book/_assets that the slides load from; copied to assets/ beside them."""

_TEMPLATE = Path(__file__).with_name("slides.html.j2")
_SHOWN = ["text/html", "image/png", "text/plain"]  # the first of these that an output has


def slide_files(names: list[str], *, executed: Path | None = None) -> dict[str, bytes]:
    """File name -> content: a page for each chapter named (all when none is), and the scripts.

    With ``executed``, a folder with executed copies of the chapters, the slides show their
    outputs. Raises FileNotFoundError where a copy is missing, ValueError where its code is not the
    chapter's.
    """
    book, root, units = notebooks(), book_folder(), load_units()
    reader = readers(book)
    files: dict[str, bytes] = {}
    for chapter in chosen(names, chapters(book)):
        shown = chapter if executed is None else _with_outputs(chapter, executed)
        sections = outline(shown, reader[chapter.name])
        page = slide_page(chapter.heading, sections, _notes(chapter, units))
        files[f"{chapter.name}.html"] = page.encode()
    for folder in ASSETS:
        place = root / "_assets" / folder
        for path in sorted(p for p in place.rglob("*") if p.is_file()):
            files[f"assets/{path.relative_to(root / '_assets').as_posix()}"] = path.read_bytes()
    return files


def slide_cells(
    title: str, sections: Sequence[Section], notes: dict[str, str]
) -> list[NotebookNode]:
    """The notebook of slides: cells that say in their metadata where a slide begins.

    A section begins a "slide" under its heading, with "notes" for the speaker (``notes``: title of
    a section -> text); where it goes on, a "subslide" begins under the running title.
    """
    found: list[NotebookNode] = []
    for column, section in enumerate(sections):
        for row, cells in enumerate(section.slides):
            name = f"slide-{column}-{row}"
            running = {"tags": ["running"]}
            top = [new_markdown_cell(section.title or title, id=name, metadata=running)]
            if row == 0:
                top = [new_markdown_cell(f"## {section.title}", id=name)] if section.title else []
                if section.title in notes:
                    note = new_markdown_cell(notes[section.title], id=f"{name}-notes")
                    top.append(_typed(note, "notes"))
            shown = [*top, *cells]
            shown[0] = _typed(shown[0], "subslide" if row else "slide")
            found += shown
    return found


def slide_page(title: str, sections: Sequence[Section], notes: dict[str, str]) -> str:
    """The HTML of one chapter; ``notes`` as for :func:`slide_cells`."""
    page = notebook(slide_cells(title, sections, notes))
    page.metadata.title = title
    return str(_exporter().from_notebook_node(page)[0])


@cache
def _exporter() -> SlidesExporter:
    """nbconvert's exporter, with every address that it would load from set to the copies."""
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


def _typed(cell: NotebookNode, slide_type: str) -> NotebookNode:
    typed = deepcopy(cell)
    typed.metadata.slideshow = {"slide_type": slide_type}
    return typed


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
    if [cell.source for cell in copy.cells] != [cell.source for cell in chapter.cells]:
        raise ValueError(f"executed: {str(path)!r} is not the chapter as it is now; run it again")
    return copy
