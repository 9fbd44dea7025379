"""The training recipe: network, loss, timestep sampling and learning rate of a photo prior."""

import math
from dataclasses import dataclass

import torch

from deqir_lite._torchvision import ensure_torchvision
from deqir_lite.checks import check_integer, check_interval
from deqir_lite.schedule import NoiseSchedule, linear_schedule

ensure_torchvision()

from diffusers import UNet2DModel  # noqa: E402  (needs the line above)


@dataclass(frozen=True)
class Recipe:
    """Everything that decides what a training run does, apart from the photos and the time.

    ``patch`` is the pixel-unshuffle factor, ``crop`` the side of the training crops in pixels,
    ``peak_lr`` the AdamW learning rate after ``warmup`` steps of linear growth.
    """

    channels: tuple[int, ...] = (64, 128, 144, 160)
    patch: int = 2
    crop: int = 64
    batch: int = 32
    peak_lr: float = 8e-4
    warmup: int = 200
    ema_decay: float = 0.998
    num_train_timesteps: int = 1000
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("patch", "crop", "batch", "warmup"):
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
        check_interval("ema_decay", self.ema_decay, 0.0, 1.0)
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
            layers_per_block=1,
            down_block_types=["DownBlock2D"] * (levels - 1) + ["AttnDownBlock2D"],
            up_block_types=["AttnUpBlock2D"] + ["UpBlock2D"] * (levels - 1),
            attention_head_dim=16,
            norm_num_groups=16,
        )

    def learning_rate(self, step: int, progress: float) -> float:
        """Linear warm-up over steps, then a cosine over ``progress`` = used share of the time."""
        cosine = 0.5 * (1 + math.cos(math.pi * min(progress, 1.0)))
        return self.peak_lr * min(1.0, (step + 1) / self.warmup) * (0.01 + 0.99 * cosine)


def sample_timesteps(batch: int, steps: int, generator: torch.Generator) -> torch.Tensor:
    """Training timesteps (B,): half uniform, half squared towards low noise.

    Restoration spends its last, picture-deciding steps at low noise, where a uniform draw
    would hardly ever train.
    """
    u = torch.rand(batch, generator=generator)
    u[: batch // 2] = u[: batch // 2].square()
    return (u * steps).long().clamp(max=steps - 1)


def v_target(
    x0: torch.Tensor, eps: torch.Tensor, signal: torch.Tensor, noise: torch.Tensor
) -> torch.Tensor:
    """v = sqrt(abar) eps - sqrt(1 - abar) x_0 (Salimans and Ho, 2022)."""
    return signal * eps - noise * x0
