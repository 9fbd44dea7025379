"""Directives of the appendices that are computed when the book is built.

* ``equation-ledger``: each equation of the paper, where it is stated, carried out and tested.
* ``certificates``: the certificates that the chapters left when they were executed.
* ``execution-status``: how long each chapter took, on which machine, with which versions.
* ``student-notebooks``: links to the chapters without solutions, which are written into the built
  book, under student/.
"""

import html
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import executed
import ledger
from docutils import nodes
from docutils.statemachine import StringList
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

from deqir_lite.certificate import Certificate
from deqir_lite.teach.export import student_notebooks, write_files
from deqir_lite.teach.notebooks import chapters

STUDENT = "student"


def list_table(title: str, name: str, header: list[str], rows: Iterable[list[str]]) -> list[str]:
    """Lines of a MyST table, whose cells may hold roles and several paragraphs."""
    lines = [f"```{{list-table}} {title}", ":header-rows: 1", f":class: {name}", ""]
    for row in [header, *rows]:
        for k, cell in enumerate(row):
            first, *more = cell.split("\n")
            lines.append(("* - " if k == 0 else "  - ") + first)
            lines += [f"    {line}".rstrip() for line in more]
    return [*lines, "```"]


class Appendix(SphinxDirective):
    """A directive without content that is replaced by computed MyST."""

    def parsed(self, lines: list[str]) -> list[nodes.Node]:
        """Nodes of some lines of MyST."""
        container = nodes.container()
        self.state.nested_parse(StringList(lines, self.get_location()), 0, container)
        return container.children

    @property
    def root(self) -> Path:
        """The project."""
        return Path(self.env.srcdir)

    def certificates(self) -> dict[str, Certificate]:
        """Notebook -> its certificate, in the order of their names."""
        folder = self.root / ".nbexec"
        names = [path.name for path in folder.glob("*.ipynb")]
        found = executed.certificates(names, folder)
        return {name: Certificate.load(path) for name, path in found.items()}


class EquationLedger(Appendix):
    """Two tables: equations in use, and the others with the reason."""

    def run(self) -> list[nodes.Node]:
        """Collect the ledger; each missing link is a warning, which fails the strict build."""
        entries = ledger.collect(self.root)
        missing = [
            self.state.document.reporter.warning(problem, line=self.lineno)
            for problem in ledger.problems(entries)
        ]
        used = [self._row(n, entry) for n, entry in entries.items() if not entry.reason]
        others = [
            [self._equation(n, entry), entry.reason] for n, entry in entries.items() if entry.reason
        ]
        header = ["Equation", "In the package", "Tests"]
        lines = list_table("Equations in use", "ledger", header, used)
        header = ["Equation", "Why it has no function"]
        lines += ["", *list_table("Other equations", "ledger", header, others)]
        return [*missing, *self.parsed(lines)]

    def _row(self, number: ledger.Key, entry: ledger.Entry) -> list[str]:
        objects = [self._object(*pair) for pair in entry.objects]
        return [
            self._equation(number, entry),
            "\n\n".join(objects),
            "\n\n".join(self._test(test) for test in entry.tests),
        ]

    def _equation(self, number: ledger.Key, entry: ledger.Entry) -> str:
        places = []
        for document in entry.labels:
            chapter = executed.chapter_number(Path(document).name)
            name = f"chapter {chapter}" if chapter else Path(document).name
            role = f"{{eq}}`paper-eq-{number}`"
            if isinstance(number, str):
                role = f"{{prf:ref}}`paper-alg-{number.removeprefix('Alg. ')}`"
            places.append(f"\n\n{{doc}}`{name} </{document}>`, {role}")
        title = number if isinstance(number, str) else f"[paper {number}]"
        return f"**{title}** {entry.says}" + "".join(places)

    def _object(self, kind: str, name: str) -> str:
        parts = {"mod": 0, "meth": 2}.get(kind, 1)
        shown = ".".join(name.split(".")[-parts:]) if parts else name
        return f"{{py:{kind}}}`{shown} <{name}>`"

    def _test(self, test: str) -> str:
        path, name = test.split("::")
        options = self.config.html_theme_options
        url = options.get("repository_url")
        if not url:
            return f"`{path}`: `{name}`"
        address = f"{url.rstrip('/')}/blob/{options.get('repository_branch', 'main')}/{path}"
        return f"[`{path}`]({address}): `{name}`"


class Certificates(Appendix):
    """The certificates of all chapters, as the chapters show them."""

    def run(self) -> list[nodes.Node]:
        """Show them in order; build.py has refused to build when one is missing or fails."""
        return [
            nodes.raw(
                "",
                f'<div class="scrolled" tabindex="0" role="region" '
                f'aria-label="{html.escape(table.title)}">{table._repr_html_()}</div>',
                format="html",
            )
            for table in self.certificates().values()
        ]


class ExecutionStatus(Appendix):
    """Times of the chapters, and what they were executed with."""

    def run(self) -> list[nodes.Node]:
        """One table of times, and one of versions for each machine that took part."""
        loaded, rows, total = self.certificates(), [], 0.0
        for path in sorted((self.root / ".nbexec").glob("*.ipynb")):
            took = executed.seconds(path)
            total += took
            claims = f"{len(loaded[path.name].claims)}" if path.name in loaded else "\N{EN DASH}"
            rows.append([f"{{doc}}`/book/{path.stem}`", f"{took:.1f}", claims])
        rows.append(["All", f"{total:.1f}", f"{sum(len(c.claims) for c in loaded.values())}"])
        header = ["Chapter", "Seconds", "Claims"]
        lines = list_table("Execution times", "status", header, rows)
        groups: dict[tuple[tuple[str, str], ...], list[str]] = {}
        for name, certificate in loaded.items():
            what = (*certificate.machine.items(), *certificate.versions.items())
            number = executed.chapter_number(name)
            groups.setdefault(what, []).append(str(number or Path(name).stem))
        for what, places in groups.items():
            title = "Machine and versions"
            if len(groups) > 1:  # with other threads, or on another machine and kept
                title += f" of {', '.join(places)}"
            lines += ["", *list_table(title, "status", ["What", "Value"], map(list, what))]
        return self.parsed(lines)


class StudentNotebooks(Appendix):
    """A list of links to the notebooks that :func:`write_student_notebooks` writes."""

    def run(self) -> list[nodes.Node]:
        """One line for each chapter."""
        up = "../" * self.env.docname.count("/")
        links = [
            f'<li><a href="{up}{STUDENT}/{chapter.path.name}" download>'
            f"{html.escape(chapter.heading)}</a></li>"
            for chapter in chapters()
        ]
        return [nodes.raw("", f"<ul>{''.join(links)}</ul>", format="html")]


def write_student_notebooks(app: Sphinx, exception: Exception | None) -> None:
    """Write the student's copies of all chapters beside the pages."""
    if exception is None and app.builder.format == "html":
        write_files(Path(app.outdir) / STUDENT, student_notebooks([]), force=True)


def setup(app: Sphinx) -> dict[str, Any]:
    """Add the directives."""
    app.add_directive("equation-ledger", EquationLedger)
    app.add_directive("certificates", Certificates)
    app.add_directive("execution-status", ExecutionStatus)
    app.add_directive("student-notebooks", StudentNotebooks)
    app.connect("build-finished", write_student_notebooks)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
