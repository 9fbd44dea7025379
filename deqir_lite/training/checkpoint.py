"""Saving a training run so that nothing is lost: every file is written whole or not at all."""

import json
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file

from deqir_lite._files import replacing, write_atomically

STATE_FILE = "training.pt"
STATE_KEYS = frozenset(
    ("recipe", "unet", "average", "optimizer", "generator", "step", "seconds", "history")
)
"""What a checkpoint holds."""


def write_json(path: Path, value: Any) -> None:
    """Write ``value`` as indented JSON, atomically."""
    write_atomically(path, (json.dumps(value, indent=1) + "\n").encode())


def save_state(folder: Path, state: dict[str, Any]) -> None:
    """Write everything that a resumed run needs."""
    with replacing(folder / STATE_FILE) as temporary:
        torch.save(state, temporary)


def load_state(folder: Path) -> dict[str, Any]:
    """Read what :func:`save_state` wrote; FileNotFoundError or ValueError in one line otherwise."""
    path = folder / STATE_FILE
    if not path.is_file():
        raise FileNotFoundError(f"resume: {folder} holds no {STATE_FILE}")
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # torch.load raises half a dozen unrelated types
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise ValueError(f"resume: {path} is corrupt ({reason})") from error
    if not isinstance(state, dict) or not state.keys() >= STATE_KEYS:
        raise ValueError(f"resume: {path} is no checkpoint of a training run")
    return state


def export_prior(folder: Path, unet: Any, weights: dict[str, torch.Tensor]) -> None:
    """Write a diffusers folder: config.json, half-precision safetensors, scheduler_config.json."""
    half = {name: value.detach().cpu().half().contiguous() for name, value in weights.items()}
    with replacing(folder / "diffusion_pytorch_model.safetensors") as temporary:
        save_file(half, temporary, metadata={"format": "pt"})
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
