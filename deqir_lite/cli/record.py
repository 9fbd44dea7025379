"""What lies restored in a folder, and how: so that the same command goes on where it was killed,
and another one replaces nothing."""

import hashlib
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from pydantic import Field

from deqir_lite._json import Schema, printable, read_schema, write_json
from deqir_lite._locks import open_locked, remove_locked
from deqir_lite._outputs import LOCK
from deqir_lite.cli.outputs import RECORD_FILE

_FILE = "sha256:"
"""What stands before the digest of a file in what was asked."""


class Entry(Schema):
    """A restored photo: digests of its file and of the photo's, what was asked, the numbers.

    Of one that is begun, the digest of its file is empty.
    """

    photo: str
    photo_sha256: str
    sha256: str
    asked: dict[str, Any]
    numbers: dict[str, Any]


class Record(Schema):
    """The restored photos of a folder by the names of their files."""

    photos: dict[str, Entry] = Field(default_factory=dict)


def digest(path: Path) -> str:
    """SHA-256 of a file; OSError where it cannot be read."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def by_content(options: Mapping[str, Any]) -> dict[str, Any]:
    """Options in which files are known by what is in them."""
    return {
        name: f"{_FILE}{digest(Path(value))}"
        if name in ("mask", "kernel") and value is not None and os.path.isfile(value)
        else value
        for name, value in options.items()
    }


def read_record(folder: Path) -> Record:
    """The record of a folder, empty where there is none; ValueError where the file is none."""
    path = folder / RECORD_FILE
    return read_schema(path, Record, name="out") if path.exists() else Record()


def is_recorded(out: Path) -> bool:
    """Whether the record of its folder knows a file of this name."""
    with suppress(ValueError, OSError):
        return printable(out.name) in read_record(out.parent).photos
    return False


def check_own(files: Sequence[Path], photo: Path, asked: dict[str, Any], way_out: str) -> None:
    """Refuse to replace any of the ``files``, of which the first is the result, but by what the
    same command makes of the same photo; the photo itself may have changed."""
    out = files[0]
    entry = read_record(out.parent).photos.get(printable(out.name))
    there = [file for file in files if os.path.lexists(file)]
    if not there:
        return
    if entry is None:
        reason = "and nothing says how it was made"
    elif differs := _differences(entry.asked, asked):
        reason = f"made with other options ({differs})"
    elif entry.photo != printable(str(photo)) and entry.photo_sha256 != digest(photo):
        reason = f"made of another photo, {entry.photo}"
    else:
        return
    raise ValueError(f"out: {printable(str(there[0]))} is there already, {reason}; {way_out}")


def _differences(before: dict[str, Any], now: dict[str, Any]) -> str:
    def said(name: str) -> str:
        old, new = before.get(name), now.get(name)
        if str(old).startswith(_FILE) and str(new).startswith(_FILE):
            return f"another {name}"
        words = ["a file" if str(value).startswith(_FILE) else value for value in (old, new)]
        words = ["none" if value is None else str(value) for value in words]
        return f"{name.replace('_', '-')} {words[0]}, not {words[1]}"

    return "; ".join(said(name) for name in {**now, **before} if before.get(name) != now.get(name))


def is_done(out: Path, photo: Path, asked: dict[str, Any]) -> bool:
    """Whether ``out`` is whole, and what the same ``photo`` gave when the same was ``asked``."""
    entry = read_record(out.parent).photos.get(printable(out.name))
    if entry is None or entry.asked != asked or not out.is_file() or not photo.is_file():
        return False
    return entry.photo_sha256 == digest(photo) and entry.sha256 == digest(out)


def note(
    out: Path, photo: Path, asked: dict[str, Any], numbers: dict[str, Any] | None = None
) -> None:
    """Keep that ``out`` is done, with its ``numbers``; or, before it is written, that it is begun:
    killed in between, the same command knows it for its own."""
    entry = Entry(
        photo=printable(str(photo)),
        photo_sha256=digest(photo),
        sha256="" if numbers is None else digest(out),
        asked=asked,
        numbers=numbers or {},
    )
    with _alone(out.parent):
        photos = read_record(out.parent).photos | {printable(out.name): entry}
        kept = {name: each.model_dump() for name, each in photos.items()}
        write_json(out.parent / RECORD_FILE, {"photos": kept}, name="out")


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Wait for other processes that note something in the same folder."""
    lock = folder / f".{RECORD_FILE}{LOCK}"
    while True:
        try:
            file = open_locked(lock)
            break
        except BlockingIOError:
            time.sleep(0.01)
    try:
        yield
    finally:
        remove_locked(lock, file)
