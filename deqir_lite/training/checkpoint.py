"""Saving a training run so that nothing is lost: every file is written whole or not at all."""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file

STATE_FILE = "training.pt"


def write_atomically(path: Path, write: Callable[[Path], None]) -> None:
    """Call ``write(temporary)`` and rename the result to ``path``; on failure ``path`` is untouched."""
    temporary = path.with_name(f".{path.name}.partial")
    try:
        write(temporary)
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def write_json(path: Path, value: Any) -> None:
    """Write ``value`` as indented JSON, atomically."""
    write_atomically(path, lambda p: p.write_text(json.dumps(value, indent=1) + "\n"))  # type: ignore[arg-type, return-value]


def save_state(folder: Path, state: dict[str, Any]) -> None:
    """Write everything that a resumed run needs."""
    write_atomically(folder / STATE_FILE, lambda path: torch.save(state, path))


def load_state(folder: Path) -> dict[str, Any]:
    """Read what :func:`save_state` wrote; FileNotFoundError or ValueError in one line otherwise."""
    path = folder / STATE_FILE
    if not path.is_file():
        raise FileNotFoundError(f"resume: {folder} holds no {STATE_FILE}")
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # torch.load raises half a dozen unrelated types
        raise ValueError(f"resume: {path} is corrupt ({str(error).splitlines()[0]})") from error


def export_prior(folder: Path, unet: Any, weights: dict[str, torch.Tensor]) -> None:
    """Write a diffusers folder: config.json, half-precision safetensors, scheduler_config.json."""
    half = {name: value.detach().cpu().half().contiguous() for name, value in weights.items()}
    write_atomically(
        folder / "diffusion_pytorch_model.safetensors",
        lambda path: save_file(half, path, metadata={"format": "pt"}),
    )
    config = {key: value for key, value in unet.config.items() if key != "_name_or_path"}
    write_json(folder / "config.json", {"_class_name": "UNet2DModel", **config})


def export_scheduler(folder: Path, num_train_timesteps: int) -> None:
    """Write scheduler_config.json: which schedule and prediction type the weights belong to."""
    config = {
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
    write_json(folder / "scheduler_config.json", config)
