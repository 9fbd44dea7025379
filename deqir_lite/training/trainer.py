"""The training loop of a photo prior, measured in minutes, resumable at any time."""

import math
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from tqdm.auto import tqdm

from deqir_lite._interrupts import postponed_interrupt
from deqir_lite.device import fast_in_bfloat16
from deqir_lite.memory import explaining_memory
from deqir_lite.priors.residual import ResidualPrior
from deqir_lite.training.card import write_card
from deqir_lite.training.checkpoint import save_run
from deqir_lite.training.compilation import compiled_network
from deqir_lite.training.data import TrainingData
from deqir_lite.training.recipe import Recipe, sample_timesteps
from deqir_lite.training.state import TrainingState
from deqir_lite.training.validation import validate

SAVE_EVERY = 300.0
"""Seconds between checkpoints."""

LOOK_EVERY = 20
"""Steps between two looks at the loss on an accelerator: each look waits for the device."""


class Trainer(TrainingState):
    """The loop: one step after the other until the time is used up, validated and saved.

    ``folder`` receives the checkpoint, the exported prior, a log and the model card; with None
    nothing is written. The rest as in :class:`TrainingState`.
    """

    def __init__(
        self,
        recipe: Recipe,
        data: TrainingData,
        *,
        folder: Path | None = None,
        data_note: str = "",
        init: ResidualPrior | None = None,
        earlier: Mapping[str, float] | None = None,
    ) -> None:
        super().__init__(recipe, data, data_note=data_note, init=init, earlier=earlier)
        self.folder = folder
        with self._naming_the_batch():
            self.forward = compiled_network(self.network, recipe, self.device)
        self.loss = torch.zeros((), device=self.device)

    def train(
        self,
        minutes: float,
        *,
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
        with bar, _fast_convolutions(self.device), _tiny_numbers_are_zero():
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
        """Mean of |x_{0|t} - x_0|^2 / e(t)^2 for crops x0 (B, 3, S, S), their noise, t (B,).

        With x_{0|t} = G + e(t) f that is |f - (x_0 - G) / e(t)|^2: all noise levels count alike.
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
            save_run(self.folder, self.state_dict(), prior, self.log())
            write_card(self.folder)


def _fast_convolutions(device: torch.device) -> AbstractContextManager[Any]:
    """On CUDA, let cuDNN try all its algorithms once and keep the fastest."""
    if device.type != "cuda":
        return nullcontext()
    return torch.backends.cudnn.flags(enabled=True, benchmark=True)


@contextmanager
def _tiny_numbers_are_zero() -> Iterator[None]:
    """Take numbers below 1e-38 for zero: with a high rate there come to be many in the network.

    A processor takes many times as long for such a number, and a step then took five times as long.
    """
    torch.set_flush_denormal(True)
    try:
        yield
    finally:
        torch.set_flush_denormal(False)
