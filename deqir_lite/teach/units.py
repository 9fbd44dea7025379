"""The lesson plans: what a teacher shows, asks and has prepared, minute by minute.

One file, book/_teach/units.toml, serves the teacher's page and the instructor's notebooks.
"""

import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from deqir_lite.bundled import book_folder

MINUTES = 50
"""Length of a unit."""


@dataclass(frozen=True)
class Stage:
    """One part of a unit: a section of the chapter, its minutes, what to show and to ask."""

    section: str
    minutes: int
    show: str
    ask: str


@dataclass(frozen=True)
class Unit:
    """50 minutes over one chapter.

    ``before`` says which cells to have run, ``misunderstandings`` what to expect, each a mistake
    and its correction.
    """

    number: int
    title: str
    chapter: str
    goal: str
    before: str
    stages: list[Stage]
    misunderstandings: list[tuple[str, str]]

    def to_markdown(self) -> str:
        """The plan as a heading, a table and lists."""
        rows = [f"| {s.minutes} | {s.section} | {s.show} | {s.ask} |" for s in self.stages]
        table = "\n".join(["| Minutes | Section | Show | Ask |", "|---|---|---|---|", *rows])
        wrong = "\n\n".join(f"- *{says}*\n\n  {answer}" for says, answer in self.misunderstandings)
        return (
            f"### Unit {self.number}: {self.title}\n\n{self.goal}\n\n"
            f"**Run before the lesson:** {self.before}\n\n{table}\n\n"
            f"**Common misunderstandings**\n\n{wrong}"
        )


def load_units(folder: Path | None = None) -> list[Unit]:
    """The units of the course in order, from ``folder``/_teach/units.toml (default: the book's).

    Raises FileNotFoundError without that file, ValueError when a unit lacks a part, has one that is
    not known, or does not fill its minutes.
    """
    path = (book_folder() if folder is None else folder) / "_teach" / "units.toml"
    if not path.is_file():
        raise FileNotFoundError(f"units: no file {str(path)!r}")
    try:
        entries = tomllib.loads(path.read_text(encoding="utf-8"))["unit"]
    except (tomllib.TOMLDecodeError, KeyError) as error:
        raise ValueError(f"units: {str(path)!r} holds no units ({error!r})") from error
    return [_unit(number, entry) for number, entry in enumerate(entries, start=1)]


def _unit(number: int, entry: dict[str, Any]) -> Unit:
    try:
        stages = [Stage(**stage) for stage in entry.pop("stage")]
        pairs = [_pair(number, pair) for pair in entry.pop("misunderstandings")]
        unit = Unit(number=number, stages=stages, misunderstandings=pairs, **entry)
    except (KeyError, TypeError) as error:
        raise ValueError(f"units: unit {number}: {error}") from error
    if (total := sum(stage.minutes for stage in stages)) != MINUTES:
        raise ValueError(f"units: unit {number} takes {total} minutes; expected {MINUTES}")
    return unit


def _pair(number: int, pair: Any) -> tuple[str, str]:
    """A mistake and its correction."""
    if not isinstance(pair, list) or len(pair) != 2 or not all(pair):
        raise ValueError(f"units: unit {number}: expected [mistake, correction], not {pair!r}")
    return pair[0], pair[1]


def plan_markdown(units: list[Unit]) -> str:
    """All units one below the other, each with a link to its chapter, for the teacher's page."""
    blocks = []
    for unit in units:
        heading, rest = unit.to_markdown().split("\n", 1)
        blocks.append(f"{heading}\n\n*Chapter:* {{doc}}`{unit.chapter}`\n{rest}")
    return "\n\n".join(blocks) + "\n"
