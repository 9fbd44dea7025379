"""The training loop of a photo prior, measured in minutes, resumable at any time."""

import dataclasses
import math
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from tqdm.auto import tqdm

from deqir_lite.device import fast_in_bfloat16
from deqir_lite.machine import describe_device
from deqir_lite.memory import explaining_memory
from deqir_lite.priors.gaussian import GaussianPrior
from deqir_lite.priors.identity import prior_digest
from deqir_lite.priors.load import load_gaussian
from deqir_lite.priors.residual import ResidualPrior
from deqir_lite.priors.spectrum import PhotoSpectrum
from deqir_lite.priors.unet import ResidualUNet
from deqir_lite.training import checkpoint
from deqir_lite.training.averages import WeightAverages
from deqir_lite.training.card import write_card
from deqir_lite.training.compilation import compiled_network
from deqir_lite.training.data import TrainingData
from deqir_lite.training.interrupts import postponed_interrupt
from deqir_lite.training.muon import Muon
from deqir_lite.training.recipe import Recipe, sample_timesteps
from deqir_lite.training.scale import gaussian_error
from deqir_lite.training.validation import validate

SAVE_EVERY = 300.0
"""Seconds between checkpoints."""

LOOK_EVERY = 20
"""Steps between two looks at the loss on an accelerator: each look waits for the device."""

SCALE_CROPS = 2048
"""Training crops on which c(t) is measured."""


class Trainer:
    """One training run: weights, their moving averages, the optimisers and the time already used.

    It runs on the device of ``data``. ``folder`` receives the checkpoint, the exported prior, a
    log and the model card; with None nothing is written. ``init`` is a prior whose weights,
    Gaussian part and c(t) the run begins with, ``earlier`` what its log tells of its training.
    Without one the Gaussian part is the bundled one, and c(t) is measured on training crops. Raises
    ValueError when the network or the schedule of ``init`` is not that of the recipe.
    """

    def __init__(
        self,
        recipe: Recipe,
        data: TrainingData,
        folder: Path | None = None,
        data_note: str = "",
        init: ResidualPrior | None = None,
        earlier: Mapping[str, float] | None = None,
    ) -> None:
        self.recipe, self.data, self.folder, self.data_note = recipe, data, folder, data_note
        self.device = data.device
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(recipe.seed)
            self.network = recipe.build_network()
        self.generator = torch.Generator(self.device).manual_seed(recipe.seed)
        self.began_with: dict[str, Any] | None = None
        if init is None:
            self.gaussian = load_gaussian(recipe.schedule)
            crops = data.draw(SCALE_CROPS, 0, self.generator, recipe.crop)
            scale = gaussian_error(self.gaussian, crops.cpu())
        else:
            check_same_network(init, recipe)
            self.network.load_state_dict(init.network.state_dict())
            self.gaussian, scale = init.gaussian, init.scale
            self.began_with = {"digest": prior_digest(init, ""), **(earlier or {})}
        self.scale = scale.float().to(self.device)
        self.network.to(self.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.averages = WeightAverages(self.network, recipe.ema_decays)
        inner, other = inner_convolutions(self.network)
        self.optimizers = [Muon(inner, recipe.muon_lr), torch.optim.AdamW(other, recipe.adam_lr)]
        self.peak_rates = [recipe.muon_lr, recipe.adam_lr]
        with self._naming_the_batch():
            self.forward = compiled_network(self.network, recipe, self.device)
        self.loss = torch.zeros((), device=self.device)
        self.step, self.crops, self.seconds = 0, 0, 0.0
        self.history: list[dict[str, Any]] = []

    def train(
        self,
        minutes: float,
        show_progress: bool = True,
        clock: Callable[[], float] | None = None,
    ) -> None:
        """Train until ``minutes`` of training steps are used up, those before a resume included.

        Validation and saving are not counted; ``clock`` (seconds) is time.perf_counter unless
        another one is given. An interrupted run (Ctrl-C) is saved and can be resumed. Raises
        ValueError when the loss is no longer finite, or memory does not suffice; the last
        checkpoint then stays as it was.
        """
        clock = clock or time.perf_counter
        budget, saved = 60 * minutes, self.seconds
        look_every = 1 if self.device.type == "cpu" else LOOK_EVERY
        self.data.prepare(self.step)
        bar = tqdm(
            total=round(budget), initial=round(self.seconds), unit="s", disable=not show_progress
        )
        with bar, _fast_convolutions(self.device):
            try:
                while self.seconds < budget:
                    start = clock()
                    with postponed_interrupt(), self._naming_the_batch():
                        self.train_step(self.seconds / budget)
                        if self.step % look_every == 0:
                            shown = f"{self._finite_loss():.4f}"
                            bar.set_postfix(step=self.step, loss=shown, refresh=False)
                        self.seconds += clock() - start
                    bar.update(round(min(self.seconds, budget)) - bar.n)
                    if self.seconds - saved > SAVE_EVERY:
                        saved = self.seconds
                        self.save()
            except KeyboardInterrupt:
                if not self.history or self.history[-1]["step"] != self.step:
                    self.save()
                raise
            self.save()

    def train_step(self, progress: float) -> None:
        """One optimiser step on one batch of crops; ``loss`` keeps its loss, on the device."""
        recipe = self.recipe
        factor = recipe.learning_rate(self.step, progress)
        for optimizer, peak in zip(self.optimizers, self.peak_rates, strict=True):
            for group in optimizer.param_groups:
                group["lr"] = factor * peak
        batch, size = recipe.crops(progress)
        x0 = self.data.draw(batch, self.step, self.generator, size)
        eps = torch.randn(x0.shape, generator=self.generator, device=self.device)
        t = sample_timesteps(batch, recipe.num_train_timesteps, self.generator, recipe.low_noise)
        self.loss = self.batch_loss(x0, eps, t)
        self.network.zero_grad()
        self.loss.backward()
        self.loss = self.loss.detach()
        torch.nn.utils.clip_grad_norm_(self.network.parameters(), 1.0)
        for optimizer in self.optimizers:
            optimizer.step()
        self.step += 1
        self.crops += batch
        self.averages.update(self.step)

    def batch_loss(self, x0: torch.Tensor, eps: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
        """Mean of |x_{0|t} - x_0|^2 / c(t)^2 for crops x0 (B, 3, S, S), their noise, t (B,).

        With x_{0|t} = G + c(t) F that is |F - (x_0 - G) / c(t)|^2: all noise levels count alike.
        """
        signal, noise = self.gaussian.schedule.at(t, x0)
        x_t = signal * x0 + noise * eps
        scale = self.scale[t][:, None, None, None]
        target = (x0 - self.gaussian.denoise(x_t, t)) / scale
        with torch.autocast(
            self.device.type, torch.bfloat16, enabled=fast_in_bfloat16(self.device)
        ):
            output = self.forward(x_t, (noise / signal).log().flatten())
        return F.mse_loss(output.float(), target)

    def _finite_loss(self) -> float:
        return self._check_finite(float(self.loss))

    def _check_finite(self, loss: float) -> float:
        if not math.isfinite(loss):
            raise ValueError(
                f"loss: became {loss} by step {self.step}; stopped, and the last checkpoint is as "
                "it was"
            )
        return loss

    def _naming_the_batch(self) -> AbstractContextManager[None]:
        recipe = self.recipe
        return explaining_memory(
            f"batch: {recipe.batch} crops of {recipe.crop}x{recipe.crop} pixels do not fit into "
            f"memory; start or resume with a smaller batch, such as {max(1, recipe.batch // 2)}"
        )

    def _naming_the_validation(self) -> AbstractContextManager[None]:
        batch = min(self.recipe.batch, len(self.data.validation))
        return explaining_memory(
            f"validation: {batch} crops at once do not fit into memory beside the training; an "
            "earlier checkpoint is as it was: resume it with more memory free, or with a smaller "
            f"batch, such as {max(1, batch // 2)}"
        )

    def averaged_prior(self, decay: float) -> ResidualPrior:
        """The prior with one moving average of the weights, as it would be saved.

        It takes no more crops at once than a training step does.
        """
        network = self.recipe.build_network()
        network.load_state_dict(self.averages.weights[decay])
        prior = ResidualPrior(self.gaussian, network, self.scale, max_batch=self.recipe.batch)
        return prior.to(self.device)

    def judge(self) -> dict[str, Any]:
        """Validate all averages; the best one's entry for the history: decay, loss, PSNR.

        Raises ValueError when the weights are no longer finite, or memory does not suffice.
        """
        self._finite_loss()
        with self._naming_the_validation():
            entries = [
                {"step": self.step, "crops": self.crops, "minutes": self.seconds / 60,
                 "crops_per_second": self.crops / max(self.seconds, 1e-9), "ema_decay": decay,
                 **validate(self.averaged_prior(decay), self.data.validation)}
                for decay in self.averages.weights
            ]  # fmt: skip
        for entry in entries:
            self._check_finite(entry["loss"])
        return min(entries, key=lambda entry: entry["loss"])

    def save(self) -> None:
        """Validate, then write checkpoint, prior, log and model card, all together."""
        with postponed_interrupt():
            best = self.judge()
            earlier = [entry for entry in self.history if entry["step"] != self.step]
            self.history = [*earlier, best]
            if self.folder is None:
                return
            self.folder.mkdir(parents=True, exist_ok=True)
            prior = self.averaged_prior(best["ema_decay"])
            checkpoint.save_run(self.folder, self.state_dict(), prior, self.log())
            write_card(self.folder)

    def log(self) -> dict[str, Any]:
        """training_log.json: all that the model card tells of the run."""
        return {
            "recipe": dataclasses.asdict(self.recipe),
            "photos": self.data.describe() | {"note": self.data_note},
            "hardware": describe_device(self.device),
            "parameters": sum(p.numel() for p in self.network.parameters()),
            "began_with": self.began_with,
            "crops": self.crops,
            "history": self.history,
        }

    def state_dict(self) -> dict[str, Any]:
        """Everything needed to go on as if nothing had happened."""
        return {
            "recipe": dataclasses.asdict(self.recipe),
            "network": self.network.state_dict(),
            "scale": self.scale,
            "averages": self.averages.state_dict(),
            "optimizers": [optimizer.state_dict() for optimizer in self.optimizers],
            "generator": self.generator.get_state(),
            "device": self.device.type,
            "step": self.step,
            "crops": self.crops,
            "seconds": self.seconds,
            "history": self.history,
            "data_note": self.data_note,
            "data": self.data.describe(),
            "began_with": self.began_with,
            "spectrum": dataclasses.asdict(self.gaussian.spectrum),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue from :meth:`state_dict`; only the batch of the recipe may have changed.

        On another kind of device the random numbers go on from a new seed. Raises ValueError when
        the state belongs to another recipe or to other data, or does not fit its own.
        """
        recipe, own = state["recipe"], dataclasses.asdict(self.recipe)
        different = [
            key
            for key in own
            if key != "batch" and _plain(recipe.get(key, "unset")) != _plain(own[key])
        ]
        if different:
            raise ValueError(
                f"resume: the checkpoint was trained with another {', '.join(different)}; "
                "use the same settings or another output folder"
            )
        checkpoint.check_same_data(state, self.data.describe())
        try:
            self.network.load_state_dict(state["network"])
            for optimizer, stored in zip(self.optimizers, state["optimizers"], strict=True):
                optimizer.load_state_dict(stored)
            self.averages.load_state_dict(state["averages"])
            if state["device"] == self.device.type:
                self.generator.set_state(state["generator"])
            else:
                self.generator.manual_seed(self.recipe.seed + state["step"])
            self.scale = state["scale"].float().to(self.device)
            if "spectrum" in state:  # before, all runs had the bundled one
                spectrum = PhotoSpectrum(**state["spectrum"])
                self.gaussian = GaussianPrior(spectrum, schedule=self.recipe.schedule)
        except (KeyError, TypeError, AttributeError, RuntimeError, ValueError) as error:
            reason = " ".join(str(error).split())[:200]
            raise ValueError(
                f"resume: the checkpoint is of another architecture than its recipe ({reason})"
            ) from error
        self.began_with = state["began_with"]
        self.step, self.crops, self.seconds = state["step"], state["crops"], state["seconds"]
        self.history = list(state["history"])
        self.data_note = self.data_note or state["data_note"]


def inner_convolutions(
    network: ResidualUNet,
) -> tuple[list[torch.nn.Parameter], list[torch.nn.Parameter]]:
    """The weights for Muon, convolutions between hidden layers; and all other parameters."""
    inner: list[torch.nn.Parameter] = []
    other: list[torch.nn.Parameter] = []
    for name, weight in network.named_parameters():
        hidden = weight.ndim == 4 and not name.startswith(("input", "output"))
        (inner if hidden else other).append(weight)
    return inner, other


def check_same_network(init: ResidualPrior, recipe: Recipe) -> None:
    """Refuse to begin with the weights of a network of another shape, or of another schedule."""
    there = {name: getattr(init.network, name) for name in ("channels", "blocks", "patch")}
    there["num_train_timesteps"] = init.schedule.num_train_timesteps
    different = [
        f"{name} {value} there, {getattr(recipe, name)} in the recipe"
        for name, value in there.items()
        if _plain(value) != _plain(getattr(recipe, name))
    ]
    if different:
        raise ValueError(f"init: the prior has another architecture: {'; '.join(different)}")


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value


def _fast_convolutions(device: torch.device) -> AbstractContextManager[Any]:
    """On CUDA, let cuDNN try all its algorithms once and keep the fastest."""
    if device.type != "cuda":
        return nullcontext()
    return torch.backends.cudnn.flags(enabled=True, benchmark=True)
