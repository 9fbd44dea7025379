"""Train a photo prior from the beginning to the finished folder."""

import math
from pathlib import Path

import torch

from deqir_lite.training import checkpoint
from deqir_lite.training.data import TrainingData
from deqir_lite.training.photos import load_photos
from deqir_lite.training.recipe import Recipe
from deqir_lite.training.trainer import Trainer


def train_prior(
    photos: str | Path | None,
    out: str | Path,
    minutes: float,
    recipe: Recipe | None = None,
    device: torch.device | str = "cpu",
    resume: bool = False,
    dead_leaves: float = 0.0,
    data_note: str = "",
    show_progress: bool = True,
) -> Path:
    """Train a photo prior for ``minutes`` and write it to ``out``.

    ``photos`` is a folder, or None when ``dead_leaves``, the share of the crops that comes from
    pictures of the trainer's own, is 1. ``data_note`` goes into the model card: what the photos
    are and under which licence. Raises ValueError for bad settings or an empty folder,
    FileNotFoundError for missing ones, FileExistsError when ``out`` holds a run already and
    ``resume`` is not set.
    """
    if not 0 < minutes < math.inf:
        raise ValueError(f"minutes: got {minutes!r}; expected a number > 0")
    if photos is None and dead_leaves != 1:
        raise ValueError("photos: got none; expected a folder, or a share of dead leaves of 1")
    folder, recipe = Path(out), recipe or Recipe.for_device(device)
    if not resume and (folder / checkpoint.STATE_FILE).exists():
        raise FileExistsError(f"out: {folder} holds a training run; resume it or name another one")
    state = checkpoint.load_state(folder) if resume else None
    pictures = [] if photos is None else load_photos(photos, minimum=recipe.crop)
    data = TrainingData(pictures, recipe.crop, dead_leaves, recipe.seed, device)
    del pictures  # the data has its own copy
    trainer = Trainer(recipe, data, folder, data_note)
    if state is not None:
        trainer.load_state_dict(state)
    trainer.train(minutes, show_progress)
    return folder
