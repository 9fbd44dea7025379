"""The training recipe: network, timestep sampling and learning rates of a photo prior."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch

from deqir_lite.checks import check_integer, check_interval
from deqir_lite.priors.unet import ResidualUNet
from deqir_lite.schedule import NoiseSchedule, linear_schedule


@dataclass(frozen=True)
class Recipe:
    """Everything that decides what a training run does, apart from the pictures and the time.

    * ``channels``, ``blocks``, ``patch``: width of each level, depth of a level and
      pixel-unshuffle factor of the :class:`ResidualUNet`,
    * ``crop``: side of the training crops in pixels; ``final_crop``: their side while the
      learning rates decay, in smaller batches of as many pixels,
    * ``muon_lr`` for the inner convolutions, ``adam_lr`` for all other weights,
    * ``warmup``: steps in which the learning rates grow to these; ``decay``: share of the time, at
      the end, in which they fall to zero,
    * ``low_noise``: share of the timesteps that are drawn as N u^3, towards low noise,
    * ``ema_decays``: rates of the moving averages of the weights, of which the best one is kept.
    """

    channels: tuple[int, ...] = (48, 96, 128, 224)
    blocks: int = 2
    patch: int = 2
    crop: int = 64
    final_crop: int = 64
    batch: int = 32
    muon_lr: float = 3e-3
    adam_lr: float = 8e-4
    warmup: int = 200
    decay: float = 0.25
    low_noise: float = 0.75
    ema_decays: tuple[float, ...] = (0.99, 0.998)
    num_train_timesteps: int = 1000
    seed: int = 0

    @classmethod
    def for_device(cls, device: torch.device | str, **changes: Any) -> "Recipe":
        """The default recipe for a kind of device, with ``changes``.

        A GPU makes ten times as many steps, of eight times as many crops: it can afford averages
        over longer times, and larger batches bear a higher learning rate.
        """
        on_gpu: dict[str, Any] = {"batch": 256, "muon_lr": 6e-3, "ema_decays": (0.998, 0.9995)}
        return cls(**{**(on_gpu if torch.device(device).type == "cuda" else {}), **changes})

    def __post_init__(self) -> None:
        for name in ("crop", "final_crop", "batch", "warmup"):
            self._keep(name, check_integer, 1)
        # with fewer steps the linear schedule would not end in pure noise
        self._keep("num_train_timesteps", check_integer, 1000)
        self._keep("seed", check_integer, 0)
        for name in ("muon_lr", "adam_lr", "decay", "low_noise"):
            self._keep(name, check_interval, 0.0, 1.0)
        if not self.ema_decays:
            raise ValueError("ema_decays: got none; expected at least one number in [0, 1]")
        decays = tuple(check_interval("ema_decays", decay, 0.0, 1.0) for decay in self.ema_decays)
        object.__setattr__(self, "ema_decays", decays)
        with torch.device("meta"):  # neither memory nor random numbers for the weights
            divisor = self.build_network().size_divisor
        for name in ("crop", "final_crop"):
            if getattr(self, name) % divisor:
                raise ValueError(
                    f"{name}: got {getattr(self, name)}; this network needs a multiple of {divisor}"
                )

    def _keep(self, name: str, check: Callable[..., float], *bounds: float) -> None:
        object.__setattr__(self, name, check(name, getattr(self, name), *bounds))

    @property
    def schedule(self) -> NoiseSchedule:
        """The linear schedule that the prior is trained on."""
        return linear_schedule(self.num_train_timesteps)

    @property
    def inputs(self) -> int:
        """Channels of what the network sees: those of x_t."""
        return 3

    def build_network(self) -> ResidualUNet:
        """A fresh network; ValueError when its shape makes no sense."""
        return ResidualUNet(self.channels, blocks=self.blocks, patch=self.patch, inputs=self.inputs)

    def learning_rate(self, step: int, progress: float) -> float:
        """The factor of both learning rates at ``step`` when ``progress`` of the time is used.

        Warm-up, constant rate, linear decay to zero: a run can be cut short or prolonged at any
        time before the decay.
        """
        left = max(0.0, 1 - progress)
        falling = left / self.decay if left < self.decay else 1.0
        return min(1.0, (step + 1) / self.warmup) * falling

    def crops(self, progress: float) -> tuple[int, int]:
        """Batch and side of the crops of a step when ``progress`` of the time is used."""
        if progress < 1 - self.decay or self.final_crop == self.crop:
            return self.batch, self.crop
        return max(1, round(self.batch * (self.crop / self.final_crop) ** 2)), self.final_crop


def sample_timesteps(
    batch: int, steps: int, generator: torch.Generator, low_noise: float
) -> torch.Tensor:
    """Training timesteps (B,) in 0 .. steps - 1, on the generator's device.

    They are uniform, but for the share ``low_noise`` of them, which is cubed towards low noise:
    restoration spends its last, picture-deciding steps there, where a uniform draw would hardly
    ever train.
    """
    u = torch.rand(batch, generator=generator, device=generator.device)
    cubed = round(low_noise * batch)
    u = torch.cat([u[:cubed].pow(3), u[cubed:]])
    return (u * steps).long().clamp(max=steps - 1)
