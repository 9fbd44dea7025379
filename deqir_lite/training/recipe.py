"""The training recipe: network, loss, timestep sampling and learning rate of a photo prior."""

import math
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F

from deqir_lite._torchvision import ensure_torchvision
from deqir_lite.checks import check_choice, check_integer, check_interval
from deqir_lite.schedule import NoiseSchedule, linear_schedule

ensure_torchvision()

from diffusers import UNet2DModel  # noqa: E402  (needs the line above)

WEIGHTINGS = ("v", "epsilon")


@dataclass(frozen=True)
class Recipe:
    """Everything that decides what a training run does, apart from the pictures and the time.

    * ``channels``, ``layers_per_block``: width of each level, finest first, and depth of a level,
    * ``patch``: pixel-unshuffle factor; ``crop``: side of the training crops in pixels,
    * ``peak_lr``: AdamW learning rate after ``warmup`` steps of linear growth,
    * ``low_noise``: share of the timesteps that are drawn squared, towards low noise,
    * ``weighting``: "v" for the mean squared error of v, "epsilon" for that of the noise,
    * ``ema_decays``: rates of the moving averages, of which the best one is kept.
    """

    channels: tuple[int, ...] = (64, 128, 144, 160)
    layers_per_block: int = 1
    patch: int = 2
    crop: int = 64
    batch: int = 32
    peak_lr: float = 8e-4
    warmup: int = 200
    low_noise: float = 0.5
    weighting: str = "v"
    ema_decays: tuple[float, ...] = (0.998, 0.9995)
    num_train_timesteps: int = 1000
    seed: int = 0

    @classmethod
    def for_device(cls, device: torch.device | str, **changes: Any) -> "Recipe":
        """The default recipe for a kind of device, with ``changes``.

        A GPU makes ten times as many steps, of eight times as many crops: it can afford averages
        over longer times, and larger batches bear a higher learning rate.
        """
        on_gpu: dict[str, Any] = {
            "batch": 256, "peak_lr": 1.2e-3, "warmup": 500, "ema_decays": (0.999, 0.9998),
        }  # fmt: skip
        return cls(**{**(on_gpu if torch.device(device).type == "cuda" else {}), **changes})

    def __post_init__(self) -> None:
        for name in ("layers_per_block", "patch", "crop", "batch", "warmup"):
            check_integer(name, getattr(self, name), 1)
        # with fewer steps the linear schedule would not end in pure noise
        check_integer("num_train_timesteps", self.num_train_timesteps, 1000)
        if not self.channels:
            raise ValueError("channels: got none; expected one number per level, finest first")
        for width in self.channels:
            check_integer("channels", width, 16)
            if width % 16:
                raise ValueError(f"channels: got {width}; expected multiples of 16")
        check_interval("peak_lr", self.peak_lr, 0.0, 1.0)
        check_integer("seed", self.seed, 0)
        check_interval("low_noise", self.low_noise, 0.0, 1.0)
        check_choice("weighting", self.weighting, WEIGHTINGS)
        if not self.ema_decays:
            raise ValueError("ema_decays: got none; expected at least one number in [0, 1]")
        for decay in self.ema_decays:
            check_interval("ema_decays", decay, 0.0, 1.0)
        divisor = self.patch * 2 ** (len(self.channels) - 1)
        if self.crop % divisor:
            raise ValueError(f"crop: got {self.crop}; this network needs a multiple of {divisor}")

    @property
    def schedule(self) -> NoiseSchedule:
        """The linear schedule that the prior is trained on."""
        return linear_schedule(self.num_train_timesteps)

    def build_unet(self) -> UNet2DModel:
        """A fresh UNet2DModel: convolutions on the upper levels, attention on the lowest one."""
        levels = len(self.channels)
        return UNet2DModel(
            sample_size=self.crop // self.patch,
            in_channels=3 * self.patch**2,
            out_channels=3 * self.patch**2,
            block_out_channels=self.channels,
            layers_per_block=self.layers_per_block,
            down_block_types=["DownBlock2D"] * (levels - 1) + ["AttnDownBlock2D"],
            up_block_types=["AttnUpBlock2D"] + ["UpBlock2D"] * (levels - 1),
            attention_head_dim=16,
            norm_num_groups=16,
        )

    def learning_rate(self, step: int, progress: float) -> float:
        """Linear warm-up over steps, then a cosine over ``progress`` = used share of the time."""
        cosine = 0.5 * (1 + math.cos(math.pi * min(progress, 1.0)))
        return self.peak_lr * min(1.0, (step + 1) / self.warmup) * (0.01 + 0.99 * cosine)


def sample_timesteps(
    batch: int, steps: int, generator: torch.Generator, low_noise: float = 0.5
) -> torch.Tensor:
    """Training timesteps (B,) in 0 .. steps - 1, on the generator's device.

    They are uniform, but for the share ``low_noise`` of them, which is squared towards low noise:
    restoration spends its last, picture-deciding steps there, where a uniform draw would hardly
    ever train.
    """
    u = torch.rand(batch, generator=generator, device=generator.device)
    squared = round(low_noise * batch)
    u = torch.cat([u[:squared].square(), u[squared:]])
    return (u * steps).long().clamp(max=steps - 1)


def v_target(
    x0: torch.Tensor, eps: torch.Tensor, signal: torch.Tensor, noise: torch.Tensor
) -> torch.Tensor:
    """v = sqrt(abar) eps - sqrt(1 - abar) x_0 (Salimans and Ho, 2022)."""
    return signal * eps - noise * x0


def weighted_loss(
    output: torch.Tensor, target: torch.Tensor, signal: torch.Tensor, weighting: str
) -> torch.Tensor:
    """Mean squared error of v, or of the noise: an error e of v is an error sqrt(abar) e of eps."""
    if weighting == "epsilon":
        output, target = signal * output, signal * target
    return F.mse_loss(output, target)
