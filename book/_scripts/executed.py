"""What the executed chapters in .nbexec/ left behind: certificates and execution times."""

import contextlib
import html
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path

import nbformat

from deqir_lite.certificate import Certificate

FRONT_PAGE = "00-index.ipynb"  # claims nothing


def chapter_number(name: str) -> int | None:
    """3 for 03-ddim-restoration.ipynb; None for the front page and for what is no chapter."""
    number = name.partition("-")[0]
    return int(number) or None if number.isdigit() else None


def shown_tables(notebook: Path) -> str:
    """All outputs in HTML of an executed notebook; nothing where it is missing."""
    if not notebook.exists():
        return ""
    cells = nbformat.read(notebook, as_version=4).cells
    outputs = [output for cell in cells for output in cell.get("outputs", [])]
    return "\n".join(output.get("data", {}).get("text/html", "") for output in outputs)


def certificates(names: Iterable[str], executed: Path) -> dict[str, Path]:
    """Notebook -> the certificate that it shows, as JSON in ``executed``/certificates.

    Notebooks that show none, or whose file is missing, are left out. ValueError when two
    notebooks have certificates of one title, or a notebook shows several.
    """
    stored: dict[str, Path] = {}
    for path in (executed / "certificates").glob("*.json"):
        with contextlib.suppress(ValueError):  # cut off by a crash: as good as missing
            caption = html.escape(Certificate.load(path).caption)
            stored[f"<caption>{caption}</caption>"] = path
    found: dict[str, Path] = {}
    for name in sorted(names):
        shown = shown_tables(executed / name)
        paths = [path for caption, path in stored.items() if caption in shown]
        if len(paths) > 1:
            raise ValueError(f"{name}: shows {len(paths)} certificates; expected one")
        if paths and paths[0] in found.values():
            raise ValueError(f"{name}: another notebook has its certificate {paths[0].name}")
        if paths:
            found[name] = paths[0]
    return found


def seconds(notebook: Path) -> float:
    """Time from the start of the first cell to the end of the last."""
    starts, ends = [], []
    for cell in nbformat.read(notebook, as_version=4).cells:
        times = cell.metadata.get("execution", {})
        if "iopub.execute_input" in times and "iopub.status.idle" in times:
            starts.append(datetime.fromisoformat(times["iopub.execute_input"]))
            ends.append(datetime.fromisoformat(times["iopub.status.idle"]))
    if not starts:
        raise ValueError(f"{notebook.name}: no cell has its times; was it executed?")
    return (max(ends) - min(starts)).total_seconds()
