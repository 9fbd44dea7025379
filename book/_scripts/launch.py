"""Binder and Colab, once repository.url is set in _config.yml; nothing of it before.

Binder installs the project from .binder/. Colab starts without it, so its button leads to a copy
of the notebook with one more cell in front, which installs it. The copies are written into the
built book, under colab/, and are found by Colab when the built book is published on the branch
gh-pages of the repository. The notebooks in book/ stay as they are.
"""

from pathlib import Path
from typing import Any

import nbformat
from sphinx.application import Sphinx
from sphinx.config import Config

PUBLISHED = "gh-pages"
FOLDER = "colab"


def drop_without_repository(app: Sphinx, config: Config) -> None:
    """Without an address there is nothing to launch."""
    if not config.html_theme_options.get("repository_url"):
        config.html_theme_options.pop("launch_buttons", None)


def lead_to_copies(app: Sphinx, page: str, template: str, context: Any, doctree: Any) -> None:
    """Let the Colab button of a page open the copy that installs the package."""
    for group in context.get("header_buttons", []):
        if group.get("label") == "launch-buttons":
            for button in group["buttons"]:
                if button["text"] == "Colab":
                    repository, _ = button["url"].split("/blob/")
                    button["url"] = f"{repository}/blob/{PUBLISHED}/{FOLDER}/{page}.ipynb"


def with_installation(notebook: nbformat.NotebookNode, url: str, branch: str) -> None:
    """Put a cell that installs the package in front of a notebook."""
    source = f'%pip install -q "deqir-lite[viz] @ git+{url}@{branch}"'
    notebook.cells.insert(0, nbformat.v4.new_code_cell(source, id="install"))


def write_copies(app: Sphinx, exception: Exception | None) -> None:
    """Write the copies for Colab beside the pages."""
    options = app.config.html_theme_options
    if exception or not options.get("launch_buttons", {}).get("colab_url"):
        return
    for page in app.env.found_docs:
        source = Path(app.env.doc2path(page))
        if source.suffix == ".ipynb":
            notebook = nbformat.read(source, as_version=4)
            url, branch = options["repository_url"], options.get("repository_branch", "main")
            with_installation(notebook, url, branch)
            target = Path(app.outdir) / FOLDER / f"{page}.ipynb"
            target.parent.mkdir(parents=True, exist_ok=True)
            nbformat.write(notebook, target)


def setup(app: Sphinx) -> dict[str, Any]:
    """Connect the functions above."""
    app.connect("config-inited", drop_without_repository)
    app.connect("html-page-context", lead_to_copies, priority=900)
    app.connect("build-finished", write_copies)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
