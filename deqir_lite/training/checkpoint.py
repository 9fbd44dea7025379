"""The files of a training run: all are written whole, or none is; and what they tell."""

import io
from pathlib import Path
from typing import Any, Protocol

import torch

from deqir_lite._files import write_together
from deqir_lite._json import of_schema, read_schema, to_json
from deqir_lite.priors.files import LOG_FILE, STATE_FILE
from deqir_lite.training.schemas import StateFile, TrainingLog


class HasFiles(Protocol):
    """What a run exports: its files by name."""

    def files(self) -> dict[str, bytes]: ...


def save_run(folder: Path, state: dict[str, Any], made: HasFiles, log: Any) -> None:
    """Write checkpoint, log and what a run has ``made``, so that they always belong together."""
    # The checkpoint comes first: killed between two files, the run goes on with it, and the next
    # save writes the others.
    files = {STATE_FILE: _state_bytes(state), **made.files(), LOG_FILE: to_json(log).encode()}
    write_together(folder, files, name="out")


def _state_bytes(state: dict[str, Any]) -> bytes:
    # Not straight to the file: a full disk would then raise an error of torch's, not OSError.
    buffer = io.BytesIO()
    torch.save(state, buffer)
    return buffer.getvalue()


def load_state(folder: Path) -> dict[str, Any]:
    """Read what :func:`save_run` wrote; FileNotFoundError or ValueError in one line otherwise."""
    path = folder / STATE_FILE
    if not path.is_file():
        raise FileNotFoundError(f"resume: {folder} holds no {STATE_FILE}")
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # torch.load raises half a dozen unrelated types
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise ValueError(f"resume: {path} is corrupt ({reason})") from error
    if not isinstance(state, dict):
        raise ValueError(f"resume: {path} holds a {type(state).__name__}; expected a training run")
    of_schema(state, StateFile, f"resume: {path}")
    return state


def check_same_data(state: dict[str, Any], data: dict[str, float]) -> None:
    """Refuse to go on with other ``data`` than the run of ``state`` had, if it tells which."""
    there = dict(state.get("data", data))
    different = [
        f"{name.replace('_', ' ')} {there.get(name)} there, {data.get(name)} now"
        for name in there | data
        if there.get(name) != data.get(name)
    ]
    if different:
        raise ValueError(
            f"resume: the checkpoint was trained with other data: {'; '.join(different)}; use the "
            "same photos and share of dead leaves, or another output folder"
        )


def training_so_far(folder: str | Path) -> dict[str, float]:
    """Crops and minutes of training that the log of a prior tells of, with those of the prior that
    it began with; {} without a log. Raises ValueError when it is none of this trainer's."""
    path = Path(folder) / LOG_FILE
    if not path.is_file():
        return {}
    log = read_schema(path, TrainingLog, name="folder")
    before = log.began_with
    return {
        "crops": log.crops + (before.crops if before else 0),
        "minutes": log.history[-1].minutes + (before.minutes if before else 0.0),
    }
