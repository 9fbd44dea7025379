"""The training of a photo prior: its step, its validation, and what it writes."""

from collections.abc import Mapping
from pathlib import Path

import torch
import torch.nn.functional as F

from deqir_lite.device import fast_in_bfloat16
from deqir_lite.priors.residual import ResidualPrior
from deqir_lite.training.checkpoint import HasFiles
from deqir_lite.training.compilation import compiled_network
from deqir_lite.training.data import TrainingData
from deqir_lite.training.loop import TrainingLoop
from deqir_lite.training.recipe import Recipe, sample_timesteps
from deqir_lite.training.state import TrainingState
from deqir_lite.training.validation import validate


class Trainer(TrainingState, TrainingLoop):
    """The loop for a photo prior.

    ``folder`` receives the checkpoint, the exported prior, a log and the model card; with None
    nothing is written. The rest as in :class:`TrainingState`.
    """

    recipe: Recipe
    with_card = True

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

    def train_step(self, progress: float) -> None:
        """One optimiser step on one batch of crops; ``loss`` keeps its loss, on the device."""
        recipe = self.recipe
        self.set_rates(progress)
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
        level = (noise / signal).log().flatten()
        return F.mse_loss(self.answer(self.seen(x_t, x0), level), target)

    def seen(self, x_t: torch.Tensor, x0: torch.Tensor) -> torch.Tensor:
        """What the network sees of a training crop: x_t."""
        return x_t

    def answer(self, seen: torch.Tensor, level: torch.Tensor) -> torch.Tensor:
        """f(seen, log(noise / signal)), in bfloat16 inside where that is fast."""
        with torch.autocast(
            self.device.type, torch.bfloat16, enabled=fast_in_bfloat16(self.device)
        ):
            output: torch.Tensor = self.forward(seen, level)
        return output.float()

    def validations(self) -> dict[float, dict[str, float]]:
        """Loss and one-step PSNR of the prior with each average of the weights."""
        return {
            decay: validate(self.averaged_prior(decay), self.data.validation)
            for decay in self.averages.weights
        }

    def export(self, decay: float) -> HasFiles:
        """The prior with one average of the weights."""
        return self.averaged_prior(decay)
