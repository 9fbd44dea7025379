"""What a training run of a prior consists of: its network, its Gaussian part and e(t)."""

from collections.abc import Mapping
from typing import Any

import torch

from deqir_lite.priors.gaussian import GaussianPrior
from deqir_lite.priors.identity import prior_digest
from deqir_lite.priors.load import load_gaussian
from deqir_lite.priors.residual import ResidualPrior
from deqir_lite.priors.spectrum import PhotoSpectrum
from deqir_lite.training.data import TrainingData
from deqir_lite.training.muon import Muon, inner_convolutions
from deqir_lite.training.recipe import Recipe
from deqir_lite.training.run_state import RunState
from deqir_lite.training.scale import gaussian_error

SCALE_CROPS = 2048
"""Training crops on which e(t) is measured."""


class TrainingState(RunState):
    """The :class:`RunState` of a prior.

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
        super().__init__(recipe, data, data_note=data_note)
        self.gaussian = load_gaussian(recipe.schedule) if init is None else init.gaussian
        if init is not None:
            check_same_network(init, recipe)
            self.network.load_state_dict(self._widened(init.network.state_dict()))
            self.began_with = {"digest": prior_digest(init, ""), **(earlier or {})}
        self.scale = self.first_scale(init).float().to(self.device)
        inner, other = inner_convolutions(self.network)
        self.prepare(Muon(inner, recipe.muon_lr), torch.optim.AdamW(other, recipe.adam_lr))

    def first_scale(self, init: ResidualPrior | None) -> torch.Tensor:
        """e(t) (N,): that of the prior that the run begins with, or measured on training crops."""
        return gaussian_error(self.gaussian, self.scale_crops()) if init is None else init.scale

    def scale_crops(self) -> torch.Tensor:
        """Training crops (B, 3, S, S) on the CPU."""
        return self.data.draw(SCALE_CROPS, 0, self.generator, self.recipe.crop).cpu()

    def _widened(self, weights: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        """The weights of a prior for the network of the run, which may see further images: with
        zeros for these it begins as the prior."""
        entry = torch.zeros_like(self.network.input.weight)
        entry[:, : weights["input.weight"].shape[1]] = weights["input.weight"]
        return {**weights, "input.weight": entry}

    def averaged_prior(self, decay: float) -> ResidualPrior:
        """The prior with one moving average of the weights, as it would be saved.

        It takes no more crops at once than a training step does.
        """
        network = self.recipe.build_network()
        network.load_state_dict(self.averages.weights[decay])
        prior = ResidualPrior(self.gaussian, network, self.scale, max_batch=self.recipe.batch)
        return prior.to(self.device)

    def state_dict(self) -> dict[str, Any]:
        """With e(t) and the Gaussian part."""
        spectrum = self.gaussian.spectrum
        own = {"mean": spectrum.mean, "covariance": spectrum.covariance}
        return super().state_dict() | {"scale": self.scale, "spectrum": own}

    def load_numbers(self, state: dict[str, Any]) -> None:
        """With e(t) and the Gaussian part."""
        super().load_numbers(state)
        self.scale = state["scale"].float().to(self.device)
        if "spectrum" in state:  # before, all runs had the bundled one
            spectrum = PhotoSpectrum(**state["spectrum"])
            self.gaussian = GaussianPrior(spectrum, schedule=self.recipe.schedule)


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
