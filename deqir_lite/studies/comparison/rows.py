"""Every number as soon as it is known: one line a restoration, in a file that only grows."""

import base64
import io
import json
import os
import typing
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import MISSING, asdict, dataclass, field, fields
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from PIL import Image
from pydantic import create_model

from deqir_lite._files import naming
from deqir_lite._interrupts import postponed_interrupt
from deqir_lite._json import Number, Schema, Text, of_schema, read_schema, to_json
from deqir_lite.images import to_uint8
from deqir_lite.images.encoding import encode
from deqir_lite.machine import describe_device, versions
from deqir_lite.studies.comparison.settings import Setting
from deqir_lite.studies.evaluation.results import check_same_settings

FORMAT = 1


@dataclass(frozen=True)
class Row:
    """One restoration: a setting, a photo, a seed, and the numbers.

    * ``psnr``: every pixel, clamped; ``psnr_cropped``: without 4 pixels a side, as the published
      code of DeqIR has it; both of floats in RGB, in dB,
    * ``lpips``: None without its weights,
    * ``lite0_relative``: :func:`deqir_lite.metrics.features.feature_distance`, for relative use,
      None without its network,
    * ``consistency``: ||A x - y||_1 for photos in [0, 1], not clamped; ``consistency_8bit``: of the
      photo as an ordinary file would have it,
    * ``peak_bytes``: see :func:`deqir_lite.memory.watch_peak`,
    * ``features``, ``inception``: the mean features of the restored and the original photo, which
      the table of Fréchet distances and that of FID are made of: float16, in base64,
    * ``picture``: the restored photo as :func:`pack_picture` has it, where it was asked for,
    * ``failed``: why there are no numbers, where a method diverged for example.
    """

    method: str
    form: str
    task: str
    size: int
    sigma_y: float
    timesteps: int
    spacing: float
    eta: float | None
    photo: str
    seed: int
    psnr: float | None = None
    psnr_cropped: float | None = None
    ssim: float | None = None
    lpips: float | None = None
    lite0_relative: float | None = None
    consistency: float | None = None
    consistency_8bit: float | None = None
    nfe: int | None = None
    sweeps: int | None = None
    seconds: float | None = None
    peak_bytes: int | None = None
    features: str | None = None
    inception: str | None = None
    picture: str | None = None
    failed: str | None = None

    @property
    def setting(self) -> Setting:
        """What was done."""
        return Setting(*(getattr(self, name) for name in Setting._fields))

    @property
    def key(self) -> tuple[Setting, str, int]:
        """What there is one row of."""
        return self.setting, self.photo, self.seed


PACKED = ("features", "inception", "picture")
"""Columns that are no numbers of a restoration: for distances of sets, and for sheets."""


def pack_features(features: torch.Tensor) -> str:
    """Features (2, D), of the restored and the original photo, as a row has them."""
    return base64.b64encode(features.half().numpy().astype("<f2").tobytes()).decode()


def unpack_features(text: str) -> torch.Tensor:
    """As they were, (2, D); ValueError for another text."""
    try:
        values = np.frombuffer(base64.b64decode(text, validate=True), "<f2").astype(np.float32)
        return torch.from_numpy(values).reshape(2, -1)
    except (ValueError, RuntimeError) as error:
        raise ValueError("out: the features of a row are damaged: delete its line") from error


def pack_picture(x0: torch.Tensor) -> str:
    """x_0 (1, 3, H, W) in [-1, 1] as an 8-bit picture, lossless WebP in base64."""
    return base64.b64encode(encode(to_uint8(x0)[0], ".webp")).decode()


def unpack_picture(text: str) -> Image.Image:
    """The picture of a row; ValueError for another text."""
    try:
        return Image.open(io.BytesIO(base64.b64decode(text, validate=True))).convert("RGB")
    except (ValueError, OSError) as error:
        raise ValueError("out: the picture of a row is damaged: delete its line") from error


@dataclass(frozen=True)
class Session:
    """What stands above the rows of a process: the ``settings`` that all share, the name by which
    the ``prior`` was called, and what the process computed with."""

    settings: dict[str, Any]
    prior: str
    device: str
    versions: dict[str, str]


class _SessionInFile(Schema):
    format: Literal[1]
    settings: dict[str, Any]
    prior: Text
    device: str
    versions: dict[str, str]


_IN_FILE: dict[Any, Any] = {
    str: Text, int: int, float: Number,
    str | None: Text | None, int | None: int | None, float | None: Number | None,
}  # fmt: skip
_HINTS = typing.get_type_hints(Row)
_COLUMNS: dict[str, Any] = {
    each.name: (_IN_FILE[_HINTS[each.name]], ... if each.default is MISSING else each.default)
    for each in fields(Row)
}
_RowInFile = create_model("Row", __base__=Schema, **_COLUMNS)


class _TableInFile(Schema):
    format: Literal[1]
    rows: list[_RowInFile]  # type: ignore[valid-type]


@dataclass
class Found:
    """All that the files of a folder hold; of the same restoration the first row counts."""

    sessions: list[Session] = field(default_factory=list)
    rows: dict[tuple[Setting, str, int], Row] = field(default_factory=dict)

    @property
    def settings(self) -> dict[str, Any]:
        """What all numbers share; empty where there is none."""
        return self.sessions[0].settings if self.sessions else {}


def rows_file(folder: Path, rank: int) -> Path:
    """Where process number ``rank`` keeps its rows."""
    return folder / f"rows-{rank}.jsonl"


def read_rows(folder: Path, settings: dict[str, Any] | None = None) -> Found:
    """The rows of all processes.

    Raises ValueError for a damaged line, and for files whose settings differ from each other or
    from ``settings``; a last line without its end is being written, or was when a process died, and
    is left out.
    """
    found = Found()
    for path in sorted(folder.glob("rows-*.jsonl")):
        for number, content in _lines(path):
            where = f"out: {path}: line {number}"
            if "settings" in content:
                known = of_schema(content, _SessionInFile, where)
                session = Session(known.settings, known.prior, known.device, known.versions)
                now = settings or found.settings or session.settings
                check_same_settings(path, session.settings, now)
                found.sessions.append(session)
            else:
                values = of_schema(content, _RowInFile, where).model_dump()
                row = Row(**{name: values[name] for name in _COLUMNS})
                found.rows.setdefault(row.key, row)
    return found


def read_table(path: Path) -> list[Row]:
    """The rows of a methods.json, as ``deqir-lite evaluate`` writes them.

    Raises FileNotFoundError, and ValueError for another file and for a row with other entries, or
    with values of another kind.
    """
    rows: list[Any] = read_schema(path, _TableInFile, name="table").rows
    for k, row in enumerate(rows):
        for name in row.model_extra:
            raise ValueError(f"table: {path}: rows.{k}: no row of methods has an entry {name!r}")
    return [Row(**{name: getattr(row, name) for name in _COLUMNS}) for row in rows]


def _lines(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    with path.open("rb") as file:
        for number, line in enumerate(file, start=1):
            if not line.endswith(b"\n"):
                return
            content: Any = None
            with suppress(ValueError):
                content = json.loads(line)
            if not isinstance(content, dict):
                raise ValueError(f"out: {path}: line {number} is damaged: delete that line")
            yield number, content


@dataclass(frozen=True)
class Journal:
    """The file of one process, which the caller has locked."""

    path: Path

    def begin(self, settings: dict[str, Any], prior: str, device: torch.device) -> None:
        """Take away a line that an earlier process has left unfinished, and begin a session."""
        if self.path.exists():
            content = self.path.read_bytes()
            whole = content.rfind(b"\n") + 1
            if whole < len(content):
                with naming("out", self.path):
                    os.truncate(self.path, whole)
        session = Session(settings, prior, describe_device(device), versions())
        self._append({"format": FORMAT} | asdict(session))

    def add(self, row: Row) -> None:
        """Keep a row, on the disk when this returns."""
        self._append(asdict(row))

    def _append(self, content: dict[str, Any]) -> None:
        with postponed_interrupt(), naming("out", self.path), self.path.open("ab") as file:
            file.write(to_json(content, indent=None).encode())
            file.flush()
            os.fsync(file.fileno())
