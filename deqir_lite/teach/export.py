"""Write the notebooks and slides of the course into a folder, without harm to what is there."""

from collections.abc import Callable, Mapping
from pathlib import Path

import nbformat
from nbformat import NotebookNode

from deqir_lite._files import write_atomically
from deqir_lite._outputs import check_folder, only_process
from deqir_lite.teach.copies import instructor_cells, reader_cells, student_cells
from deqir_lite.teach.notebooks import Chapter, chapters, chosen, notebook, notebooks
from deqir_lite.teach.readable import Reader, readers
from deqir_lite.teach.units import load_units


def _converted(
    names: list[str],
    convert: Callable[[Chapter, Reader], list[NotebookNode]],
    taught: Callable[[list[Chapter]], list[Chapter]] = chapters,
    *,
    fold: bool = False,
) -> dict[str, bytes]:
    book = notebooks()
    reader = readers(book, fold=fold)
    made = {c.path.name: notebook(convert(c, reader[c.name])) for c in chosen(names, taught(book))}
    return {name: (nbformat.writes(made[name]) + "\n").encode() for name in made}


def student_notebooks(names: list[str]) -> dict[str, bytes]:
    """File name -> student's notebook, for the chapters named (all when none is)."""
    return _converted(names, student_cells)


def instructor_notebooks(names: list[str]) -> dict[str, bytes]:
    """File name -> instructor's notebook, for the chapters named (all when none is)."""
    units = load_units()
    return _converted(names, lambda chapter, reader: instructor_cells(chapter, reader, units))


def reader_notebooks(names: list[str]) -> dict[str, bytes]:
    """File name -> reader's notebook, for the notebooks named (all of the book when none is)."""
    return _converted(names, reader_cells, list, fold=True)


def write_files(folder: Path, files: Mapping[str, bytes], *, force: bool = False) -> list[Path]:
    """Write ``files`` (relative name -> content) below ``folder``, which is made if need be.

    A file that is there already with another content may hold somebody's work: then nothing is
    written at all, and ValueError names it, unless ``force`` is given. Returns the paths written.
    """
    folder = Path(folder)
    paths = {folder / name: content for name, content in files.items()}
    with only_process("out", folder, folder=True):
        for path in paths:
            check_folder("out", path.parent, files=[path.name])
        changed = [p for p, content in paths.items() if p.exists() and p.read_bytes() != content]
        if changed and not force:
            names = ", ".join(str(path.relative_to(folder)) for path in changed)
            raise ValueError(
                f"out: {str(folder)!r} has other versions of {names}; --force replaces them"
            )
        for path, content in paths.items():
            path.parent.mkdir(parents=True, exist_ok=True)
            write_atomically(path, content, name="out")
    return list(paths)
