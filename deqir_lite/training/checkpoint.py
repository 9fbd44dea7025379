"""The files of a training run: all are written whole, or none is; and what they tell."""

import io
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import torch
from jinja2 import UndefinedError

from deqir_lite._files import replacing
from deqir_lite._json import read_object, to_json
from deqir_lite.priors.files import LOG_FILE, STATE_FILE
from deqir_lite.priors.residual import ResidualPrior

STATE_KEYS = frozenset(
    (
        *("recipe", "network", "scale", "averages", "optimizers", "generator", "device"),
        *("step", "crops", "seconds", "history", "data_note", "began_with"),
    )
)
"""What a checkpoint holds at least; newer ones also tell of their "data"."""


def write_together(folder: Path, files: dict[str, bytes]) -> None:
    """Write all ``files`` (name -> content) into ``folder``, and only then replace older ones.

    When a write fails, by a full disk for instance, every older file is as it was.
    """
    with ExitStack() as pending:
        for name, content in files.items():
            pending.enter_context(replacing(folder / name)).write_bytes(content)


def save_run(folder: Path, state: dict[str, Any], prior: ResidualPrior, log: Any) -> None:
    """Write checkpoint, prior and log of a run, so that they always belong together."""
    write_together(
        folder,
        {STATE_FILE: _state_bytes(state), **prior.files(), LOG_FILE: to_json(log).encode()},
    )


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
    missing = STATE_KEYS - set(state) if isinstance(state, dict) else STATE_KEYS
    if missing:
        raise ValueError(
            f"resume: {path} is no checkpoint of a training run of this version; it lacks "
            f"{', '.join(sorted(missing))}"
        )
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
    log = read_object(path, name="folder")
    with naming(path, "log of this trainer"):
        before = log["began_with"] or {}
        return {
            "crops": log["crops"] + before.get("crops", 0),
            "minutes": log["history"][-1]["minutes"] + before.get("minutes", 0.0),
        }


@contextmanager
def naming(path: Path, expected: str) -> Iterator[None]:
    """Whatever goes wrong inside comes from what the file ``path`` of a folder holds."""
    try:
        yield
    except (AttributeError, LookupError, TypeError, ValueError, UndefinedError) as error:
        raise ValueError(f"folder: {path} is no {expected} ({error})") from error
