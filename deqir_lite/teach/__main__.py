"""``python -m deqir_lite.teach student | instructor | slides | plan``."""

from pathlib import Path

import typer

from deqir_lite.cli.app import one_line_errors
from deqir_lite.teach.units import load_units, plan_markdown

try:
    from deqir_lite.teach.export import instructor_notebooks, student_notebooks, write_files
    from deqir_lite.teach.slides import slide_files
except ImportError as error:  # nbconvert, nbformat, markdown-it-py, mdit-py-plugins, pybtex
    raise SystemExit(f"error: {error}; install deqir-lite[book]") from error

app = typer.Typer(
    help="Notebooks and slides of the course, made from the chapters of the book.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)

OUT = typer.Argument(help="Folder to write into; made if it is not there.")
CHAPTER = typer.Option(
    [], "--chapter", "-c", help="Number or name of a chapter, may be given again; default: all."
)
FORCE = typer.Option(False, "--force", help="Replace files in OUT that differ.")
EXECUTED = typer.Option(
    None, "--executed", help="Folder with executed copies of the chapters; default: no outputs."
)


@app.command()
@one_line_errors
def student(out: Path = OUT, chapter: list[str] = CHAPTER, force: bool = FORCE) -> None:
    """Chapters with the solutions taken out, and places for answers in."""
    _report(write_files(out, student_notebooks(chapter), force=force))


@app.command()
@one_line_errors
def instructor(out: Path = OUT, chapter: list[str] = CHAPTER, force: bool = FORCE) -> None:
    """Chapters with the solutions, and the lesson plan on top."""
    _report(write_files(out, instructor_notebooks(chapter), force=force))


@app.command()
@one_line_errors
def slides(
    out: Path = OUT,
    chapter: list[str] = CHAPTER,
    executed: Path | None = EXECUTED,
    force: bool = FORCE,
) -> None:
    """One reveal.js page for each chapter; needs no network when shown."""
    written = write_files(out, slide_files(chapter, executed=executed), force=force)
    _report([path for path in written if path.suffix == ".html"])


@app.command()
@one_line_errors
def plan() -> None:
    """The lesson plans in Markdown, as they stand on the teacher's page."""
    typer.echo(plan_markdown(load_units()), nl=False)


def _report(paths: list[Path]) -> None:
    for path in paths:
        typer.echo(path)


if __name__ == "__main__":
    app()
