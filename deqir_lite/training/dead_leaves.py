"""Dead-leaves pictures with natural colours: an endless supply of training pictures.

Opaque leaves fall on each other until nothing else is seen (Matheron, 1968). With radii of
density r^-3 the result looks the same at all scales and has the edges, the occlusions and the
1/|f|^2 power spectrum of photos (Lee, Mumford and Huang, IJCV 41, 2001).
"""

import math
from dataclasses import dataclass

import numpy as np
import torch

from deqir_lite.checks import check_integer
from deqir_lite.priors.gaussian import GaussianPrior
from deqir_lite.priors.spectrum import PhotoSpectrum

SMALLEST = 2.0
"""Radius in pixels of the smallest leaves; the largest have half a side."""

COVERAGE = 4.0
"""Leaves on top of each other on average; exp(-COVERAGE) of the ground stays visible."""

ASPECT = 0.75
"""Short axis of a leaf over its long one."""

SPREAD = 1.2
"""Leaves' colours are this much wider than pixels': clipping and blur take the rest away."""

_OUTSIDE = np.float32(1e15)
"""Coordinate of what lies outside the picture: far from every leaf."""

SHADING, TEXTURE = 0.12, 0.08
"""Shares of a pixel's variance that lie in the shading and in the texture of its leaf."""


class DeadLeaves:
    """The endless stream of square dead-leaves pictures that belongs to one ``seed``.

    Leaves are ellipses and rectangles. Each has a colour from the pixel distribution of
    ``spectrum``, a linear shading, and a texture with the whole spectrum; the three shares of
    the variance add up to that of photos.
    """

    def __init__(self, spectrum: PhotoSpectrum, *, side: int = 256, seed: int = 0) -> None:
        side = check_integer("side", side, 16)
        seed = check_integer("seed", seed, 0)
        self.side, self.seed = side, seed
        self._mean = spectrum.mean.numpy().astype(np.float32)
        # orthonormal Fourier modes: the mean over frequencies is the covariance of a pixel
        covariance = spectrum.covariance.mean(dim=(2, 3)).numpy()
        values, axes = np.linalg.eigh(covariance)
        self._colours = SPREAD * (axes * np.sqrt(values.clip(min=0))).T.astype(np.float32)
        generator = torch.Generator().manual_seed(seed)
        texture = GaussianPrior(spectrum).sample((1, side, side), generator)[0]
        texture = (texture - texture.mean(dim=(1, 2), keepdim=True)).reshape(3, -1)
        # without its mean, one draw has less variance than a pixel: give it all
        whole = np.trace(covariance) / float(texture.square().mean(dim=1).sum())
        self._texture = (math.sqrt(whole) * texture.T).numpy().astype(np.float32)

    def picture(self, number: int) -> torch.Tensor:
        """Picture ``number`` = 0, 1, ... of the stream: uint8 (3, side, side), always the same."""
        number = check_integer("number", number, 0)
        random = np.random.default_rng((self.seed, number))
        leaves = self._scatter(random)
        pixels = self._paint(self._top_leaf(leaves, random), leaves, random)
        pixels = _soften(pixels.reshape(self.side, self.side, 3))
        levels = ((pixels + 1) * 127.5).round().clip(0, 255).astype(np.uint8)
        return torch.from_numpy(levels).permute(2, 0, 1).contiguous()

    def _scatter(self, random: np.random.Generator) -> "_Leaves":
        """All leaves that touch the picture, smallest first, and the ground as the last one.

        Between the limits the density of radii is proportional to r^-3. Octave by
        octave, for the smaller a leaf, the less far outside can its centre lie.
        """
        largest = self.side / 2
        density = COVERAGE / (math.pi * ASPECT * math.log(largest / SMALLEST))  # of r^-3, per pixel
        octaves = []
        low = SMALLEST
        while low < largest:
            high = min(2 * low, largest)
            extent = self.side + 2 * high
            count = random.poisson(density * extent**2 * (low**-2 - high**-2) / 2)
            x, y, u = random.random((3, count), dtype=np.float32)
            # the inverse of the distribution function of r^-3 on (low, high)
            radius = (low**-2 + u * (high**-2 - low**-2)) ** -0.5
            octaves.append((x * extent - high, y * extent - high, radius))
            low = high
        octaves.append((np.full(1, largest),) * 3)
        x, y, radius = (np.concatenate(v).astype(np.float32) for v in zip(*octaves, strict=True))
        angle = random.random(len(x), dtype=np.float32) * np.float32(2 * math.pi)
        return _Leaves(x, y, radius, np.cos(angle), np.sin(angle))

    def _top_leaf(self, leaves: "_Leaves", random: np.random.Generator) -> np.ndarray:
        """The index (side^2,) of the leaf that is seen at each pixel.

        Leaves of one shape and octave are painted together, as each covers part of a box of the
        same size.
        """
        ground = len(leaves.x) - 1
        height = random.permutation(ground).astype(np.int32) + 1  # order of falling; the ground: 0
        rectangular = random.random(ground) < 0.5
        octave = np.log2(leaves.radius[:ground]).astype(int)
        seen = np.zeros(self.side**2, dtype=np.int32)
        for o in range(octave.max() + 1):
            for shape in (False, True):
                members = np.flatnonzero((octave == o) & (rectangular == shape))
                members = members[np.argsort(height[members])]
                reach = 2 ** (o + 1)
                top = np.zeros_like(seen)
                # in parts that fit into the processor's cache
                parts = 1 + len(members) * (2 * reach + 1) ** 2 // 2**15
                for part in np.array_split(members, parts):
                    pixel, which = self._covered(leaves, part, shape, reach)
                    top[pixel] = height[part][which]  # of equal pixels the last, highest one stays
                np.maximum(seen, top, out=seen)
        leaf_at = np.empty(ground + 1, dtype=np.int32)
        leaf_at[0], leaf_at[height] = ground, np.arange(ground)
        return leaf_at[seen]

    def _covered(
        self, leaves: "_Leaves", part: np.ndarray, rectangular: bool, reach: int
    ) -> tuple[np.ndarray, np.ndarray]:
        """(pixel, which): the pixels that each leaf of ``part`` covers, leaf after leaf."""
        steps = np.arange(-reach, reach + 1, dtype=np.int32)
        left, top = (np.floor(v[part]).astype(np.int32) for v in (leaves.x, leaves.y))
        column, row = left[:, None] + steps, top[:, None] + steps
        dx = column.astype(np.float32) - leaves.x[part, None]
        dy = row.astype(np.float32) - leaves.y[part, None]
        # along and across the leaf, in units of its half axes; a rectangle reaches less far
        size = leaves.radius[part, None] * np.float32(0.75 if rectangular else 1.0)
        cos, sin = leaves.cos[part, None] / size, leaves.sin[part, None] / size
        u_x, u_y = cos * dx, sin * dy
        u_x[(column < 0) | (column >= self.side)] = _OUTSIDE
        u_y[(row < 0) | (row >= self.side)] = _OUTSIDE
        u = u_x[:, None, :] + u_y[:, :, None]
        v = (dx * sin / -ASPECT)[:, None, :] + (dy * cos / ASPECT)[:, :, None]
        np.square(u, out=u)
        np.square(v, out=v)
        (np.maximum if rectangular else np.add)(u, v, out=u)
        inside = np.flatnonzero(u <= 1).astype(np.int32)
        which = inside // len(steps) ** 2
        within = (steps[:, None] * self.side + steps).reshape(-1)
        return within[inside - which * len(steps) ** 2] + (top * self.side + left)[which], which

    def _paint(
        self, leaf: np.ndarray, leaves: "_Leaves", random: np.random.Generator
    ) -> np.ndarray:
        """Colours (side^2, 3) in [-1, 1]: the mean, and each leaf's colour, shading and texture."""
        count = len(leaves.x)
        plain, shade = random.standard_normal((2, count, 3), dtype=np.float32) @ self._colours
        # a random piece of the periodic texture for each leaf, stronger on some than on others
        shift = random.integers(self.side, size=(2, count), dtype=np.int32)
        strength = np.sqrt(TEXTURE * random.exponential(size=count)).astype(np.float32)
        row, column = np.divmod(np.arange(self.side**2, dtype=np.int32), self.side)
        dx, dy = column - leaves.x[leaf], row - leaves.y[leaf]
        # from -2 to 2 across a leaf: of mean square 1 on a disc
        slope = 2 * (leaves.cos[leaf] * dx + leaves.sin[leaf] * dy) / leaves.radius[leaf]
        texel = (row + shift[0, leaf]) % self.side * self.side + (
            column + shift[1, leaf]
        ) % self.side
        plain *= math.sqrt(1 - SHADING - TEXTURE)
        shade *= math.sqrt(SHADING)
        pixels = self._mean + plain[leaf] + slope[:, None].astype(np.float32) * shade[leaf]
        pixels += strength[leaf, None] * self._texture[texel]
        return pixels.clip(-1, 1)


@dataclass(frozen=True)
class _Leaves:
    """Centres, long half axes and directions of n leaves, each a float32 array (n,)."""

    x: np.ndarray
    y: np.ndarray
    radius: np.ndarray
    cos: np.ndarray
    sin: np.ndarray


def _soften(pixels: np.ndarray) -> np.ndarray:
    """Blur (H, W, 3) with (1 4 1)/6 both ways: an optical edge is never sharper than a pixel."""
    padded = np.pad(pixels, ((1, 1), (1, 1), (0, 0)), mode="edge")
    columns = (padded[:-2] + 4 * padded[1:-1] + padded[2:]) / 6
    return (columns[:, :-2] + 4 * columns[:, 1:-1] + columns[:, 2:]) / 6
