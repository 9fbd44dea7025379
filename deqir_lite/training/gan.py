"""Training of a small GAN on photo crops, by the loop of the priors."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F

from deqir_lite.checks import check_choice, check_integer, check_interval
from deqir_lite.gan.networks import Discriminator, Generator
from deqir_lite.gan.photo_gan import PhotoGAN
from deqir_lite.training.data import TrainingData
from deqir_lite.training.loop import TrainingLoop
from deqir_lite.training.run_state import RunState


@dataclass(frozen=True)
class GanRecipe:
    """What decides a run: ``widths`` and ``latent`` of the networks, ``crop`` and ``batch``, the
    ``rate`` of both Adams, ``r1``: the weight of the discriminator's squared gradient on photos,
    which counts in every ``r1_every``-th step, as many times as much (Karras et al. 2020)."""

    kind: str = "gan"
    widths: tuple[int, ...] = (64, 48, 32)
    latent: int = 32
    crop: int = 32
    batch: int = 16
    rate: float = 4e-4
    r1: float = 0.1
    r1_every: int = 8
    ema_decays: tuple[float, ...] = (0.998,)
    seed: int = 0

    def __post_init__(self) -> None:
        check_choice("kind", self.kind, ["gan"])
        for name, least in (("crop", 8), ("batch", 2), ("r1_every", 1), ("seed", 0)):
            check_integer(name, getattr(self, name), least)
        check_interval("rate", self.rate, 0.0, 1.0)
        factor = Generator(self.widths, latent=self.latent).factor
        if self.crop % factor:
            raise ValueError(f"crop: got {self.crop}; this generator makes multiples of {factor}")

    @classmethod
    def for_device(cls, device: torch.device | str, **changes: Any) -> "GanRecipe":
        """The default recipe, with ``changes``: the same for all devices."""
        return cls(**changes)

    @property
    def final_crop(self) -> int:
        """As of a prior's recipe: all crops have one size."""
        return self.crop

    def build_network(self) -> torch.nn.ModuleDict:
        """A fresh generator and discriminator."""
        generator = Generator(self.widths, latent=self.latent)
        judge = Discriminator(self.widths, side=self.crop)
        return torch.nn.ModuleDict({"generator": generator, "discriminator": judge})


class GanTrainer(RunState, TrainingLoop):
    """The loop of a GAN: in each step the discriminator learns, then the generator.

    D: softplus(-D(x)) + softplus(D(G(z))) + r1 / 2 |grad D(x)|^2; G: softplus(-D(G(z))). Sources:
    Goodfellow et al. 2014 (the loss that does not saturate), Mescheder et al. 2018 (R1).
    """

    recipe: GanRecipe
    save_every = 60.0

    def __init__(
        self,
        recipe: GanRecipe,
        data: TrainingData,
        *,
        folder: Path | None = None,
        data_note: str = "",
    ) -> None:
        super().__init__(recipe, data, data_note=data_note)
        self.folder = folder
        self.prepare(
            *(
                torch.optim.Adam(self.network[name].parameters(), recipe.rate, betas=(0.0, 0.99))
                for name in ("generator", "discriminator")
            )
        )
        self.loss = torch.zeros((), device=self.device)

    def train_step(self, progress: float) -> None:
        """One step of both on one batch of crops; ``loss`` is that of the discriminator."""
        recipe = self.recipe
        generator, judge = self.network["generator"], self.network["discriminator"]
        of_generator, of_judge = self.optimizers
        x = self.data.draw(recipe.batch, self.step, self.generator, recipe.crop)
        with torch.no_grad():
            drawn = generator(self._latents(recipe.batch))
        penalised = self.step % recipe.r1_every == 0
        x.requires_grad_(penalised)
        of_photos = judge(x)
        loss = F.softplus(-of_photos).mean() + F.softplus(judge(drawn)).mean()
        self.loss = loss.detach()
        if penalised:
            (slope,) = torch.autograd.grad(of_photos.sum(), x, create_graph=True)
            penalty = slope.square().flatten(1).sum(dim=1).mean()
            loss = loss + recipe.r1_every * recipe.r1 / 2 * penalty
        self._descend(of_judge, loss)
        judge.requires_grad_(False)
        self._descend(
            of_generator, F.softplus(-judge(generator(self._latents(recipe.batch)))).mean()
        )
        judge.requires_grad_(True)
        self.step += 1
        self.crops += recipe.batch
        self.averages.update(self.step)

    def _descend(self, optimizer: torch.optim.Optimizer, loss: torch.Tensor) -> None:
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

    def _latents(self, count: int) -> torch.Tensor:
        return torch.randn(self._shape(count), generator=self.generator, device=self.device)

    def _shape(self, count: int) -> tuple[int, ...]:
        """Of the latents of so many crops."""
        side = self.recipe.crop // self.network["generator"].factor
        return count, self.recipe.latent, side, side

    @torch.no_grad()
    def validations(self) -> dict[float, dict[str, float]]:
        """How well the discriminator tells the averaged generator's crops from held-out ones: its
        loss without the penalty, 2 log 2 = 1.39 where it cannot; and the generator's loss."""
        found, judge, x = {}, self.network["discriminator"], self.data.validation
        for decay in self.averages.weights:
            generator = self.export(decay).generator
            z = torch.randn(self._shape(len(x)), generator=torch.Generator().manual_seed(0)).to(x)
            of_drawn = judge(generator(z))
            loss = F.softplus(-judge(x)).mean() + F.softplus(of_drawn).mean()
            found[decay] = {
                "loss": float(loss), "loss_generator": float(F.softplus(-of_drawn).mean())
            }  # fmt: skip
        return found

    def export(self, decay: float) -> PhotoGAN:
        """The generator with one average of the weights."""
        generator = Generator(self.recipe.widths, latent=self.recipe.latent)
        own = "generator."
        generator.load_state_dict(
            {
                name.removeprefix(own): value
                for name, value in self.averages.weights[decay].items()
                if name.startswith(own)
            }
        )
        return PhotoGAN(generator).to(self.device)

    def log(self) -> dict[str, Any]:
        """As of every run; ``parameters`` are the generator's."""
        count = sum(p.numel() for p in self.network["generator"].parameters())
        return super().log() | {"parameters": count}
