"""The notebooks behind the buttons of a page, written as JupyterLab shows them well.

What only Sphinx understands, directives and references, is turned into plain Markdown. The button
that downloads a page as a notebook leads to such a copy. Binder and Colab are there once
repository.url is set in _config.yml. Binder installs the project from .binder/, whose postBuild
writes the copies. Colab starts without it, so its button leads to a copy with one more cell in
front, which installs it. These copies are written into the built book, under colab/, and are found
by Colab when the built book is published on the branch gh-pages of the repository. The notebooks in
book/ stay as they are.
"""

from pathlib import Path
from typing import Any

import nbformat
from sphinx.application import Sphinx
from sphinx.config import Config

from deqir_lite.teach.copies import reader_cells
from deqir_lite.teach.notebooks import notebook, read_chapter
from deqir_lite.teach.readable import readers

PUBLISHED = "gh-pages"
FOLDER = "colab"
BINDER = "notebooks"  # where .binder/postBuild writes the copies


def drop_without_repository(app: Sphinx, config: Config) -> None:
    """Without an address there is nothing to launch."""
    if not config.html_theme_options.get("repository_url"):
        config.html_theme_options.pop("launch_buttons", None)


def lead_to_copies(app: Sphinx, page: str, template: str, context: Any, doctree: Any) -> None:
    """Let the buttons of a page open the copies: in Colab the one that installs the package."""
    for group in context.get("header_buttons", []):
        if group.get("label") == "launch-buttons":
            for button in group["buttons"]:
                if button["text"] == "Colab":
                    repository, _ = button["url"].split("/blob/")
                    button["url"] = f"{repository}/blob/{PUBLISHED}/{FOLDER}/{page}.ipynb"
                elif button["text"] == "Binder":
                    session, _ = button["url"].split("?urlpath=")
                    name = page.rpartition("/")[2]
                    button["url"] = f"{session}?urlpath=lab/tree/{BINDER}/{name}.ipynb"


def with_installation(copy: nbformat.NotebookNode, url: str, branch: str) -> None:
    """Put a cell that installs the package in front of a notebook."""
    source = f'%pip install -q "deqir-lite[viz] @ git+{url}@{branch}"'
    copy.cells.insert(0, nbformat.v4.new_code_cell(source, id="install"))


def write_copies(app: Sphinx, exception: Exception | None) -> None:
    """Write the copies beside the pages."""
    if exception or app.builder.format != "html":
        return
    paths = {page: Path(app.env.doc2path(page)) for page in sorted(app.env.found_docs)}
    pages = {page: read_chapter(path) for page, path in paths.items() if path.suffix == ".ipynb"}
    reader = readers(list(pages.values()), fold=True)
    options, folder = app.config.html_theme_options, Path(app.outdir)
    for page, chapter in pages.items():
        copy = notebook(reader_cells(chapter, reader[chapter.name]))
        download = folder / "_sources" / f"{page}.ipynb"
        if download.exists():
            nbformat.write(copy, download)
        if options.get("launch_buttons", {}).get("colab_url"):
            with_installation(
                copy, options["repository_url"], options.get("repository_branch", "main")
            )
            target = folder / FOLDER / f"{page}.ipynb"
            target.parent.mkdir(parents=True, exist_ok=True)
            nbformat.write(copy, target)


def setup(app: Sphinx) -> dict[str, Any]:
    """Connect the functions above."""
    app.connect("config-inited", drop_without_repository)
    app.connect("html-page-context", lead_to_copies, priority=900)
    app.connect("build-finished", write_copies)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
