"""What every training run consists of: weights, averages, optimisers, random numbers, time used."""

import dataclasses
from typing import Any

import torch

from deqir_lite.machine import describe_device
from deqir_lite.training.averages import WeightAverages
from deqir_lite.training.checkpoint import check_same_data
from deqir_lite.training.data import TrainingData


class RunState:
    """Everything that a run changes, on the device of ``data``; it can be written and read back.

    ``recipe`` is a dataclass that builds the ``network`` and has the decays of its moving averages
    and a seed. The one who makes it loads weights into the network, and calls :meth:`prepare`.
    """

    network: Any

    def __init__(self, recipe: Any, data: TrainingData, *, data_note: str = "") -> None:
        self.recipe, self.data, self.data_note = recipe, data, data_note
        self.device = data.device
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(recipe.seed)
            self.network = recipe.build_network()
        self.generator = torch.Generator(self.device).manual_seed(recipe.seed)
        self.began_with: dict[str, Any] | None = None
        self.step, self.crops, self.seconds = 0, 0, 0.0
        self.history: list[dict[str, Any]] = []

    def prepare(self, *optimizers: torch.optim.Optimizer) -> None:
        """Go to the device, and keep averages from here on; ``optimizers`` of the weights."""
        self.network.to(self.device, memory_format=torch.channels_last)
        self.averages = WeightAverages(self.network, self.recipe.ema_decays)
        self.optimizers = list(optimizers)
        self.peak_rates = [optimizer.param_groups[0]["lr"] for optimizer in optimizers]

    def set_rates(self, progress: float) -> None:
        """The learning rates of this step, when ``progress`` of the time is used."""
        factor = self.recipe.learning_rate(self.step, progress)
        for optimizer, peak in zip(self.optimizers, self.peak_rates, strict=True):
            for group in optimizer.param_groups:
                group["lr"] = factor * peak

    @property
    def bytes_on_disk(self) -> int:
        """About what all files of the run take: weights, averages and the optimisers' moments in
        float32, and what is exported."""
        weights = sum(p.numel() for p in self.network.parameters())
        return 4 * weights * (4 + len(self.recipe.ema_decays))

    def log(self) -> dict[str, Any]:
        """training_log.json: all that is told of the run."""
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
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue from :meth:`state_dict`; only the batch of the recipe may have changed.

        On another kind of device the random numbers go on from a new seed. Raises ValueError when
        the state belongs to another recipe or to other data, or does not fit its own.
        """
        there, own = state["recipe"], dataclasses.asdict(self.recipe)
        different = [key for key in own if key != "batch" and there.get(key) != own[key]]
        if different:
            raise ValueError(
                f"resume: the checkpoint was trained with another {', '.join(different)}; "
                "use the same settings or another output folder"
            )
        check_same_data(state, self.data.describe())
        try:
            self.load_numbers(state)
        except (KeyError, TypeError, AttributeError, RuntimeError, ValueError) as error:
            reason = " ".join(str(error).split())[:200]
            raise ValueError(
                f"resume: the checkpoint is of another architecture than its recipe ({reason})"
            ) from error
        self.began_with = state["began_with"]
        self.step, self.crops, self.seconds = state["step"], state["crops"], state["seconds"]
        self.history = list(state["history"])
        self.data_note = self.data_note or state["data_note"]

    def load_numbers(self, state: dict[str, Any]) -> None:
        """The tensors of a state; any error of torch's where they do not fit."""
        self.network.load_state_dict(state["network"])
        for optimizer, stored in zip(self.optimizers, state["optimizers"], strict=True):
            optimizer.load_state_dict(stored)
        self.averages.load_state_dict(state["averages"])
        if state["device"] == self.device.type:
            self.generator.set_state(state["generator"])
        else:
            self.generator.manual_seed(self.recipe.seed + state["step"])
