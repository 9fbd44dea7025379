"""The ledger: equation of the paper <-> label in the book <-> function <-> test.

* A label is ``paper-eq-9`` on an equation of a chapter.
* A function, class or module belongs to an equation when its docstring says "Eq. 9" or names a
  range, "Eqs. 8 to 11". Quoted numbers are examples and do not count.
* A test belongs to an equation when it is marked ``@pytest.mark.equation("9")``.

All of it is read from the sources; nothing of them is imported or run.
"""

import ast
import re
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import nbformat

from deqir_lite.teach.directives import equations

TABLE = Path(__file__).with_name("equations.toml")
LABEL = "paper-eq-"
# "Eq. 9", "Eqs. 8 and 10", "Eqs. 8 to 11", "Eqs. 2, 3"; not in quotes, as in "Eq. 11"
NAMED = re.compile(r'(?<![\w"])Eqs?\.\s+(\d+(?:(?:,|,? and| to| or|-|\N{EN DASH})\s*\d+)*)')
Definition = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef


@dataclass
class Entry:
    """One equation of the paper and all that belongs to it.

    Attributes:
        says: the equation in words.
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


def numbers(text: str) -> set[int]:
    """Return the equations that a docstring names."""
    found: set[int] = set()
    for match in NAMED.finditer(" ".join(text.split())):  # a range may go over a line's end
        named = match[1]
        found.update(int(number) for number in re.findall(r"\d+", named))
        for low, high in re.findall(r"(\d+)(?: to |-|\N{EN DASH})\s*(\d+)", named):
            found.update(range(int(low), int(high) + 1))
    return found


def labels(book: Path) -> Iterator[tuple[int, str]]:
    """Yield (equation, document) for every label of the book."""
    for path in sorted([*book.glob("*.ipynb"), *book.glob("*.md")]):
        text = path.read_text(encoding="utf-8")
        if path.suffix == ".ipynb":
            cells = nbformat.reads(text, as_version=4).cells
            text = "\n\n".join(cell.source for cell in cells if cell.cell_type == "markdown")
        for label in equations(text):
            if label.startswith(LABEL):
                yield int(label.removeprefix(LABEL)), f"{book.name}/{path.stem}"


def objects(package: Path) -> Iterator[tuple[int, str, str]]:
    """Yield (equation, kind, full name) for every public docstring that names an equation."""
    for path in sorted(package.rglob("*.py")):
        parts = path.relative_to(package.parent).with_suffix("").parts
        if any(part.startswith("_") for part in parts):
            continue
        module = ".".join(parts)
        tree = ast.parse(path.read_text(encoding="utf-8"))
        for kind, name, node in [("mod", module, tree), *_definitions(tree, module)]:
            for number in sorted(numbers(ast.get_docstring(node) or "")):
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


def tests(folder: Path) -> Iterator[tuple[int, str]]:
    """Yield (equation, test) for every mark of a test function."""
    for path in sorted(folder.rglob("test_*.py")):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        for node in ast.walk(tree):
            if not isinstance(node, ast.FunctionDef) or not node.name.startswith("test"):
                continue
            for call in node.decorator_list:
                if isinstance(call, ast.Call) and ast.unparse(call.func) == "pytest.mark.equation":
                    place = path.relative_to(folder.parent).as_posix()
                    for argument in call.args:
                        yield int(ast.literal_eval(argument)), f"{place}::{node.name}"


def collect(root: Path, table: Path = TABLE) -> dict[int, Entry]:
    """Return every equation of the table, or found in the sources, in order."""
    rows = tomllib.loads(table.read_text(encoding="utf-8"))
    entries = {int(number): Entry(**row) for number, row in rows.items()}
    for number, document in labels(root / "book"):
        entries.setdefault(number, Entry("")).labels.append(document)
    for number, kind, name in objects(root / "deqir_lite"):
        entries.setdefault(number, Entry("")).objects.append((kind, name))
    for number, test in tests(root / "tests"):
        entries.setdefault(number, Entry("")).tests.append(test)
    return dict(sorted(entries.items()))


def problems(entries: dict[int, Entry]) -> list[str]:
    """Return each missing link, as a sentence; empty when the ledger is complete."""
    found = []
    for number, entry in entries.items():
        names = [name for _, name in entry.objects]
        who = ", ".join([*entry.labels, *names, *entry.tests])
        if not entry.says:
            found.append(f"Eq. {number}: not in {TABLE.name}, but named by {who}")
            continue
        if len(entry.labels) > 1:
            found.append(f"Eq. {number}: labelled more than once: {', '.join(entry.labels)}")
        if entry.reason:
            if names or entry.tests:
                found.append(f"Eq. {number}: {TABLE.name} has a reason, but it is used by {who}")
            continue
        for kind, links in (("label", entry.labels), ("function", names), ("test", entry.tests)):
            if not links:
                found.append(f"Eq. {number}: no {kind}, and no reason in {TABLE.name} ({who})")
    return found
