"""Lay a chapter out as slides: each section a column, long sections several slides in it."""

import math
from collections.abc import Iterator
from dataclasses import dataclass, field

from nbformat import NotebookNode
from nbformat.v4 import new_markdown_cell

from deqir_lite.teach.directives import parsed
from deqir_lite.teach.notebooks import Chapter
from deqir_lite.teach.parts import parts
from deqir_lite.teach.readable import Reader

LINES = 18
"""Estimated lines of text that fit on a slide below its heading."""

_CHARACTERS = 88  # of prose in one line of a slide
_PICTURE = 12  # lines that a picture takes
_TABLE = 16  # lines that a table or a slider takes


@dataclass
class Section:
    """One ``##`` of a chapter: its title (empty before the first) and its slides of cells."""

    title: str
    slides: list[list[NotebookNode]] = field(default_factory=list)


def outline(chapter: Chapter, reader: Reader) -> list[Section]:
    """The slides of a chapter, without its exercises, their solutions and self-checks."""
    sections = [Section("")]
    room = 0.0
    for part in parts(chapter):
        if part.kind != "text":
            continue
        shown = [part.cell]
        if not part.is_code:
            texts = enumerate(blocks(reader.read(part.cell.source)))
            shown = [new_markdown_cell(t, id=f"{part.cell.id}-{i}"[:64]) for i, t in texts]
        for piece in shown:
            if piece.cell_type == "markdown" and piece.source.startswith("## "):
                sections.append(Section(piece.source[3:].strip()))
                room = 0
                continue
            needed = height(piece)
            if needed > room:
                sections[-1].slides.append([])
                room = LINES
            sections[-1].slides[-1].append(piece)
            room -= needed
    return [section for section in sections if section.slides and section.title != "Exercises"]


def blocks(text: str) -> Iterator[str]:
    """The paragraphs of Markdown; one that leads to a formula, with "," or ":", stays with it."""
    held = ""
    for paragraph in _paragraphs(text):
        if held and paragraph.startswith("$$"):
            paragraph = f"{held}\n\n{paragraph}"
        elif held:
            yield held
        held = paragraph if paragraph.endswith((",", ":")) else ""
        if not held:
            yield paragraph
    if held:
        yield held


def _paragraphs(text: str) -> Iterator[str]:
    lines = text.split("\n")
    for token in parsed(text):
        if token.map and not token.level:
            yield "\n".join(lines[slice(*token.map)]).rstrip()


def height(cell: NotebookNode) -> float:
    """About how many lines of a slide a cell takes, with its outputs."""
    lines = cell.source.split("\n")
    if cell.cell_type == "markdown":
        if "$$" in cell.source:
            return 1.0 + 1.5 * len(lines)
        return 0.5 + sum(max(1, math.ceil(len(line) / _CHARACTERS)) for line in lines)
    total = 1 + 0.8 * len(lines)
    for output in cell.outputs:
        if output.output_type == "stream":
            total += 0.8 * (1 + output.text.count("\n"))
        elif "text/html" in output.get("data", {}):
            total += _TABLE
        elif "image/png" in output.get("data", {}):
            total += _PICTURE
    return total
