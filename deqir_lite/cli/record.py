"""What lies restored in a folder, and how: so that the same command goes on where it was killed."""

import hashlib
from pathlib import Path
from typing import Any

from pydantic import Field

from deqir_lite._json import Schema, printable, read_schema, write_json

RECORD_FILE = "restored.json"


class Entry(Schema):
    """A restored photo: digests of its file and of the photo's, what was asked, the numbers."""

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


def read_record(folder: Path) -> Record:
    """The record of a folder, empty where there is none; ValueError where the file is none."""
    path = folder / RECORD_FILE
    return read_schema(path, Record, name="out") if path.exists() else Record()


def is_done(out: Path, photo: Path, asked: dict[str, Any]) -> bool:
    """Whether ``out`` is whole, and what the same ``photo`` gave when the same was ``asked``."""
    entry = read_record(out.parent).photos.get(printable(out.name))
    if entry is None or entry.asked != asked or not out.is_file() or not photo.is_file():
        return False
    return entry.photo_sha256 == digest(photo) and entry.sha256 == digest(out)


def note(out: Path, photo: Path, asked: dict[str, Any], numbers: dict[str, Any]) -> None:
    """Keep that ``out`` is done."""
    entry = Entry(
        photo=printable(str(photo)),
        photo_sha256=digest(photo),
        sha256=digest(out),
        asked=asked,
        numbers=numbers,
    )
    photos = read_record(out.parent).photos | {printable(out.name): entry}
    kept = {name: each.model_dump() for name, each in photos.items()}
    write_json(out.parent / RECORD_FILE, {"photos": kept}, name="out")
