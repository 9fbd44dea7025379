"""The ledger: equation or algorithm of the paper <-> label in the book <-> function <-> test.

* A label is ``paper-eq-9`` on an equation of a chapter, ``paper-alg-1`` on an algorithm.
* A function, class or module belongs to an equation when its docstring says "Eq. 9" or names a
  range, "Eqs. 8 to 11"; to an algorithm when it says "Alg. 1" or "Algorithm 1". Quoted numbers are
  examples and do not count.
* A test belongs to an equation when it is marked ``@pytest.mark.equation("9")``, to an algorithm
  with ``@pytest.mark.equation("Alg. 1")``.

An entry's key is the number of its equation, or "Alg. 1".

All of it is read from the sources; nothing of them is imported or run.
"""

import ast
import re
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import nbformat

from deqir_lite.teach.directives import Directive, equations, pieces

TABLE = Path(__file__).with_name("equations.toml")
LABELS = {"paper-eq-": "", "paper-alg-": "Alg. "}
# "Eq. 9", "Eqs. 8 and 10", "Eqs. 8 to 11", "Eqs. 2, 3"; not in quotes, as in "Eq. 11"
NAMED = re.compile(r'(?<![\w"])Eqs?\.\s+(\d+(?:(?:,|,? and| to| or|-|\N{EN DASH})\s*\d+)*)')
ALGORITHM = re.compile(r'(?<![\w"])Alg(?:\.|orithm)\s+(\d+)')
Key = int | str
Definition = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef


@dataclass
class Entry:
    """One equation or algorithm of the paper and all that belongs to it.

    Attributes:
        says: it in words.
        reason: why it has no function and no test; "" where it has.
        labels: documents of the book that state it.
        objects: (kind, full name) of what names it in its docstring; kind is "mod", "class",
            "func" or "meth".
        tests: "tests/test_chain.py::test_name".
    """

    says: str
    reason: str = ""
    labels: list[str] = field(default_factory=list)
    objects: list[tuple[str, str]] = field(default_factory=list)
    tests: list[str] = field(default_factory=list)


def key(text: str) -> Key:
    """The key of an entry as it is written in the table or in a test's mark."""
    return int(text) if text.isdigit() else text


def named(entry: Key) -> str:
    """What a message calls an entry."""
    return f"Eq. {entry}" if isinstance(entry, int) else entry


def numbers(text: str) -> set[Key]:
    """Return the equations and algorithms that a docstring names."""
    text = " ".join(text.split())  # a range may go over a line's end
    found: set[Key] = {f"Alg. {number}" for number in ALGORITHM.findall(text)}
    for match in NAMED.finditer(text):
        listed = match[1]
        found.update(int(number) for number in re.findall(r"\d+", listed))
        for low, high in re.findall(r"(\d+)(?: to |-|\N{EN DASH})\s*(\d+)", listed):
            found.update(range(int(low), int(high) + 1))
    return found


def labels(book: Path) -> Iterator[tuple[Key, str]]:
    """Yield (key, document) for every label of the book."""
    for path in sorted([*book.glob("*.ipynb"), *book.glob("*.md")]):
        text = path.read_text(encoding="utf-8")
        if path.suffix == ".ipynb":
            cells = nbformat.reads(text, as_version=4).cells
            text = "\n\n".join(cell.source for cell in cells if cell.cell_type == "markdown")
        found = [piece for piece in pieces(text) if isinstance(piece, Directive)]
        boxes = [piece.label or "" for piece in found if piece.name.startswith("prf:")]
        for label in [*equations(text), *boxes]:
            for start, kind in LABELS.items():
                if label.startswith(start):
                    yield key(kind + label.removeprefix(start)), f"{book.name}/{path.stem}"


def objects(package: Path) -> Iterator[tuple[Key, str, str]]:
    """Yield (key, kind, full name) for every public docstring that names an equation."""
    for path in sorted(package.rglob("*.py")):
        parts = path.relative_to(package.parent).with_suffix("").parts
        if any(part.startswith("_") for part in parts):
            continue
        module = ".".join(parts)
        tree = ast.parse(path.read_text(encoding="utf-8"))
        for kind, name, node in [("mod", module, tree), *_definitions(tree, module)]:
            for number in sorted(numbers(ast.get_docstring(node) or ""), key=str):
                yield number, kind, name


def _definitions(
    parent: ast.Module | ast.ClassDef, prefix: str
) -> Iterator[tuple[str, str, Definition]]:
    """Public classes, functions and methods of a module."""
    for node in parent.body:
        if not isinstance(node, Definition) or node.name.startswith("_"):
            continue
        name = f"{prefix}.{node.name}"
        if isinstance(node, ast.ClassDef):
            yield "class", name, node
            yield from _definitions(node, name)
        else:
            yield ("meth" if isinstance(parent, ast.ClassDef) else "func"), name, node


def tests(folder: Path) -> Iterator[tuple[Key, str]]:
    """Yield (key, test) for every mark of a test function."""
    for path in sorted(folder.rglob("test_*.py")):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        for node in ast.walk(tree):
            if not isinstance(node, ast.FunctionDef) or not node.name.startswith("test"):
                continue
            for call in node.decorator_list:
                if isinstance(call, ast.Call) and ast.unparse(call.func) == "pytest.mark.equation":
                    place = path.relative_to(folder.parent).as_posix()
                    for argument in call.args:
                        yield key(ast.literal_eval(argument)), f"{place}::{node.name}"


def collect(root: Path, table: Path = TABLE) -> dict[Key, Entry]:
    """Return all that the table has or the sources name, equations in order, then algorithms."""
    rows = tomllib.loads(table.read_text(encoding="utf-8"))
    entries: dict[Key, Entry] = {key(name): Entry(**row) for name, row in rows.items()}
    for number, document in labels(root / "book"):
        entries.setdefault(number, Entry("")).labels.append(document)
    for number, kind, name in objects(root / "deqir_lite"):
        entries.setdefault(number, Entry("")).objects.append((kind, name))
    for number, test in tests(root / "tests"):
        entries.setdefault(number, Entry("")).tests.append(test)
    return dict(sorted(entries.items(), key=lambda item: (isinstance(item[0], str), item[0])))


def problems(entries: dict[Key, Entry]) -> list[str]:
    """Return each missing link, as a sentence; empty when the ledger is complete."""
    found = []
    for number, entry in entries.items():
        names = [name for _, name in entry.objects]
        who = ", ".join([*entry.labels, *names, *entry.tests])
        if not entry.says:
            found.append(f"{named(number)}: not in {TABLE.name}, but named by {who}")
            continue
        if len(entry.labels) > 1:
            found.append(f"{named(number)}: labelled more than once: {', '.join(entry.labels)}")
        if entry.reason:
            if names or entry.tests:
                found.append(f"{named(number)}: {TABLE.name} has a reason, but it is used by {who}")
            continue
        for kind, links in (("label", entry.labels), ("function", names), ("test", entry.tests)):
            if not links:
                found.append(f"{named(number)}: no {kind}, and no reason in {TABLE.name} ({who})")
    return found
