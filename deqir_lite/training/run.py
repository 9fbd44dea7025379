"""Train a photo prior, or a network of another kind, from the beginning to the finished folder."""

import dataclasses
import math
from pathlib import Path
from typing import Any

import torch

from deqir_lite._outputs import check_folder, check_space, only_process
from deqir_lite.bundled import prior_names, prior_path
from deqir_lite.checks import check_choice
from deqir_lite.priors.files import (
    CARD_FILE,
    CONFIG_FILE,
    LOG_FILE,
    SPECTRUM_FILE,
    STATE_FILE,
    WEIGHTS_FILE,
)
from deqir_lite.priors.residual import ResidualPrior
from deqir_lite.training import checkpoint
from deqir_lite.training.data import TrainingData
from deqir_lite.training.gan import GanRecipe, GanTrainer
from deqir_lite.training.photos import load_photos
from deqir_lite.training.recipe import Recipe
from deqir_lite.training.supervised import TaskRecipe, TaskTrainer
from deqir_lite.training.trainer import Trainer

RUN_FILES = (STATE_FILE, CONFIG_FILE, WEIGHTS_FILE, SPECTRUM_FILE, LOG_FILE, CARD_FILE)
"""What a run writes into its folder."""

RECIPES: dict[str, type[Recipe] | type[GanRecipe]] = {
    "prior": Recipe, "regression": TaskRecipe, "palette": TaskRecipe, "gan": GanRecipe,
}  # fmt: skip
"""By the kind of network."""


def train_prior(
    photos: str | Path | None,
    out: str | Path,
    minutes: float,
    *,
    kind: str = "prior",
    task: str | None = None,
    recipe: Recipe | GanRecipe | None = None,
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
    architecture, to begin with instead of random weights, or the name of a bundled one.

    ``kind`` "regression" or "palette" trains a network for one ``task`` instead, see
    :mod:`deqir_lite.training.supervised`, and "gan" a GAN, see :mod:`deqir_lite.training.gan`,
    which takes no ``init``.

    ``photos`` is a folder, or None when ``dead_leaves``, the share of the crops that comes from
    pictures of the trainer's own, is 1. ``data_note`` goes into the model card: what the photos
    are and under which licence. Raises ValueError for bad settings, an empty folder, or a run of
    another recipe, seed or data, FileNotFoundError for missing folders, FileExistsError when
    ``out`` holds a run already and ``resume`` is not set, or files of another origin that it would
    replace, BlockingIOError when another process works on ``out``, OSError when the disk is full.
    """
    task = getattr(recipe, "task", None) if task is None else task
    check_kind(kind, task=task, init=init, resume=resume)
    if not 0 < minutes < math.inf:
        raise ValueError(f"minutes: got {minutes!r}; expected a number > 0")
    if photos is None and dead_leaves != 1:
        raise ValueError("photos: got none; expected a folder, or a share of dead leaves of 1")
    if resume and init is not None:
        raise ValueError("init: a resumed run goes on with its own weights; leave init out")
    folder = Path(out)
    with only_process("out", folder, folder=True):
        _check_files(folder, resume)
        state = checkpoint.load_state(folder) if resume else None
        given = {"kind": None if kind == "prior" else kind, "task": task}
        given |= {"batch": batch, "seed": seed}
        recipe = _complete(recipe, kind, device, state, given)
        begin = None if init is None else _folder_of(init)
        prior = None if begin is None else ResidualPrior.load(begin)
        earlier = None if begin is None else checkpoint.training_so_far(begin)
        pictures = []
        if photos is not None:
            largest = max(recipe.crop, recipe.final_crop)
            pictures = load_photos(photos, minimum=largest, without=folder)
        data = TrainingData(
            pictures,
            recipe.crop,
            dead_leaves=dead_leaves,
            seed=recipe.seed,
            device=device,
            final_size=recipe.final_crop,
        )
        del pictures  # the data has its own copy
        trainer: Trainer | GanTrainer
        if isinstance(recipe, GanRecipe):
            trainer = GanTrainer(recipe, data, folder=folder, data_note=data_note)
        else:
            loop = TaskTrainer if isinstance(recipe, TaskRecipe) else Trainer
            trainer = loop(
                recipe, data, folder=folder, data_note=data_note, init=prior, earlier=earlier
            )
        if state is not None:
            trainer.load_state_dict(state)
        check_space("out", folder, trainer.bytes_on_disk)
        trainer.train(minutes, show_progress=show_progress)
    return folder


def check_kind(kind: str, *, task: str | None, init: object, resume: bool) -> None:
    """Refuse what does not belong to a kind of network."""
    check_choice("kind", kind, RECIPES)
    for_task = kind in ("regression", "palette")
    if task is not None and not for_task:
        raise ValueError(f"task: got {task!r}, but a {kind} is trained for no task; leave it out")
    if for_task and task is None and not resume:
        raise ValueError(f"task: got none; a {kind} is trained for one task, such as sr4")
    if init is not None and kind == "gan":
        raise ValueError("init: a gan begins with random weights; leave init out")


def _folder_of(prior: str | Path) -> Path:
    return prior_path(str(prior)) if str(prior) in prior_names() else Path(prior)


def _check_files(folder: Path, resume: bool) -> None:
    """Refuse a folder with files of another origin under the names that a run writes."""
    check_folder("out", folder, files=RUN_FILES)
    if resume:
        return
    if (folder / STATE_FILE).exists():
        raise FileExistsError(f"out: {folder} holds a training run; resume it or name another one")
    there = [name for name in RUN_FILES if (folder / name).exists()]
    if there:
        raise FileExistsError(
            f"out: {folder} holds {', '.join(there)} of another origin; name another folder"
        )


def _complete(
    recipe: Recipe | GanRecipe | None,
    kind: str,
    device: torch.device | str,
    state: dict[str, Any] | None,
    given: dict[str, Any],
) -> Recipe | GanRecipe:
    changes: dict[str, Any] = {key: value for key, value in given.items() if value is not None}
    if recipe is None:
        if state is None:
            return RECIPES[kind].for_device(device, **changes)
        recipe = _stored_recipe(state, kind)
        for name in ("task", "seed"):
            own = getattr(recipe, name, None)
            if given[name] not in (None, own):
                raise ValueError(
                    f"{name}: got {given[name]}, but the run to resume has the {name} {own}; leave "
                    "it out"
                )
    return dataclasses.replace(recipe, **changes)


def _stored_recipe(state: dict[str, Any], kind: str) -> Recipe | GanRecipe:
    try:
        own = state["recipe"].get("kind", "prior")
    except AttributeError as error:
        raise ValueError(
            f"resume: the checkpoint's recipe is none of this version ({error})"
        ) from error
    if own != kind:
        raise ValueError(f"kind: got {kind}, but the run to resume is that of a {own}")
    try:
        return RECIPES[kind](**state["recipe"])
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"resume: the checkpoint's recipe is none of this version ({error})"
        ) from error
