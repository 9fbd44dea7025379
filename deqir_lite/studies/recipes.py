"""Train the same photos with several recipes for the same time, and compare what comes out.

``deqir-lite study recipes`` runs it. Its file, comparison.json in the folder of a prior, becomes a
table in the model card.
"""

import math
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from deqir_lite._json import read_object, write_json
from deqir_lite.checks import check_choice
from deqir_lite.machine import describe_device
from deqir_lite.training.data import TrainingData
from deqir_lite.training.recipe import Recipe
from deqir_lite.training.trainer import Trainer

CHANGES: dict[str, tuple[str, dict[str, Any]]] = {
    "base": ("none", {}),
    "wide": ("channels 64, 128, 144, 160", {"channels": (64, 128, 144, 160)}),
    "deep": (
        "3 blocks per level, channels 48, 96, 112, 160",
        {"blocks": 3, "channels": (48, 96, 112, 160)},
    ),
    "full resolution": (
        "no pixel-unshuffle, channels 16, 48, 96, 128, 224",
        {"patch": 1, "channels": (16, 48, 96, 128, 224)},
    ),
    "large batch": ("batch 64, Muon's rate 0.004", {"batch": 64, "muon_lr": 4e-3}),
    "low rate": ("Muon's rate 0.0015", {"muon_lr": 1.5e-3}),
    "high rate": ("Muon's rate 0.006", {"muon_lr": 6e-3}),
    "half uniform": ("50% of the timesteps towards low noise", {"low_noise": 0.5}),
    "large crops": ("crops of 96 x 96 pixels in the decay", {"final_crop": 96}),
}
"""The recipes that are compared: name -> its changes of the default one, in words and as fields."""


def named_recipes(device: torch.device | str, *, names: Sequence[str] = ()) -> dict[str, Recipe]:
    """The recipes ``names`` (all when empty) for a device; ValueError lists the known names."""
    for name in names:
        check_choice("recipes", name, CHANGES)
    return {name: Recipe.for_device(device, **CHANGES[name][1]) for name in names or CHANGES}


def compare_recipes(
    photos: Sequence[torch.Tensor],
    recipes: Mapping[str, Recipe],
    minutes: float,
    *,
    device: torch.device | str = "cpu",
    show_progress: bool = False,
    out: Path | None = None,
) -> dict[str, Any]:
    """Train each recipe for ``minutes`` on the same uint8 photos (3, H, W) and validate it.

    Returns {"minutes", "hardware", "recipes": {name: {"change", "steps", "crops", "params",
    "warmup", "loss", "psnr_t20", ...}}} with the scores of :func:`validate` on the same held-out
    photos. After every recipe the result so far is written to the file ``out``, unless that is
    None; the recipes that such a file holds already are not trained again. Raises ValueError when
    it was made in another time or on other hardware, where its rows would not compare.
    """
    if not 0 < minutes < math.inf:
        raise ValueError(f"minutes: got {minutes!r}; expected a number > 0")
    hardware = describe_device(torch.device(device))
    rows = _rows_so_far(out, minutes, hardware)
    result = {"minutes": minutes, "hardware": hardware, "recipes": rows}
    for name, recipe in recipes.items():
        if name in rows:
            continue
        data = TrainingData(
            photos, recipe.crop, seed=recipe.seed, device=device, final_size=recipe.final_crop
        )
        trainer = Trainer(recipe, data)
        # what else a CPU computes meanwhile must not decide the comparison
        clock = time.thread_time if data.device.type == "cpu" else None
        trainer.train(minutes, show_progress=show_progress, clock=clock)
        last = trainer.history[-1]
        rows[name] = {
            "change": CHANGES[name][0] if name in CHANGES else "",
            "steps": trainer.step,
            "crops": trainer.crops,
            "params": sum(p.numel() for p in trainer.network.parameters()),
            "warmup": recipe.warmup,
            "loss": last["loss"],
            **{key: value for key, value in last.items() if key.startswith("psnr_t")},
        }
        if out is not None:
            write_json(out, result)
    return result


def _rows_so_far(out: Path | None, minutes: float, hardware: str) -> dict[str, Any]:
    if out is None or not out.exists():
        return {}
    try:
        there = read_object(out, name="out")
        made, rows = (there["minutes"], there["hardware"]), dict(there["recipes"])
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(f"out: {str(out)!r} is no comparison of recipes ({error!r})") from error
    if made != (minutes, hardware):
        raise ValueError(
            f"out: {str(out)!r} was made in {made[0]:g} minutes on {made[1]}, not in {minutes:g} "
            f"on {hardware}; delete it or name another file"
        )
    return rows
