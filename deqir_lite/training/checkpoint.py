"""Saving a training run so that nothing is lost: all files are written whole, or none is."""

import io
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save

from deqir_lite._files import replacing, write_atomically
from deqir_lite._json import to_json

STATE_FILE = "training.pt"
WEIGHTS_FILE = "diffusion_pytorch_model.safetensors"
LOG_FILE = "training_log.json"

STATE_KEYS = frozenset(
    (
        *("recipe", "unet", "averages", "optimizer", "generator", "device"),
        *("step", "crops", "seconds", "history", "data_note"),
    )
)
"""What a checkpoint holds at least; newer ones also tell of their "data"."""


def write_json(path: Path, value: Any) -> None:
    """Write ``value`` as indented JSON, atomically."""
    write_atomically(path, to_json(value).encode())


def write_together(folder: Path, files: dict[str, bytes]) -> None:
    """Write all ``files`` (name -> content) into ``folder``, and only then replace older ones.

    When a write fails, by a full disk for instance, every older file is as it was.
    """
    with ExitStack() as pending:
        for name, content in files.items():
            pending.enter_context(replacing(folder / name)).write_bytes(content)


def save_run(
    folder: Path, state: dict[str, Any], unet: Any, weights: dict[str, torch.Tensor], log: Any
) -> None:
    """Write checkpoint, prior and log of a run, so that they always belong together."""
    scheduler = scheduler_config(state["recipe"]["num_train_timesteps"])
    write_together(
        folder,
        {
            STATE_FILE: _state_bytes(state),
            **_prior_files(unet, weights),
            "scheduler_config.json": to_json(scheduler).encode(),
            LOG_FILE: to_json(log).encode(),
        },
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


def export_prior(folder: Path, unet: Any, weights: dict[str, torch.Tensor]) -> None:
    """Write the network of a diffusers folder: config.json and half-precision safetensors."""
    write_together(folder, _prior_files(unet, weights))


def _prior_files(unet: Any, weights: dict[str, torch.Tensor]) -> dict[str, bytes]:
    half = {name: value.detach().cpu().half().contiguous() for name, value in weights.items()}
    # what begins with _ are diffusers' own notes, in another order each time
    config = {key: value for key, value in unet.config.items() if not key.startswith("_")}
    return {
        WEIGHTS_FILE: save(half, metadata={"format": "pt"}),
        "config.json": to_json({"_class_name": "UNet2DModel", **config}).encode(),
    }


def scheduler_config(num_train_timesteps: int) -> dict[str, Any]:
    """scheduler_config.json: which schedule and prediction type the weights belong to."""
    return {
        "_class_name": "DDIMScheduler",
        "beta_schedule": "linear",
        "beta_start": 1e-4,
        "beta_end": 0.02,
        "num_train_timesteps": num_train_timesteps,
        "prediction_type": "v_prediction",
        "clip_sample": False,
        "set_alpha_to_one": True,
        "timestep_spacing": "leading",
        "steps_offset": 0,
    }
