"""What the executed chapters in .nbexec/ left behind: certificates and execution times."""

import contextlib
import html
import re
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path

import nbformat

from deqir_lite.certificate import Certificate

FRONT_PAGE = "00-index.ipynb"  # claims nothing
CHAPTER = re.compile(r"0*([1-9]\d*)-")  # 03-ddim-restoration.ipynb is chapter 3
CAPTION = re.compile(r"<caption>Certificate: (.*?)\. (?:\d+ of \d+ claims pass|No claim)")


def chapter_number(name: str) -> int | None:
    """Number of a chapter by the name of its notebook; None for the front page."""
    match = CHAPTER.match(name)
    return int(match[1]) if match else None


def shown_titles(notebook: Path) -> list[str]:
    """Titles of the certificates among the outputs of an executed notebook."""
    titles = []
    for cell in nbformat.read(notebook, as_version=4).cells:
        for output in cell.get("outputs", []):
            text = output.get("data", {}).get("text/html", "")
            titles += [html.unescape(title) for title in CAPTION.findall(text)]
    return titles


def certificates(names: Iterable[str], executed: Path) -> dict[str, Path]:
    """Notebook -> the certificate that it shows, as JSON in ``executed``/certificates.

    Notebooks that show none, or whose file is missing, are left out. ValueError when two
    notebooks have certificates of one title, or a notebook shows several.
    """
    stored: dict[str, Path] = {}
    for path in (executed / "certificates").glob("*.json"):
        with contextlib.suppress(ValueError):  # cut off by a crash: as good as missing
            stored[Certificate.load(path).title] = path
    found: dict[str, Path] = {}
    for name in sorted(names):
        titles = shown_titles(executed / name) if (executed / name).exists() else []
        if len(titles) > 1:
            raise ValueError(f"{name}: shows {len(titles)} certificates; expected one")
        if titles and titles[0] in stored:
            if stored[titles[0]] in found.values():
                raise ValueError(f"{name}: another notebook has a certificate {titles[0]!r}")
            found[name] = stored[titles[0]]
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
