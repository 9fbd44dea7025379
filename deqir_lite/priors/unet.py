"""The small network of the bundled photo prior: a U-Net without normalisation and attention."""

from collections.abc import Sequence
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import nn

from deqir_lite.checks import check_integer

EMBEDDING = 128
"""Length of the vector that tells every block the noise level."""


class ResidualBlock(nn.Module):
    """x + conv(SiLU(conv(x) (1 + scale) + shift)), scale and shift linear in the noise level."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(channels, channels, 3, padding=1)
        self.second = nn.Conv2d(channels, channels, 3, padding=1)
        self.modulation = nn.Linear(EMBEDDING, 2 * channels)
        with torch.no_grad():  # a block begins near the identity
            self.second.weight.mul_(0.1)
            self.modulation.weight.zero_()
            self.modulation.bias.zero_()

    def forward(self, x: torch.Tensor, level: torch.Tensor) -> torch.Tensor:
        """x (B, channels, H, W) and level (B, EMBEDDING) to a tensor like x."""
        scale, shift = self.modulation(level)[:, :, None, None].chunk(2, dim=1)
        return x + self.second(F.silu(self.first(x) * (1 + scale) + shift))


class Blocks(nn.ModuleList):
    """Residual blocks one after the other."""

    def forward(self, x: torch.Tensor, level: torch.Tensor) -> torch.Tensor:
        """As one block."""
        for block in self:
            x = block(x, level)
        return x


class NoiseLevel(nn.Module):
    """log(noise / signal) (B,) to a vector (B, EMBEDDING): waves of eight lengths, one layer."""

    frequencies: torch.Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("frequencies", 2.0 ** torch.arange(-3, 5), persistent=False)
        self.linear = nn.Linear(16, EMBEDDING)

    def forward(self, log_ratio: torch.Tensor) -> torch.Tensor:
        """Sines and cosines, then the layer."""
        phase = log_ratio[:, None] * self.frequencies
        return F.silu(self.linear(torch.cat([phase.sin(), phase.cos()], dim=1)))


class ResidualUNet(nn.Module):
    """f(x_t, t): noisy images (B, 3, H, W) and log(noise / signal) (B,) to images (B, 3, H, W).

    With more ``inputs`` than 3 channels it also sees other images, behind the noisy one. The
    ``patch`` x ``patch`` pixels of a square become channels. Then comes one level per entry of
    ``channels``, finest first: ``blocks`` residual blocks on the way down, and on the way up
    again; strided convolutions lead from level to level, and what was there is added on the way up.
    The last layer starts at zero, and with it f.
    """

    def __init__(
        self,
        channels: Sequence[int] = (48, 96, 128, 224),
        *,
        blocks: int = 2,
        patch: int = 2,
        inputs: int = 3,
    ) -> None:
        super().__init__()
        blocks, patch = check_integer("blocks", blocks, 1), check_integer("patch", patch, 1)
        if not channels:
            raise ValueError("channels: got none; expected one number per level, finest first")
        channels = tuple(check_integer("channels", width, 1) for width in channels)
        self.channels, self.blocks, self.patch, self.inputs = channels, blocks, patch, inputs

        def level(width: int) -> Blocks:
            return Blocks(ResidualBlock(width) for _ in range(blocks))

        steps = list(pairwise(channels))
        self.level = NoiseLevel()
        self.input = nn.Conv2d(inputs * patch**2, channels[0], 3, padding=1)
        self.down = nn.ModuleList(level(width) for width in channels)
        self.shrink = nn.ModuleList(nn.Conv2d(a, b, 2, stride=2) for a, b in steps)
        self.grow = nn.ModuleList(nn.ConvTranspose2d(b, a, 2, stride=2) for a, b in steps)
        self.up = nn.ModuleList(level(width) for width in channels[:-1])
        self.output = nn.Conv2d(channels[0], 3 * patch**2, 3, padding=1)
        for weight in self.output.parameters():
            nn.init.zeros_(weight)

    @property
    def size_divisor(self) -> int:
        """Image sides must be multiples of this."""
        return self.patch * 2 ** (len(self.channels) - 1)

    def forward(self, x_t: torch.Tensor, log_ratio: torch.Tensor) -> torch.Tensor:
        """Down, up, and back to pixels."""
        level = self.level(log_ratio)
        x = F.pixel_unshuffle(x_t, self.patch).to(memory_format=torch.channels_last)
        x = self.input(x)
        passed = []
        for depth, blocks in enumerate(self.down):
            x = blocks(x, level)
            if depth < len(self.shrink):
                passed.append(x)
                x = self.shrink[depth](x)
        for depth in reversed(range(len(self.up))):
            x = self.grow[depth](x) + passed[depth]
            x = self.up[depth](x, level)
        return F.pixel_shuffle(self.output(x), self.patch)
