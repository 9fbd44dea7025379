"""The second-order statistics of photos: a mean colour and a 3x3 covariance per spatial frequency.

Photos are nearly stationary, so Fourier modes are nearly uncorrelated and all that is left is the
covariance between the three colour channels of each mode. It falls roughly as 1/|f|^2 and hardly
depends on the image size once frequencies are measured in cycles per pixel; a table for one size
therefore serves every size.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

import torch
import torch.nn.functional as F
from safetensors.torch import save

from deqir_lite._files import write_atomically
from deqir_lite.checks import (
    check_divisible,
    check_finite,
    check_images,
    check_integer,
    check_interval,
)
from deqir_lite.constants import Constants
from deqir_lite.priors.weights import read_tensors

_FLOOR = 0.3
"""Frequency of the DC bin, in units of 1/size: keeps the power law finite there."""

_AT_ONCE = 2**18
"""Frequencies whose covariances are taken apart at once: a bound on memory."""


@dataclass(frozen=True, eq=False)
class PhotoSpectrum:
    """``mean`` (3,) and ``covariance`` (3, 3, S, S): E[X_i X_j*] of the orthonormal 2-D Fourier
    coefficients of S x S photos in [-1, 1], float64, symmetric positive semidefinite per frequency,
    in the order of ``torch.fft.fft2``."""

    mean: torch.Tensor
    covariance: torch.Tensor
    _constants: Constants = field(default_factory=Constants, init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        check_finite("mean", self.mean)
        check_finite("covariance", self.covariance)
        side = self.covariance.shape[-1]
        if self.mean.shape != (3,) or self.covariance.shape != (3, 3, side, side):
            raise ValueError(
                f"mean {tuple(self.mean.shape)}, covariance {tuple(self.covariance.shape)}: "
                "expected (3,) and (3, 3, S, S)"
            )

    def at_size(self, height: int, width: int, rows: slice = slice(None)) -> torch.Tensor:
        """The covariance (3, 3, height, width // 2 + 1) on the rfft2 grid of another image size,
        or some ``rows`` of it.

        The table divided by its power law is smooth: it is interpolated bilinearly in frequency
        and multiplied with the power law of the new size.
        """
        side, device = self.covariance.shape[-1], self.covariance.device
        smooth = self.covariance / _power_law(side, side, device)
        columns = slice(width // 2 + 1)
        if (height, width) == (side, side):
            smooth = smooth[..., rows, columns]
        else:
            smooth = _resample_frequencies(smooth, height, width, rows, columns)
        return smooth * _power_law(height, width, device, rows, columns)

    def eigenbasis(self, part: str, like: torch.Tensor) -> torch.Tensor:
        """Of :meth:`at_size` for images like (..., 3, H, W): the eigenvalues, ``part`` "values",
        (3, H, 2 (W // 2 + 1)), or the "axes" (3 channels, 3 eigenvectors, H, 2 (W // 2 + 1)), each
        twice: a factor of the real and of the imaginary part of a mode.

        Computed once for each size, in float64 and some rows at a time; kept with the dtype and on
        the device of ``like``.
        """
        if like.ndim < 3 or like.shape[-3] != 3 or 0 in like.shape[-2:]:
            raise ValueError(f"x: got shape {tuple(like.shape)}; expected (..., 3, H, W)")
        height, width = like.shape[-2:]
        columns = width // 2 + 1

        def both() -> dict[str, torch.Tensor]:
            device = self.covariance.device
            values = torch.empty(3, height, 2 * columns, dtype=like.dtype, device=device)
            axes = torch.empty(3, 3, height, 2 * columns, dtype=like.dtype, device=device)
            step = max(1, _AT_ONCE // columns)
            for rows in (slice(top, top + step) for top in range(0, height, step)):
                table = self.at_size(height, width, rows).permute(2, 3, 0, 1)
                found, vectors = torch.linalg.eigh(table)
                found = found.clamp(min=0).permute(2, 0, 1)
                values[:, rows] = found.repeat_interleave(2, dim=-1)
                axes[:, :, rows] = vectors.permute(2, 3, 0, 1).repeat_interleave(2, dim=-1)
            return {"values": values.to(like.device), "axes": axes.to(like.device)}

        return self._constants.exact((height, width, like.dtype, like.device), both)[part]

    def mean_like(self, like: torch.Tensor) -> torch.Tensor:
        """``mean`` (3,) with the dtype and on the device of ``like``; moved once."""
        return self._constants.like("mean", like, lambda: self.mean)

    def to_bytes(self) -> bytes:
        """The content of a safetensors file."""
        tensors = {"mean": self.mean, "covariance": self.covariance.float()}
        return save({name: value.contiguous() for name, value in tensors.items()})

    def save(self, path: str | Path) -> None:
        """Write a safetensors file."""
        write_atomically(Path(path), self.to_bytes())

    @classmethod
    def load(cls, path: str | Path) -> "PhotoSpectrum":
        """Read what :meth:`save` wrote; FileNotFoundError or ValueError in one line otherwise."""
        if not Path(path).is_file():
            raise FileNotFoundError(f"spectrum: no file {path}")
        tensors = read_tensors(Path(path), name="spectrum")
        if missing := sorted({"mean", "covariance"} - set(tensors)):
            raise ValueError(f"spectrum: {path} is corrupt (it lacks {', '.join(missing)})")
        try:
            return cls(tensors["mean"].double(), tensors["covariance"].double())
        except (ValueError, IndexError) as error:
            raise ValueError(f"spectrum: {path} is corrupt ({error})") from error

    def grey(self) -> "PhotoSpectrum":
        """That of the same photos without their colours, R = G = B."""
        shared = self.covariance.mean(dim=(0, 1), keepdim=True)
        return PhotoSpectrum(self.mean.mean().expand(3), shared.expand_as(self.covariance))

    def __repr__(self) -> str:
        side = self.covariance.shape[-1]
        return f"PhotoSpectrum({side}x{side})"


def _power_law(
    height: int,
    width: int,
    device: torch.device | None = None,
    rows: slice = slice(None),
    columns: slice = slice(None),
) -> torch.Tensor:
    fy = torch.fft.fftfreq(height, dtype=torch.float64, device=device)[rows, None]
    fx = torch.fft.fftfreq(width, dtype=torch.float64, device=device)[None, columns]
    floor = _FLOOR / (height * width) ** 0.5
    return 1 / (fy.square() + fx.square() + floor**2)


def _resample_frequencies(
    table: torch.Tensor, height: int, width: int, rows: slice, columns: slice
) -> torch.Tensor:
    """Interpolate a periodic table (3, 3, S, S) bilinearly at some frequencies of a new size."""
    side = table.shape[-1]
    ordered = torch.fft.fftshift(table, dim=(-2, -1)).reshape(1, 9, side, side)
    periodic = F.pad(ordered, (0, 1, 0, 1), mode="circular")
    # grid_sample wants -1 at the first and +1 at the last entry of the padded table
    first, span = -(side // 2) / side, 1.0
    y, x = (
        2 * (torch.fft.fftfreq(n, dtype=torch.float64, device=table.device)[kept] - first) / span
        - 1
        for n, kept in ((height, rows), (width, columns))
    )
    grid = torch.stack(torch.meshgrid(x, y, indexing="xy"), dim=-1)[None]
    sampled = F.grid_sample(periodic, grid, mode="bilinear", align_corners=True)
    return sampled.reshape(3, 3, len(y), len(x))


def fit_spectrum(photos: torch.Tensor | Iterable[torch.Tensor]) -> PhotoSpectrum:
    """Fit to square photos (n, 3, S, S) in [-1, 1], or to batches of them, one after the other.

    This is the stationary Gaussian closest to the photos' true covariance: the average
    periodogram, made real and symmetric, since photos flipped left to right are as likely as the
    originals.
    """
    if isinstance(photos, torch.Tensor):
        check_images("photos", photos)
        photos = photos.split(256)  # a bound on memory
    count, total = 0, torch.zeros(3, dtype=torch.float64)
    cross = torch.zeros((), dtype=torch.float64)
    for batch in photos:
        check_images("photos", batch)
        if batch.shape[2] != batch.shape[3]:
            raise ValueError(f"photos: got shape {tuple(batch.shape)}; expected (n, 3, S, S)")
        check_divisible("photos", batch.shape[2:], 2)
        modes = torch.fft.fft2(batch.double(), norm="ortho")
        power = torch.einsum("nihw,njhw->ijhw", modes, modes.conj()).real
        cross, total = cross.to(power) + power, total.to(power) + modes[..., 0, 0].real.sum(dim=0)
        count += len(batch)
    if not count:
        raise ValueError("photos: got none; expected at least one")
    cross, constant = cross / count, total / count
    cross[..., 0, 0] -= torch.outer(constant, constant)  # of the mean, which has no other wave
    mean = constant / cross.shape[-1]
    flipped = torch.roll(cross.flip(-1), 1, dims=-1)
    return PhotoSpectrum(mean, (cross + flipped) / 2)


def power_law_spectrum(
    *, exponent: float = 2.0, deviation: float = 0.5, color_correlation: float = 0.9, size: int = 64
) -> PhotoSpectrum:
    """A spectrum without any photo: power |f|^-exponent, the same at all angles.

    ``deviation`` is the standard deviation of a pixel (in [-1, 1] units) at the reference ``size``,
    ``color_correlation`` the correlation between any two colour channels.
    """
    exponent = check_interval("exponent", exponent, 0.0, 4.0)
    color_correlation = check_interval("color_correlation", color_correlation, 0.0, 1.0)
    deviation = check_interval("deviation", deviation, 1e-6, 1e6)
    size = check_integer("size", size, 1)
    power = _power_law(size, size).pow(exponent / 2)
    power = deviation**2 * power / power.mean()
    ones = torch.ones(3, 3, dtype=torch.float64)
    colour = color_correlation * ones + (1 - color_correlation) * torch.eye(3).double()
    return PhotoSpectrum(torch.zeros(3).double(), colour[:, :, None, None] * power)
