"""What a training run consists of: weights, averages, optimisers, random numbers, time used."""

import dataclasses
from collections.abc import Mapping
from typing import Any

import torch

from deqir_lite.machine import describe_device
from deqir_lite.priors.gaussian import GaussianPrior
from deqir_lite.priors.identity import prior_digest
from deqir_lite.priors.load import load_gaussian
from deqir_lite.priors.residual import ResidualPrior
from deqir_lite.priors.spectrum import PhotoSpectrum
from deqir_lite.training.averages import WeightAverages
from deqir_lite.training.checkpoint import check_same_data
from deqir_lite.training.data import TrainingData
from deqir_lite.training.muon import Muon, inner_convolutions
from deqir_lite.training.recipe import Recipe
from deqir_lite.training.scale import gaussian_error

SCALE_CROPS = 2048
"""Training crops on which e(t) is measured."""


class TrainingState:
    """Everything that a run changes, on the device of ``data``; it can be written and read back.

    ``init`` is a prior whose weights, Gaussian part and e(t) the run begins with, ``earlier`` what
    its log tells of its training. Without one the Gaussian part is the bundled one, and e(t) is
    measured on training crops. ``data_note`` is for the model card. Raises ValueError when the
    network or the schedule of ``init`` is not that of the recipe.
    """

    def __init__(
        self,
        recipe: Recipe,
        data: TrainingData,
        *,
        data_note: str = "",
        init: ResidualPrior | None = None,
        earlier: Mapping[str, float] | None = None,
    ) -> None:
        self.recipe, self.data, self.data_note = recipe, data, data_note
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
        self.step, self.crops, self.seconds = 0, 0, 0.0
        self.history: list[dict[str, Any]] = []

    def averaged_prior(self, decay: float) -> ResidualPrior:
        """The prior with one moving average of the weights, as it would be saved.

        It takes no more crops at once than a training step does.
        """
        network = self.recipe.build_network()
        network.load_state_dict(self.averages.weights[decay])
        prior = ResidualPrior(self.gaussian, network, self.scale, max_batch=self.recipe.batch)
        return prior.to(self.device)

    @property
    def bytes_on_disk(self) -> int:
        """About what all files of the run take: weights, averages and the optimisers' moments in
        float32, and the prior."""
        weights = sum(p.numel() for p in self.network.parameters())
        return 4 * weights * (4 + len(self.recipe.ema_decays))

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
        spectrum = self.gaussian.spectrum
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
            "spectrum": {"mean": spectrum.mean, "covariance": spectrum.covariance},
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


def check_same_network(init: ResidualPrior, recipe: Recipe) -> None:
    """Refuse to begin with the weights of a network of another shape, or of another schedule."""
    there = {name: getattr(init.network, name) for name in ("channels", "blocks", "patch")}
    there["num_train_timesteps"] = init.schedule.num_train_timesteps
    different = [
        f"{name} {value} there, {getattr(recipe, name)} in the recipe"
        for name, value in there.items()
        if value != getattr(recipe, name)
    ]
    if different:
        raise ValueError(f"init: the prior has another architecture: {'; '.join(different)}")
