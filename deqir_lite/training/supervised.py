"""Training for one task: a regression network, or a Palette, by the trainer of the priors."""

from dataclasses import dataclass

import torch
import torch.nn.functional as F

from deqir_lite.checks import check_choice
from deqir_lite.operators import TASKS, SpectralOperator, make_task
from deqir_lite.priors.residual import ResidualPrior
from deqir_lite.supervised import Palette, RegressionNetwork
from deqir_lite.training.recipe import Recipe
from deqir_lite.training.trainer import Trainer
from deqir_lite.training.validation import validate

KINDS = ("regression", "palette")

VALIDATION_SEED = 0
"""The mask that validation crops are seen through; each training step draws its own, from 1 on."""


@dataclass(frozen=True)
class TaskRecipe(Recipe):
    """A :class:`Recipe` for the ``kind`` of network that is trained for the ``task``.

    Its crops have half the side of a prior's, and there are half as many of them in a batch, so
    that a processor makes steps enough within minutes; the rates decay for half of the time.
    """

    kind: str = "regression"
    task: str = "sr4"
    crop: int = 32
    final_crop: int = 32
    batch: int = 16
    decay: float = 0.5
    warmup: int = 100

    def __post_init__(self) -> None:
        check_choice("kind", self.kind, KINDS)
        check_choice("task", self.task, TASKS)
        super().__post_init__()

    @property
    def inputs(self) -> int:
        """Channels of what the network sees: A^+ y, or x_t and A^+ y."""
        return 3 if self.kind == "regression" else 6

    def operator(self, size: int, seed: int) -> SpectralOperator:
        """A of the task for crops of ``size`` pixels, with the mask of this seed."""
        return make_task(self.task, (size, size), seed=seed)


class TaskTrainer(Trainer):
    """The loop for networks that are trained for a task: y = A x is made of every crop anew.

    Which mask step k sees depends on k only, so that a resumed run sees the same ones.
    """

    recipe: TaskRecipe
    save_every = 60.0
    with_card = False

    def first_scale(self, init: ResidualPrior | None) -> torch.Tensor:
        """e(t) as of a prior; for a regression one number (1,), the rms error of A^+ y."""
        if self.recipe.kind == "palette":
            return super().first_scale(init)
        crops = self.scale_crops()
        return (self._pinv_y(crops, VALIDATION_SEED) - crops).square().mean().sqrt()[None]

    def batch_loss(self, x0: torch.Tensor, eps: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
        """As of a prior; for a regression the mean of |x^ - x_0|^2 / e^2, without noise."""
        if self.recipe.kind == "palette":
            return super().batch_loss(x0, eps, t)
        seen = self._pinv_y(x0, 1 + self.step)
        level = self.scale.log().expand(len(x0))
        return F.mse_loss(self.answer(seen, level), (x0 - seen) / self.scale)

    def seen(self, x_t: torch.Tensor, x0: torch.Tensor) -> torch.Tensor:
        """x_t and A^+ y."""
        return torch.cat([x_t, self._pinv_y(x0, 1 + self.step)], dim=1)

    def validations(self) -> dict[float, dict[str, float]]:
        """Of each average of the weights: for a regression the mean square of its error, over e^2,
        and its PSNR; for a Palette what :func:`validate` finds with A^+ y beside."""
        return {decay: self._validate(self.export(decay)) for decay in self.averages.weights}

    @torch.no_grad()
    def _validate(self, made: RegressionNetwork | Palette) -> dict[str, float]:
        crops = self.data.validation
        operator = self.recipe.operator(crops.shape[-1], VALIDATION_SEED)
        y = operator.A(crops)
        if isinstance(made, Palette):
            return validate(made.given(operator.pinv(y)), crops)
        errors = made.restore(operator, y) - crops
        mse = errors.square().mean(dim=(1, 2, 3))
        loss = float(mse.mean() / self.scale.square())
        return {"loss": loss, "psnr_restored": float((10 * (4 / mse).log10()).mean())}

    def export(self, decay: float) -> RegressionNetwork | Palette:
        """The network with one average of the weights."""
        network = self.recipe.build_network()
        network.load_state_dict(self.averages.weights[decay])
        if self.recipe.kind == "regression":
            return RegressionNetwork(self.recipe.task, network, self.scale).to(self.device)
        return Palette(self.recipe.task, self.gaussian, network, self.scale).to(self.device)

    def _pinv_y(self, x0: torch.Tensor, seed: int) -> torch.Tensor:
        operator = self.recipe.operator(x0.shape[-1], seed)
        return operator.pinv(operator.A(x0))
