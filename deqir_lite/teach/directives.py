"""Find the directives of MyST in Markdown: fenced blocks with a name in braces.

    ```{exercise} Title
    :label: ex-name

    body
    ```

Colons serve as a fence too. A longer fence may hold shorter ones.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

_OPEN = re.compile(r"(?P<fence>`{3,}|:{3,})\{(?P<name>[\w:-]+)\}[ \t]*(?P<argument>.*?)[ \t]*$")
_OPTION = re.compile(r":([\w-]+):[ \t]*(.*?)[ \t]*$")
_CODE = re.compile(r"(`{3,}|~{3,})(?!\{)")


@dataclass(frozen=True)
class Directive:
    """One directive: ``name`` and ``argument`` of its first line, options, the text inside, and
    the whole as it stands (``source``).
    """

    name: str
    argument: str
    source: str
    options: dict[str, str] = field(default_factory=dict)
    body: str = ""

    @property
    def label(self) -> str | None:
        """The option ``label``, or ``name`` where that is how the directive calls it."""
        return self.options.get("label", self.options.get("name"))


def pieces(text: str) -> Iterator[str | Directive]:
    """The text between directives as strings, and the directives themselves, in order.

    Ordinary code blocks are text. A directive inside of another is part of the other's body.
    Raises ValueError for a directive that is not closed.
    """
    lines, plain, at = text.split("\n"), [], 0
    while at < len(lines):
        opened = _OPEN.match(lines[at])
        code = _CODE.match(lines[at])
        if opened is None:
            last = _closing(lines, at, code[1]) if code else at
            plain += lines[at : last + 1]
            at = last + 1
            continue
        last = _closing(lines, at, opened["fence"])
        if last == len(lines):
            raise ValueError(f"text: the directive {lines[at].strip()!r} is not closed")
        if any(line.strip() for line in plain):
            yield "\n".join(plain).strip("\n")
        plain = []
        yield _directive(opened["name"], opened["argument"], lines[at : last + 1])
        at = last + 1
    if any(line.strip() for line in plain):
        yield "\n".join(plain).strip("\n")


def _closing(lines: list[str], at: int, fence: str) -> int:
    """The line that closes the fence opened in line ``at``; len(lines) when there is none."""
    closes = re.compile(rf"{re.escape(fence[0])}{{{len(fence)},}}\s*$")
    return next((i for i in range(at + 1, len(lines)) if closes.match(lines[i])), len(lines))


def _directive(name: str, argument: str, lines: list[str]) -> Directive:
    options: dict[str, str] = {}
    inside = lines[1:-1]
    while inside and (option := _OPTION.match(inside[0])):
        options[option[1]] = option[2]
        inside = inside[1:]
    body = "\n".join(inside).strip("\n")
    return Directive(name, argument, "\n".join(lines), options, body)
