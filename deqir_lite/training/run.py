"""Train a photo prior from the beginning to the finished folder."""

import dataclasses
import math
from pathlib import Path
from typing import Any

import torch

from deqir_lite.priors.files import STATE_FILE
from deqir_lite.priors.residual import ResidualPrior
from deqir_lite.training import checkpoint
from deqir_lite.training.data import TrainingData
from deqir_lite.training.photos import load_photos
from deqir_lite.training.recipe import Recipe
from deqir_lite.training.trainer import Trainer


def train_prior(
    photos: str | Path | None,
    out: str | Path,
    minutes: float,
    *,
    recipe: Recipe | None = None,
    device: torch.device | str = "cpu",
    resume: bool = False,
    dead_leaves: float = 0.0,
    data_note: str = "",
    show_progress: bool = True,
    batch: int | None = None,
    seed: int | None = None,
    init: str | Path | None = None,
) -> Path:
    """Train a photo prior for ``minutes`` of training steps and write it to ``out``.

    Without a ``recipe`` it is the default one of the device, or with ``resume`` that of the run,
    on whichever device that began; ``batch`` and ``seed`` replace its own unless they are None.
    A run keeps its seed. ``init`` is the folder of a prior of this trainer, of the same
    architecture, to begin with instead of random weights.

    ``photos`` is a folder, or None when ``dead_leaves``, the share of the crops that comes from
    pictures of the trainer's own, is 1. ``data_note`` goes into the model card: what the photos
    are and under which licence. Raises ValueError for bad settings, an empty folder, or a run of
    another recipe, seed or data, FileNotFoundError for missing folders, FileExistsError when
    ``out`` holds a run already and ``resume`` is not set.
    """
    if not 0 < minutes < math.inf:
        raise ValueError(f"minutes: got {minutes!r}; expected a number > 0")
    if photos is None and dead_leaves != 1:
        raise ValueError("photos: got none; expected a folder, or a share of dead leaves of 1")
    if resume and init is not None:
        raise ValueError("init: a resumed run goes on with its own weights; leave init out")
    folder = Path(out)
    if not resume and (folder / STATE_FILE).exists():
        raise FileExistsError(f"out: {folder} holds a training run; resume it or name another one")
    state = checkpoint.load_state(folder) if resume else None
    recipe = _complete(recipe, device, state, batch, seed)
    prior = None if init is None else ResidualPrior.load(init)
    earlier = None if init is None else checkpoint.training_so_far(init)
    pictures = (
        [] if photos is None else load_photos(photos, minimum=max(recipe.crop, recipe.final_crop))
    )
    data = TrainingData(
        pictures,
        recipe.crop,
        dead_leaves=dead_leaves,
        seed=recipe.seed,
        device=device,
        final_size=recipe.final_crop,
    )
    del pictures  # the data has its own copy
    trainer = Trainer(recipe, data, folder=folder, data_note=data_note, init=prior, earlier=earlier)
    if state is not None:
        trainer.load_state_dict(state)
    trainer.train(minutes, show_progress=show_progress)
    return folder


def _complete(
    recipe: Recipe | None,
    device: torch.device | str,
    state: dict[str, Any] | None,
    batch: int | None,
    seed: int | None,
) -> Recipe:
    given = {"batch": batch, "seed": seed}
    changes: dict[str, Any] = {key: value for key, value in given.items() if value is not None}
    if recipe is None:
        if state is None:
            return Recipe.for_device(device, **changes)
        recipe = _stored_recipe(state)
        if seed not in (None, recipe.seed):
            raise ValueError(
                f"seed: got {seed}, but the run to resume has the seed {recipe.seed}; leave it out"
            )
    return dataclasses.replace(recipe, **changes)


def _stored_recipe(state: dict[str, Any]) -> Recipe:
    try:
        return Recipe(**state["recipe"])
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"resume: the checkpoint's recipe is none of this version ({error})"
        ) from error
