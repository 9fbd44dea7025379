"""MyST as plain Markdown, for readers in JupyterLab: directives and roles turned into text.

Sphinx numbers theorems, exercises and labelled equations by chapter, (4.3) for the third equation
of chapter 4, and resolves references. Here the same numbers are counted and written out.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from markdown_it.token import Token
from pybtex.database import parse_file

from deqir_lite.bundled import book_folder
from deqir_lite.teach.directives import Directive, equations, parsed, pieces
from deqir_lite.teach.notebooks import Chapter

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
    """Where a label leads: ``text`` as a reference names it, in the chapter of this mark."""

    text: str
    chapter: str


def targets(book: Sequence[Chapter]) -> dict[str, Target]:
    """All labels of the book: equations, theorems, exercises, figures and sections."""
    found: dict[str, Target] = {}
    for chapter in book:
        counts: Counter[str] = Counter()
        for cell in chapter.cells:
            figure = cell.metadata.get("mystnb", {}).get("figure", {})
            if "name" in figure:
                found[figure["name"]] = Target(f"figure “{figure['caption']}”", chapter.mark)
            if cell.cell_type == "markdown":
                named = _labels(cell.source, chapter.mark, counts)
                found |= {label: Target(text, chapter.mark) for label, text in named}
    return found


def _labels(text: str, chapter: str, counts: Counter[str]) -> Iterator[tuple[str, str]]:
    """(label, what a reference to it says) of all that a text of a chapter labels.

    ``counts``, of what the chapter has numbered so far, goes on.
    """
    tokens = parsed(text)
    for target, heading, title in zip(tokens, tokens[1:], tokens[2:], strict=False):
        if (target.type, heading.type) == ("myst_target", "heading_open"):
            yield target.content, f"“{title.content}”"
    for piece in pieces(text):
        if isinstance(piece, Directive):
            kind = _NUMBERED.get(piece.name)
            if kind and "nonumber" not in piece.options:
                counts[kind] += 1
                if piece.label:
                    yield piece.label, f"{kind} {_number(chapter, counts[kind])}"
            piece = piece.source
        for label in equations(piece):
            counts["equation"] += 1
            yield label, f"({_number(chapter, counts['equation'])})"


def _number(chapter: str, count: int) -> str:
    """4.3 for the third of something in chapter 4; a page without a mark has no prefix."""
    return f"{chapter}.{count}" if chapter else str(count)


def citations(bibliography: Path) -> dict[str, tuple[str, str]]:
    """Key of each entry of a BibTeX file -> (its authors as a citation names them, the year)."""
    found = {}
    for key, entry in parse_file(bibliography, "bibtex").entries.items():
        people = [
            [*person.rich_prelast_names, *person.rich_last_names]
            for person in entry.persons.get("author", [])
        ]
        names = [" ".join(map(str, name)) for name in people] or [key]
        authors = " and ".join(names) if len(names) < 3 else f"{names[0]} et al."
        found[key] = (authors, entry.fields.get("year", "n.d."))
    return found


class Reader:
    """Turns the Markdown of one chapter into what JupyterLab shows well.

    ``labels`` and ``cited`` are those of the whole book (:func:`targets`, :func:`citations`).
    With ``fold`` a box that the book shows after a click is shown so here.
    """

    def __init__(
        self,
        chapter: str,
        labels: dict[str, Target],
        cited: dict[str, tuple[str, str]],
        *,
        fold: bool = False,
    ) -> None:
        self.chapter = chapter
        self.fold = fold
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
        """Text between directives; from its end, so that the lines of the parser stay true."""
        lines = text.split("\n")
        for token in reversed(parsed(text)):
            first, end = token.map or (0, 0)
            if token.type == "myst_target":
                del lines[first:end]
            elif token.type == "heading_open" and token.tag == "h1":
                if self.chapter:
                    lines[first] = f"# {self.chapter}. {lines[first].removeprefix('# ')}"
            elif token.type == "math_block_label":
                margin = lines[first].partition("$$")[0]  # of a quotation
                tex = "\n".join(lines[first:end]).rpartition("$$")[0].removesuffix(margin)
                lines[first:end] = f"{self._tagged(tex, token.info)}{margin}$$".split("\n")
            elif token.type == "inline":
                source = self._roles("\n".join(lines[first:end]), token.children or [])
                lines[first:end] = source.split("\n")
        return "\n".join(lines)

    def _roles(self, text: str, tokens: Sequence[Token]) -> str:
        """Text with those of its roles replaced that the parser has found in it."""
        for token in tokens:
            if token.type == "myst_role":
                role = token.meta["name"]
                source = f"{{{role}}}`{token.content}`"
                at = text.replace("\n", " ").find(source)  # as the parser joins lines
                if at >= 0:
                    end = at + len(source)
                    text = text[:at] + self._role(role, token.content) + text[end:]
        return text

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
            return f"$$\n{self._tagged(body, piece.label).rstrip()}\n$$"
        if name in ("figure", "image"):
            return f"![{piece.options.get('alt', '')}]({piece.argument})\n\n{body}".rstrip()
        if name in ("code-block", "code"):
            return f"```{piece.argument}\n{piece.body}\n```"
        if name != "admonition" or not title:
            title = title or name.split(":")[-1].capitalize()
        if self.fold and "dropdown" in piece.options.get("class", ""):
            return f"<details><summary><b>{title}</b></summary>\n\n{body}\n\n</details>"
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
        if role == "math":
            return f"${text}$"
        if role.startswith("cite"):
            return self._cite(role, text)
        title, named, _ = text.rpartition("<")
        if named and text.endswith(">"):
            return title.rstrip()
        target = self.labels.get(text)
        if target is None or role not in ("eq", "ref", "numref", "prf:ref", "doc"):
            return text
        titled = "“" in target.text  # a figure or a section, which has no number
        kind = "chapter" if target.chapter.isdigit() else "appendix"
        place = f" of {kind} {target.chapter}" if target.chapter else " of the front page"
        elsewhere = place if target.chapter != self.chapter else ""
        return f"{target.text}{elsewhere if titled else ''}"

    def _cite(self, role: str, keys: str) -> str:
        entries = [self.cited.get(key.strip(), (key.strip(), "")) for key in keys.split(",")]
        if role == "cite:t":
            return ", ".join(f"{authors} ({year})" for authors, year in entries)
        return "(" + "; ".join(f"{authors}, {year}" for authors, year in entries) + ")"


def readers(book: Sequence[Chapter], *, fold: bool = False) -> dict[str, Reader]:
    """Name of each chapter -> its reader, who knows the labels of the whole book."""
    labels, cited = targets(book), citations(book_folder() / "references.bib")
    return {chapter.name: Reader(chapter.mark, labels, cited, fold=fold) for chapter in book}
