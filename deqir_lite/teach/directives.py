"""The Markdown of the book as its parser sees it: directives, headings, labelled equations.

A directive is a fence of backticks or colons with a name in braces, ``{exercise} Title``, options
such as ``:label: ex-name``, and a body.
"""

from collections.abc import Container, Iterator
from dataclasses import dataclass
from functools import cache
from itertools import pairwise

from markdown_it import MarkdownIt
from markdown_it.token import Token
from mdit_py_plugins.colon_fence import colon_fence_plugin
from mdit_py_plugins.dollarmath import dollarmath_plugin
from mdit_py_plugins.myst_blocks import myst_block_plugin
from mdit_py_plugins.myst_role import myst_role_plugin

_MYST = MarkdownIt("commonmark").enable("table")
for _plugin in (colon_fence_plugin, dollarmath_plugin, myst_block_plugin, myst_role_plugin):
    _MYST.use(_plugin)


@cache
def parsed(text: str) -> tuple[Token, ...]:
    """The tokens of a text, of what :mod:`myst_parser` understands as far as the book uses it.

    They are kept, since labels, references and outlines are looked for in the same texts.
    """
    return tuple(_MYST.parse(text))


@dataclass(frozen=True)
class Directive:
    """One directive: ``name`` and ``argument`` of its first line, options, the text inside, and
    the whole as it stands (``source``).
    """

    name: str
    argument: str
    options: dict[str, str]
    body: str
    source: str

    @property
    def label(self) -> str | None:
        """The option ``label``, or ``name`` where that is how the directive calls it."""
        return self.options.get("label", self.options.get("name"))


def pieces(text: str, *, names: Container[str] | None = None) -> Iterator[str | Directive]:
    """The text between directives as strings, and the directives themselves, in order.

    A directive inside of another is part of the other's body; one in a list or a quotation, or
    with a name that is not among ``names``, is part of the text. Raises ValueError for a directive
    that is not closed.
    """
    lines, at = text.split("\n"), 0
    for token in parsed(text):
        info = token.info.strip()
        if token.type not in ("fence", "colon_fence") or token.level or not info.startswith("{"):
            continue
        first, end = token.map or (0, 0)
        if end - first < 2 or not lines[end - 1].startswith(token.markup):
            raise ValueError(f"text: the directive {lines[first].strip()!r} is not closed")
        directive = _directive(info, token.content, "\n".join(lines[first:end]))
        if names is None or directive.name in names:
            if before := "\n".join(lines[at:first]).strip("\n"):
                yield before
            yield directive
            at = end
    if after := "\n".join(lines[at:]).strip("\n"):
        yield after


def _directive(info: str, content: str, source: str) -> Directive:
    name, _, argument = info[1:].partition("}")
    options, body = {}, content.split("\n")
    while body[0].startswith(":") and not body[0].startswith(":::"):
        key, _, value = body.pop(0)[1:].partition(":")
        options[key] = value.strip()
    return Directive(name, argument.strip(), options, "\n".join(body).strip("\n"), source)


def equations(text: str) -> Iterator[str]:
    """The labels of the equations in a text, those inside of directives too."""
    for piece in pieces(text):
        if isinstance(piece, str):
            yield from (t.info for t in parsed(piece) if t.type == "math_block_label")
        elif piece.name == "math" and piece.label:
            yield piece.label
        else:
            yield from equations(piece.body)


def headings(text: str, level: int) -> list[str]:
    """The headings of one level in a text."""
    tokens = parsed(text)
    return [
        title.content
        for heading, title in pairwise(tokens)
        if heading.type == "heading_open" and heading.tag == f"h{level}"
    ]
