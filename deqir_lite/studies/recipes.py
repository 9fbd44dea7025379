"""Train the same photos with several recipes for the same time, and compare what comes out.

What else the machine computes must not decide the comparison. So the seconds of a step are
measured first, for all recipes in turns, and a recipe then gets as many steps as would fill the
time at that pace. ``deqir-lite study recipes`` runs it. Its file, comparison.json in the folder
of a prior, becomes a table in the model card.
"""

import math
import statistics
import time
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from deqir_lite._json import read_schema, write_json
from deqir_lite._outputs import only_process
from deqir_lite.checks import check_choice
from deqir_lite.machine import describe_device
from deqir_lite.training.data import TrainingData
from deqir_lite.training.recipe import Recipe
from deqir_lite.training.schemas import Comparison
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

Paces = dict[str, dict[str, float]]
"""Seconds of a training step: recipe -> side of the crops, as JSON writes it -> seconds."""

Work = tuple[tuple[int, ...], int, int, int, int]
"""What the seconds of a step depend on: channels, blocks, patch; batch, side of the crops."""

ROUNDS = 9
"""Steps of every recipe and crop size that count for a pace, after one that does not."""


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

    Returns {"minutes", "hardware", "seconds_per_step", "recipes": {name: {"change", "steps",
    "crops", "params", "warmup", "loss", "psnr_t20", ...}}} with the scores of
    :func:`validate` on the same held-out photos. After every recipe the result so far is written
    to the file ``out``, unless that is None; what such a file holds already is not measured
    again. Raises ValueError when it was made in another time or on other hardware, where its rows
    would not compare, and BlockingIOError when another process works on it.
    """
    if not 0 < minutes < math.inf:
        raise ValueError(f"minutes: got {minutes!r}; expected a number > 0")
    if out is not None:
        with only_process("out", out):
            return _compare(photos, recipes, minutes, device, show_progress, out)
    return _compare(photos, recipes, minutes, device, show_progress, out)


def _compare(
    photos: Sequence[torch.Tensor],
    recipes: Mapping[str, Recipe],
    minutes: float,
    device: torch.device | str,
    show_progress: bool,
    out: Path | None,
) -> dict[str, Any]:
    hardware = describe_device(torch.device(device))
    result = _result_so_far(out, minutes, hardware)
    rows, paces = result["recipes"], result["seconds_per_step"]

    def trainer_of(recipe: Recipe) -> Trainer:
        data = TrainingData(
            photos, recipe.crop, seed=recipe.seed, device=device, final_size=recipe.final_crop
        )
        return Trainer(recipe, data)

    new = {name: trainer_of(recipe) for name, recipe in recipes.items() if name not in paces}
    paces.update(measure_paces(new))
    del new  # their weights have been trained on
    if out is not None:
        write_json(out, result, name="out")
    for name, recipe in recipes.items():
        if name in rows:
            continue
        trainer = trainer_of(recipe)
        clock = _paced_clock(trainer, 60 * minutes, paces[name])
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
            write_json(out, result, name="out")
    return result


def measure_paces(trainers: Mapping[str, Trainer]) -> Paces:
    """The seconds of a training step of each, taking turns: what slows one slows all alike.

    Recipes whose steps are the same work share one pace, so that chance does not give one of them
    more steps. On a CPU the seconds are those of the computing thread. The trainers' weights
    change.
    """
    kinds = {
        (name, str(trainer.recipe.crops(progress)[1])): (trainer, progress)
        for name, trainer in trainers.items()
        for progress in (0.0, 1.0)
    }
    taken: dict[Work, list[float]] = defaultdict(list)
    for turn in range(1 + ROUNDS):
        for trainer, progress in kinds.values():
            clock = time.thread_time if trainer.device.type == "cpu" else time.perf_counter
            start = clock()
            trainer.train_step(progress)
            float(trainer.loss)  # waits for the device
            seconds = clock() - start
            if turn:  # the first one is not counted
                taken[_work(trainer.recipe, progress)].append(seconds)
    paces: Paces = {name: {} for name in trainers}
    for (name, side), (trainer, progress) in kinds.items():
        paces[name][side] = statistics.median(taken[_work(trainer.recipe, progress)])
    return paces


def _work(recipe: Recipe, progress: float) -> Work:
    return recipe.channels, recipe.blocks, recipe.patch, *recipe.crops(progress)


def _paced_clock(trainer: Trainer, budget: float, pace: Mapping[str, float]) -> Callable[[], float]:
    """A clock that each step of ``trainer`` moves on by its pace."""
    step, seconds = trainer.step, 0.0

    def clock() -> float:
        nonlocal step, seconds
        side = trainer.recipe.crops(trainer.seconds / budget)[1]
        seconds += (trainer.step - step) * pace[str(side)]
        step = trainer.step
        return seconds

    return clock


def _result_so_far(out: Path | None, minutes: float, hardware: str) -> dict[str, Any]:
    fresh = {"minutes": minutes, "hardware": hardware, "seconds_per_step": {}, "recipes": {}}
    if out is None or not out.exists():
        return fresh
    there = read_schema(out, Comparison, name="out")
    if (there.minutes, there.hardware) != (minutes, hardware):
        raise ValueError(
            f"out: {str(out)!r} was made in {there.minutes:g} minutes on {there.hardware}, not in "
            f"{minutes:g} on {hardware}; delete it or name another file"
        )
    return fresh | there.model_dump(include=set(fresh))
