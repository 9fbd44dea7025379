"""The training loop of a photo prior, measured in minutes, resumable at any time."""

import dataclasses
import math
import time
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from tqdm.auto import tqdm

from deqir_lite.priors.network import NetworkPrior
from deqir_lite.training import checkpoint
from deqir_lite.training.card import write_card
from deqir_lite.training.photos import load_photos, random_crops, split_photos
from deqir_lite.training.recipe import Recipe, sample_timesteps, v_target
from deqir_lite.training.validation import validate, validation_crops

SAVE_EVERY = 300.0
"""Seconds between checkpoints."""


class Trainer:
    """One training run: weights, their moving average, the optimiser and the time already used.

    ``folder`` receives the checkpoint, the exported prior, a log and the model card.
    """

    def __init__(
        self, recipe: Recipe, photos: list[torch.Tensor], folder: Path, device: torch.device
    ) -> None:
        torch.manual_seed(recipe.seed)
        self.recipe, self.folder, self.device = recipe, folder, device
        self.training, self.held_out = split_photos(photos)
        self.unet = recipe.build_unet().to(device, memory_format=torch.channels_last)
        self.average = {k: v.detach().clone() for k, v in self.unet.state_dict().items()}
        self.optimizer = torch.optim.AdamW(self.unet.parameters(), recipe.peak_lr)
        self.generator = torch.Generator().manual_seed(recipe.seed)
        self.schedule = recipe.schedule
        self.crops = validation_crops(self.held_out, recipe.crop).to(device)
        self.step, self.seconds = 0, 0.0
        self.history: list[dict[str, float]] = []

    def train(self, minutes: float, show_progress: bool = True) -> None:
        """Train until ``minutes`` are used up, counting those of the run that was resumed.

        An interrupted run (Ctrl-C) is saved and can be resumed. Raises ValueError when the loss is
        no longer finite; the last checkpoint stays as it was.
        """
        budget = 60 * minutes
        saved = self.seconds
        with tqdm(total=round(budget), initial=round(self.seconds), unit="s",
                  disable=not show_progress) as bar:  # fmt: skip
            try:
                while self.seconds < budget:
                    start = time.perf_counter()
                    loss = self.train_step(self.seconds / budget)
                    self.seconds += time.perf_counter() - start
                    if not math.isfinite(loss):
                        raise ValueError(
                            f"loss: became {loss} in step {self.step}; stopped, and the last "
                            "checkpoint is as it was"
                        )
                    bar.set_postfix(step=self.step, loss=f"{loss:.4f}", refresh=False)
                    bar.update(round(min(self.seconds, budget)) - bar.n)
                    if self.seconds - saved > SAVE_EVERY:
                        saved = self.seconds
                        self.save()
            except KeyboardInterrupt:
                self.save()
                raise
        self.save()

    def train_step(self, progress: float) -> float:
        """One optimiser step on one batch of crops; returns the loss."""
        recipe = self.recipe
        for group in self.optimizer.param_groups:
            group["lr"] = recipe.learning_rate(self.step, progress)
        x0 = random_crops(self.training, recipe.batch, recipe.crop, self.generator)
        eps = torch.randn(x0.shape, generator=self.generator)
        t = sample_timesteps(recipe.batch, recipe.num_train_timesteps, self.generator)
        signal, noise = self.schedule.at(t, x0)
        x_t = signal * x0 + noise * eps
        target = v_target(x0, eps, signal, noise)
        x_t, target = (
            F.pixel_unshuffle(image.to(self.device), recipe.patch).to(
                memory_format=torch.channels_last
            )
            for image in (x_t, target)
        )
        with torch.autocast(self.device.type, torch.bfloat16):
            output = self.unet(x_t, t.to(self.device)).sample
        loss = F.mse_loss(output.float(), target)
        self.optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.unet.parameters(), 1.0)
        self.optimizer.step()
        self.step += 1
        self._update_average()
        return float(loss.detach())

    @torch.no_grad()
    def _update_average(self) -> None:
        decay = min(self.recipe.ema_decay, (1 + self.step) / (10 + self.step))
        for name, value in self.unet.state_dict().items():
            self.average[name].lerp_(value, 1 - decay)

    def averaged_prior(self) -> NetworkPrior:
        """The prior with the moving average of the weights, as it will be saved."""
        unet = self.recipe.build_unet()
        unet.load_state_dict(self.average)
        return NetworkPrior(unet, self.schedule, "v_prediction", dtype="bfloat16").to(self.device)

    def save(self) -> None:
        """Validate, then write checkpoint, prior, log and model card."""
        self.folder.mkdir(parents=True, exist_ok=True)
        scores = validate(self.averaged_prior(), self.crops)
        self.history.append({"step": self.step, "minutes": self.seconds / 60, **scores})
        checkpoint.save_state(self.folder, self.state_dict())
        checkpoint.export_prior(self.folder, self.unet, self.average)
        checkpoint.export_scheduler(self.folder, self.recipe.num_train_timesteps)
        checkpoint.write_json(self.folder / "training_log.json", self.history)

    def state_dict(self) -> dict[str, Any]:
        """Everything needed to go on as if nothing had happened."""
        return {
            "recipe": dataclasses.asdict(self.recipe),
            "unet": self.unet.state_dict(),
            "average": self.average,
            "optimizer": self.optimizer.state_dict(),
            "generator": self.generator.get_state(),
            "step": self.step,
            "seconds": self.seconds,
            "history": self.history,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue from :meth:`state_dict`; ValueError when it belongs to another recipe."""
        stored, own = state["recipe"], dataclasses.asdict(self.recipe)
        different = [key for key in own if _plain(stored.get(key)) != _plain(own[key])]
        if different:
            raise ValueError(
                f"resume: the checkpoint was trained with another {', '.join(different)}; "
                "use the same settings or another output folder"
            )
        self.unet.load_state_dict(state["unet"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.average = {k: v.to(self.device) for k, v in state["average"].items()}
        self.generator.set_state(state["generator"])
        self.step, self.seconds = state["step"], state["seconds"]
        self.history = list(state["history"])


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value


def train_prior(
    photos: str | Path,
    out: str | Path,
    minutes: float,
    recipe: Recipe | None = None,
    device: torch.device | str = "cpu",
    resume: bool = False,
    data_note: str = "",
    show_progress: bool = True,
) -> Path:
    """Train a photo prior on a folder of photos for ``minutes`` and write it to ``out``.

    ``data_note`` goes into the model card: what the photos are and under which licence.
    Raises ValueError for bad settings or an empty folder, FileNotFoundError for missing ones,
    FileExistsError when ``out`` holds a run already and ``resume`` is not set.
    """
    if not 0 < minutes < math.inf:
        raise ValueError(f"minutes: got {minutes!r}; expected a number > 0")
    folder, recipe = Path(out), recipe or Recipe()
    if not resume and (folder / checkpoint.STATE_FILE).exists():
        raise FileExistsError(f"out: {folder} holds a training run; resume it or name another one")
    state = checkpoint.load_state(folder) if resume else None
    pictures = load_photos(photos, minimum=recipe.crop)
    trainer = Trainer(recipe, pictures, folder, torch.device(device))
    if state is not None:
        trainer.load_state_dict(state)
    trainer.train(minutes, show_progress)
    write_card(folder, trainer, data_note)
    return folder
