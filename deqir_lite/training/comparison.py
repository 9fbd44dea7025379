"""Train the same photos with several recipes for the same time, and compare what comes out.

Run it with ``python -m deqir_lite.training.comparison --photos FOLDER --minutes 5 --out
comparison.json``. A file of that name in the folder of a prior becomes a table in its model card.
"""

import argparse
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from deqir_lite.checks import check_choice
from deqir_lite.machine import describe_device
from deqir_lite.training.checkpoint import write_json
from deqir_lite.training.data import TrainingData
from deqir_lite.training.photos import load_photos
from deqir_lite.training.recipe import Recipe
from deqir_lite.training.tables import COMPARISON_FILE, comparison_table
from deqir_lite.training.trainer import Trainer

CHANGES: dict[str, dict[str, Any]] = {
    "base": {},
    "uniform timesteps": {"low_noise": 0.0},
    "epsilon weighting": {"weighting": "epsilon"},
    "full resolution": {"patch": 1, "channels": (32, 64, 128, 144, 160)},
    "wide and shallow": {"channels": (96, 128, 192)},
    "deep and narrow": {"channels": (48, 96, 112, 128), "layers_per_block": 2},
}
"""What each recipe of the comparison changes in the default one."""


def named_recipes(device: torch.device | str, names: Sequence[str] = ()) -> dict[str, Recipe]:
    """The recipes ``names`` (all when empty) for a device; ValueError lists the known names."""
    for name in names:
        check_choice("recipes", name, CHANGES)
    return {name: Recipe.for_device(device, **CHANGES[name]) for name in names or CHANGES}


def compare_recipes(
    photos: Sequence[torch.Tensor],
    recipes: Mapping[str, Recipe],
    minutes: float,
    device: torch.device | str = "cpu",
    show_progress: bool = False,
) -> dict[str, Any]:
    """Train each recipe for ``minutes`` on the same uint8 photos (3, H, W) and validate it.

    Returns {"minutes", "hardware", "recipes": {name: {"steps", "params", "loss", "psnr_t20", ...}}}
    with the scores of :func:`validate`. Nothing is written.
    """
    if not 0 < minutes < math.inf:
        raise ValueError(f"minutes: got {minutes!r}; expected a number > 0")
    rows = {}
    for name, recipe in recipes.items():
        data = TrainingData(photos, recipe.crop, seed=recipe.seed, device=device)
        trainer = Trainer(recipe, data)
        trainer.train(minutes, show_progress)
        last = trainer.history[-1]
        rows[name] = {
            "steps": trainer.step,
            "params": sum(p.numel() for p in trainer.unet.parameters()),
            "loss": last["loss"],
            **{key: value for key, value in last.items() if key.startswith("psnr_t")},
        }
    return {"minutes": minutes, "hardware": describe_device(torch.device(device)), "recipes": rows}


def main(arguments: Sequence[str] | None = None) -> None:
    """Compare the named recipes on a folder of photos; write the result, print the table."""
    parser = argparse.ArgumentParser(prog="python -m deqir_lite.training.comparison")
    parser.add_argument("--photos", required=True, help="folder of training photos")
    parser.add_argument("--minutes", type=float, default=5.0, help="training time of each recipe")
    parser.add_argument("--out", type=Path, default=Path(COMPARISON_FILE))
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--recipes", nargs="*", default=[], metavar="NAME",
                        help=f"some of: {', '.join(CHANGES)}")  # fmt: skip
    options = parser.parse_args(arguments)
    try:
        recipes = named_recipes(options.device, options.recipes)
        largest = max(recipe.crop for recipe in recipes.values())
        photos = load_photos(options.photos, minimum=largest)
        result = compare_recipes(photos, recipes, options.minutes, options.device, True)
        write_json(options.out, result)
    except (ValueError, OSError) as error:
        parser.error(str(error))
    print(comparison_table(result["recipes"]))


if __name__ == "__main__":
    main()
