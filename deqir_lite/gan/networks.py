"""The two networks of a small GAN: one that draws photo crops, one that tells them from photos."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from deqir_lite.checks import check_integer

PATCH = 2
"""Both work on squares of 2 x 2 pixels as channels, as the prior's network does."""


def _convolution(inputs: int, outputs: int) -> nn.Conv2d:
    # with zeros beyond the border a generator would know where it is, and not be for other sizes
    return nn.Conv2d(inputs, outputs, 3, padding=1, padding_mode="replicate")


def _normalised(x: Tensor) -> Tensor:
    """Each pixel's channels at mean square 1 (Karras et al. 2018): training stays calm with it."""
    return x * (x.square().mean(dim=1, keepdim=True) + 1e-8).rsqrt()


class Generator(nn.Module):
    """G(z): latents (B, latent, h, w), white noise, to photos (B, 3, s h, s w), s = ``factor``.

    One level per entry of ``widths``, coarsest first, each with two convolutions; from level to
    level the sides double, and at the end squares of 2 x 2 pixels. There is a latent vector for
    every square of s pixels, so that a generator of small crops is one of larger photos, too.
    """

    def __init__(self, widths: Sequence[int] = (64, 48, 32), *, latent: int = 32) -> None:
        super().__init__()
        if not widths:
            raise ValueError("widths: got none; expected one number per level, coarsest first")
        self.widths = tuple(check_integer("widths", width, 1) for width in widths)
        self.latent = check_integer("latent", latent, 1)
        first = (latent, *self.widths[:-1])
        self.enter = nn.ModuleList(map(_convolution, first, self.widths))
        self.stay = nn.ModuleList(map(_convolution, self.widths, self.widths))
        self.output = _convolution(self.widths[-1], 3 * PATCH**2)

    @property
    def factor(self) -> int:
        """Pixels a side of the photo for each latent vector."""
        return PATCH * 2 ** (len(self.widths) - 1)

    def forward(self, z: Tensor) -> Tensor:
        """From coarse to fine."""
        x = z
        for level, (enter, stay) in enumerate(zip(self.enter, self.stay, strict=True)):
            if level:
                x = F.interpolate(x, scale_factor=2.0)
            x = _normalised(F.leaky_relu(enter(x), 0.2))
            x = _normalised(F.leaky_relu(stay(x), 0.2))
        return F.pixel_shuffle(self.output(x), PATCH)


class Discriminator(nn.Module):
    """D(x): photo crops (B, 3, S, S) to numbers (B,), large for photos; ``side`` is S.

    The levels of the generator with these ``widths`` backwards. The last one also sees how much
    the crops of a batch differ (Karras et al. 2018), else a generator of one crop would do.
    """

    def __init__(self, widths: Sequence[int] = (64, 48, 32), *, side: int = 32) -> None:
        super().__init__()
        finest = tuple(reversed(widths))
        self.enter = nn.ModuleList(map(_convolution, (3 * PATCH**2, *finest[:-1]), finest))
        self.stay = nn.ModuleList(map(_convolution, finest, finest))
        last = side // PATCH // 2 ** (len(finest) - 1)
        self.output = nn.Linear((finest[-1] + 1) * last**2, 1)

    def forward(self, x: Tensor) -> Tensor:
        """From fine to coarse."""
        x = F.pixel_unshuffle(x, PATCH)
        for level, (enter, stay) in enumerate(zip(self.enter, self.stay, strict=True)):
            if level:
                x = F.avg_pool2d(x, 2)
            x = F.leaky_relu(enter(x), 0.2)
            x = F.leaky_relu(stay(x), 0.2)
        spread = (x.var(dim=0, correction=0) + 1e-8).sqrt().mean()
        x = torch.cat([x, spread.expand(len(x), 1, *x.shape[2:])], dim=1)
        return self.output(x.flatten(1))[:, 0]
