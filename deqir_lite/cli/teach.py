"""``deqir-lite teach``: notebooks and slides of the course."""

from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any

import typer

from deqir_lite.cli.app import one_line_errors
from deqir_lite.cli.help import Command, subgroup

teach = subgroup("Notebooks and slides of the course, made from the chapters of the book.")

Out = Annotated[Path, typer.Argument(help="Folder to write into; made if it is not there.")]
Chapter = Annotated[
    list[str] | None,
    typer.Option("--chapter", "-c", help="Number or name, may be given again; default: all."),
]
Force = Annotated[bool, typer.Option("--force", help="Replace files in OUT that differ.")]


def _load() -> tuple[Any, Any]:
    """The modules that need the extra ``book``; one line without it."""
    try:
        from deqir_lite.teach import export, slides
    except ImportError as error:  # nbconvert, nbformat, markdown-it-py, mdit-py-plugins, pybtex
        raise ValueError(f"{error}; install deqir-lite[book]") from error
    return export, slides


@teach.command(cls=Command)
@one_line_errors
def student(out: Out, chapter: Chapter = None, force: Force = False) -> None:
    """Chapters with the solutions taken out, and places for answers in."""
    export, _ = _load()
    _report(export.write_files(out, export.student_notebooks(chapter or []), force=force))


@teach.command(cls=Command)
@one_line_errors
def instructor(out: Out, chapter: Chapter = None, force: Force = False) -> None:
    """Chapters with the solutions, and the lesson plan on top."""
    export, _ = _load()
    _report(export.write_files(out, export.instructor_notebooks(chapter or []), force=force))


@teach.command(cls=Command)
@one_line_errors
def notebooks(out: Out, chapter: Chapter = None, force: Force = False) -> None:
    """All pages of the book that are notebooks, written so that JupyterLab shows them well."""
    export, _ = _load()
    _report(export.write_files(out, export.reader_notebooks(chapter or []), force=force))


@teach.command("slides", cls=Command)
@one_line_errors
def slides_of(
    out: Out,
    chapter: Chapter = None,
    executed: Annotated[
        Path | None,
        typer.Option(help="Folder with executed copies of the chapters; default: no outputs."),
    ] = None,
    force: Force = False,
) -> None:
    """One reveal.js page for each chapter; needs no network when shown."""
    export, slides = _load()
    made = slides.slide_files(chapter or [], executed=executed)
    _report(path for path in export.write_files(out, made, force=force) if path.suffix == ".html")


@teach.command(cls=Command)
@one_line_errors
def plan() -> None:
    """The lesson plans in Markdown, as they stand on the teacher's page."""
    from deqir_lite.teach.units import load_units, plan_markdown

    typer.echo(plan_markdown(load_units()), nl=False)


def _report(paths: Iterable[Path]) -> None:
    for path in paths:
        typer.echo(path)
