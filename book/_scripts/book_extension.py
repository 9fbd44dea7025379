"""What the book needs of Sphinx beyond its configuration.

Docstrings are plain text with mathematics, not markup:

* Outside of ``code`` and roles, ``|``, ``*`` and trailing underscores mean themselves.
* Indented lines after a sentence are shown as they stand: equations.
* A name without its module leads to the only object of this name in the package.
* Functions that a class got from another library are left out.
"""

import gc
import inspect
import re
from typing import Any

from docutils.nodes import Element
from sphinx.addnodes import pending_xref
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment
from sphinx.util.nodes import make_refnode

SECTION = re.compile(r"(Args|Attributes|Examples?|Notes?|Raises|Returns|Source|Warns|Yields):\s*$")
ITEM = re.compile(r"\s*([*-]|\d+\.)\s")
MARKUP = re.compile(r"(``.*?``|:[\w:]+:`[^`]*`|`[^`]*`_*)")


def escape(line: str) -> str:
    """Escape what reStructuredText would take for markup."""
    bullet = re.match(r"\s*\*\s", line)
    start = bullet.end() if bullet else 0
    parts = MARKUP.split(line[start:])
    for i in range(0, len(parts), 2):
        parts[i] = re.sub(r"(?<!\\)[|*]", r"\\\g<0>", parts[i])
        parts[i] = re.sub(r"(?<=\w)_(?!\w)", r"\\_", parts[i])
    return line[:start] + "".join(parts)


def plain(lines: list[str]) -> list[str]:
    """Escape the text of a docstring and turn its indented lines into literal blocks."""
    out: list[str] = []
    verbatim = False  # inside of a block that stands as it is
    nested = False  # below a section's title or a list's item, where indented lines are text
    for number, line in enumerate(lines):
        indented = line[:1] == " "
        before = next((text for text in reversed(lines[:number]) if text.strip()), "")
        if not line.strip():
            out.append(line)
        elif not indented:
            if verbatim and out[-1].strip():
                out.append("")
            verbatim = False
            nested = bool(SECTION.match(line) or ITEM.match(line))
            out.append(escape(line))
        elif nested:
            out.append(escape(line))
        else:
            if not verbatim:
                verbatim = True
                if not before.rstrip().endswith("::") and not before.startswith(".. "):
                    out.extend(["", "::", ""])
            out.append(line)
    return out


def process(app: Sphinx, what: str, name: str, obj: Any, options: Any, lines: list[str]) -> None:
    """Rewrite one docstring in place, before its sections are interpreted."""
    lines[:] = plain(lines)
    if what in ("attribute", "data", "property") and lines:
        # a colon in the first line would be read as the end of a type
        lines.insert(0, "\\ ")


def skip(app: Sphinx, what: str, name: str, obj: Any, skipped: bool, options: Any) -> bool | None:
    """Leave out functions that come from another library."""
    module = getattr(obj, "__module__", None) or "deqir_lite"
    return True if inspect.isroutine(obj) and not module.startswith("deqir_lite") else None


def resolve(
    app: Sphinx, env: BuildEnvironment, node: pending_xref, contnode: Element
) -> Element | None:
    """Find the only object whose last name is the one that is referred to."""
    if node.get("refdomain") != "py":
        return None
    target = node.get("reftarget", "")
    objects: Any = env.get_domain("py")
    end = f".{target}"
    found = {
        (entry.docname, entry.node_id): name
        for name, entry in objects.objects.items()
        if name.endswith(end) or name == target
    }
    if len(found) != 1:
        return None
    ((docname, anchor), name), *_ = found.items()
    return make_refnode(app.builder, node["refdoc"], docname, anchor, [contnode], name)


def setup(app: Sphinx) -> dict[str, Any]:
    """Connect the functions above."""
    app.connect("autodoc-process-docstring", process, priority=400)
    app.connect("autodoc-skip-member", skip)
    app.connect("missing-reference", resolve)
    # The trees of the pages are millions of objects that stay. Python would look through them for
    # garbage again and again, for half of the build.
    gc.disable()
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
