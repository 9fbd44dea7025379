"""MyST as plain Markdown, for readers in JupyterLab: directives and roles turned into text.

Sphinx numbers theorems and exercises through the book and labelled equations on each page, and
resolves references. Here the same numbers are counted and written out, with the chapter where a
reference leads to another one.
"""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from unicodedata import normalize

from deqir_lite.teach.directives import Directive, pieces
from deqir_lite.teach.notebooks import Chapter

_EQUATION = re.compile(r"\$\$(?P<tex>(?:[^$]|\\\$)+?)\$\$[ \t]*\((?P<label>[\w:-]+)\)")
_ROLE = re.compile(r"\{(?P<role>[\w:-]+)\}`(?P<text>[^`]+)`")
_TARGET = re.compile(r"^\((?P<label>[\w-]+)\)=\n#+ (?P<title>.*)$", re.MULTILINE)
_TARGET_LINE = re.compile(r"^\([\w-]+\)=\n", re.MULTILINE)
_ENTRY = re.compile(r"@\w+\{\s*(?P<key>[^,\s]+),(?P<fields>.*?)\n\}", re.DOTALL)
_FIELD = re.compile(r"(?P<name>author|year)\s*=\s*[{\"](?P<value>.*?)[}\"]\s*,?\s*$", re.MULTILINE)

_NUMBERED = {
    "exercise": "Exercise",
    "prf:theorem": "Theorem",
    "prf:proposition": "Proposition",
    "prf:lemma": "Lemma",
    "prf:corollary": "Corollary",
    "prf:definition": "Definition",
    "prf:algorithm": "Algorithm",
    "prf:remark": "Remark",
    "prf:example": "Example",
    "prf:property": "Property",
}


@dataclass(frozen=True)
class Target:
    """Where a label leads: ``text`` as a reference names it, in the chapter of this number."""

    text: str
    chapter: int


def targets(book: Sequence[Chapter]) -> dict[str, Target]:
    """All labels of the book: equations, theorems, exercises, figures and sections."""
    found: dict[str, Target] = {}
    counts: Counter[str] = Counter()
    for chapter in book:
        counts["equation"] = 0  # begins anew on every page; the others run through the book
        for cell in chapter.cells:
            figure = cell["metadata"].get("mystnb", {}).get("figure", {})
            if "name" in figure:
                found[figure["name"]] = Target(f"figure “{figure['caption']}”", chapter.number)
            if cell["cell_type"] == "markdown":
                _collect(cell["source"], chapter.number, counts, found)
    return found


def _collect(text: str, number: int, counts: Counter[str], found: dict[str, Target]) -> None:
    for match in _TARGET.finditer(text):
        found[match["label"]] = Target(f"“{match['title']}”", number)
    for piece in pieces(text):
        numbered = isinstance(piece, Directive) and "nonumber" not in piece.options
        if isinstance(piece, Directive) and numbered and piece.name in _NUMBERED:
            kind = _NUMBERED[piece.name]
            counts[kind] += 1
            if piece.label:
                found[piece.label] = Target(f"{kind} {counts[kind]}", number)
        inside = piece.body if isinstance(piece, Directive) else piece
        labels = [match["label"] for match in _EQUATION.finditer(inside)]
        if isinstance(piece, Directive) and piece.name == "math" and piece.label:
            labels.append(piece.label)
        for label in labels:
            counts["equation"] += 1
            found[label] = Target(f"({counts['equation']})", number)


def citations(bibliography: Path) -> dict[str, tuple[str, str]]:
    """Key of each entry of a BibTeX file -> (its authors as a citation names them, the year)."""
    found = {}
    for entry in _ENTRY.finditer(bibliography.read_text(encoding="utf-8")):
        fields = {match["name"]: match["value"] for match in _FIELD.finditer(entry["fields"])}
        source = fields.get("author", entry["key"])
        acute = re.sub(r"\\'\{?(\w)\}?", "\\1\N{COMBINING ACUTE ACCENT}", source)
        plain = normalize("NFC", re.sub(r"[{}\\]", "", acute))
        names = [name.split(",")[0].strip() for name in plain.split(" and ")]
        authors = " and ".join(names) if len(names) < 3 else f"{names[0]} et al."
        found[entry["key"]] = (authors, fields.get("year", "n.d."))
    return found


class Reader:
    """Turns the Markdown of one chapter into what JupyterLab shows well.

    ``labels`` and ``cited`` are those of the whole book (:func:`targets`, :func:`citations`).
    """

    def __init__(
        self, chapter: int, labels: dict[str, Target], cited: dict[str, tuple[str, str]]
    ) -> None:
        self.chapter = chapter
        self.labels = labels
        self.cited = cited

    def read(self, text: str) -> str:
        """The whole text of a cell."""
        out = [
            self._directive(piece) if isinstance(piece, Directive) else self._text(piece)
            for piece in pieces(text)
        ]
        return "\n\n".join(part for part in out if part)

    def _text(self, text: str) -> str:
        text = _TARGET_LINE.sub("", text)
        text = _EQUATION.sub(lambda m: f"$${self._tagged(m['tex'], m['label'])}$$", text)
        return _ROLE.sub(lambda m: self._role(m["role"], m["text"]), text)

    def _tagged(self, tex: str, label: str | None) -> str:
        number = self.labels[label].text if label in self.labels else None
        return f"{tex.rstrip()} \\tag{{{number.strip('()')}}}\n" if number else tex

    def _directive(self, piece: Directive) -> str:
        name, body = piece.name, self.read(piece.body) if piece.name != "math" else piece.body
        title = self._text(piece.argument)
        if name in _NUMBERED:
            known = self.labels.get(piece.label or "")
            heading = known.text if known else _NUMBERED[name]
            heading += f" ({title})" if title else ""
            # an exercise is looked for in the table of contents
            return f"### {heading}\n\n{body}" if name == "exercise" else f"**{heading}.** {body}"
        if name == "prf:proof":
            return f"*Proof.* {body} ∎"
        if name == "math":
            return f"$$\n{self._tagged(body, piece.label)}\n$$"
        if name in ("figure", "image"):
            return f"![{piece.options.get('alt', '')}]({piece.argument})\n\n{body}".rstrip()
        if name in ("code-block", "code"):
            return f"```{piece.argument}\n{piece.body}\n```"
        if name != "admonition" or not title:
            title = title or name.split(":")[-1].capitalize()
        return self._box(title, body)

    @staticmethod
    def _box(title: str, body: str) -> str:
        """A quotation with a title; without the bar where that would cut through a formula."""
        text = f"**{title}**\n\n{body}"
        if "$$" in text:
            return text
        return "\n".join(f"> {line}".rstrip() for line in text.split("\n"))

    def _role(self, role: str, text: str) -> str:
        """What a role says; its text where the role is not known."""
        label = text
        if named := re.fullmatch(r"(.*?)\s*<([^>]+)>", text):
            text, label = named[1], named[2]
        if role.startswith("cite"):
            return self._cite(role, text)
        if role in ("eq", "ref", "numref", "prf:ref", "doc"):
            target = self.labels.get(label)
            if named or target is None:
                return text
            elsewhere = f" of chapter {target.chapter}" if target.chapter != self.chapter else ""
            return f"{target.text}{elsewhere}"
        return f"${text}$" if role == "math" else text

    def _cite(self, role: str, keys: str) -> str:
        entries = [self.cited.get(key.strip(), (key.strip(), "")) for key in keys.split(",")]
        if role == "cite:t":
            return ", ".join(f"{authors} ({year})" for authors, year in entries)
        return "(" + "; ".join(f"{authors}, {year}" for authors, year in entries) + ")"
