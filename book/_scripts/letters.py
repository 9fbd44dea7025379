"""Appendices have letters where chapters have numbers: Appendix A, Figure A.1, (A.2).

Sphinx numbers the pages of numbered tables of contents. Those of the others in the front page get
the letters A, B, ... here, in their titles and in front of all that is counted by chapter; without
that, their figures and equations would be counted through.
"""

import string
from typing import Any

from docutils import nodes
from sphinx import addnodes
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment
from sphinx.environment.collectors.toctree import TocTreeCollector


def appendices(env: BuildEnvironment) -> list[str]:
    """The pages in the unnumbered tables of contents of the front page, in order."""
    trees = env.get_doctree(env.config.root_doc).findall(addnodes.toctree)
    entries = [entry for tree in trees if not tree.get("numbered") for entry in tree["entries"]]
    return [page for _, page in entries if page in env.tocs]


def give_letters(app: Sphinx, env: BuildEnvironment) -> list[str]:
    """Number the appendices, and once more all that is counted by chapter; all pages changed."""
    pages = appendices(env)
    for letter, page in zip(string.ascii_uppercase, pages, strict=False):
        numbers: dict[str, Any] = {}
        for reference in env.tocs[page].findall(nodes.reference):
            own = reference["anchorname"] == ""  # the title, not a section
            numbers[reference["anchorname"]] = (letter,) if own else None
            reference["secnumber"] = [letter] if own else None
        env.toc_secnumbers[page] = numbers
        env.titles[page]["secnumber"] = [letter]
    return [*pages, *TocTreeCollector().assign_figure_numbers(env)]


def setup(app: Sphinx) -> dict[str, Any]:
    """Connect the function above, after Sphinx has numbered the chapters."""
    app.connect("env-get-updated", give_letters, priority=600)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
