"""The training loop, measured in minutes and resumable at any time, whatever it trains."""

import math
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import Any

import torch
from tqdm.auto import tqdm

from deqir_lite._interrupts import postponed_interrupt
from deqir_lite.memory import explaining_memory
from deqir_lite.training.card import write_card
from deqir_lite.training.checkpoint import HasFiles, save_run
from deqir_lite.training.data import TrainingData

LOOK_EVERY = 20
"""Steps between two looks at the loss on an accelerator: each look waits for the device."""


class TrainingLoop(ABC):
    """One step after the other until the time is used up, validated and saved.

    A subclass has a ``recipe``, ``data``, the ``device`` and, in ``folder``, where everything is
    written, or None; it defines a step, what the validations find, and what is saved. ``loss`` is
    that of the last step, on the device.
    """

    save_every = 300.0
    """Seconds between checkpoints."""

    with_card = False
    """Whether a model card is written beside the log."""

    recipe: Any
    data: TrainingData
    device: torch.device
    folder: Path | None
    loss: torch.Tensor
    step: int
    crops: int
    seconds: float
    history: list[dict[str, Any]]

    @abstractmethod
    def train_step(self, progress: float) -> None:
        """One step on one batch of crops, when ``progress`` of the time is used."""

    @abstractmethod
    def validations(self) -> dict[float, dict[str, float]]:
        """By the decay of a moving average of the weights: its loss, and other numbers."""

    @abstractmethod
    def export(self, decay: float) -> HasFiles:
        """What is saved for use: that with the moving average of this decay."""

    @abstractmethod
    def state_dict(self) -> dict[str, Any]:
        """Everything needed to go on as if nothing had happened."""

    @abstractmethod
    def log(self) -> dict[str, Any]:
        """training_log.json: all that is told of the run."""

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
                    if self.seconds - saved > self.save_every:
                        saved = self.seconds
                        self.save()
            except KeyboardInterrupt:
                if not self.history or self.history[-1]["step"] != self.step:
                    self.save()
                raise
            self.save()

    def judge(self) -> dict[str, Any]:
        """Validate all averages; the best one's entry for the history: decay, loss, others.

        Raises ValueError when the weights are no longer finite, or memory does not suffice.
        """
        self._finite_loss()
        with self._naming_the_validation():
            found = self.validations()
        for numbers in found.values():
            self._check_finite(numbers["loss"])
        decay, best = min(found.items(), key=lambda pair: pair[1]["loss"])
        speed = self.crops / max(self.seconds, 1e-9)
        return {"step": self.step, "crops": self.crops, "minutes": self.seconds / 60,
                "crops_per_second": speed, "ema_decay": decay, **best}  # fmt: skip

    def save(self) -> None:
        """Validate, then write all files together."""
        with postponed_interrupt():
            best = self.judge()
            earlier = [entry for entry in self.history if entry["step"] != self.step]
            self.history = [*earlier, best]
            if self.folder is None:
                return
            self.folder.mkdir(parents=True, exist_ok=True)
            save_run(self.folder, self.state_dict(), self.export(best["ema_decay"]), self.log())
            if self.with_card:
                write_card(self.folder)

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
