"""The Gaussian photo prior: x_0 ~ N(mean, Lam), stationary, with an exact denoiser."""

import torch

from deqir_lite.checks import check_kinds
from deqir_lite.linear_map import Map, rounded
from deqir_lite.priors.spectrum import PhotoSpectrum
from deqir_lite.schedule import NoiseSchedule, linear_schedule

_LARGE = 2**24
"""Values of images that are transformed channel by channel."""


class GaussianPrior:
    """Photos as a stationary Gaussian: Lam is one 3x3 colour covariance per spatial frequency.

    In the basis of Fourier modes times the colour axes of each frequency Lam is diagonal, so
    everything is an FFT, a 3x3 rotation and a multiplication. It works at any image size, and on
    any device and dtype. With it every quantity of a restoration is known in closed form.
    """

    def __init__(self, spectrum: PhotoSpectrum, *, schedule: NoiseSchedule | None = None) -> None:
        check_kinds(GaussianPrior.__init__, locals())
        self.spectrum = spectrum
        self.schedule = schedule or linear_schedule()

    def __call__(self, x_t: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
        """eps(x_t) = sqrt(1 - abar) (abar Lam + 1 - abar)^-1 (x_t - sqrt(abar) mean), exact.

        x_t (B, 3, H, W), t (B,) int64.
        """
        return rounded(lambda x: self._noise(x, t), x_t)

    def _noise(self, x_t: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
        signal, noise = self.schedule.at(t, x_t)
        gain = noise / (signal.square() * self.eigenvalues(x_t) + noise.square())
        return self.filter(x_t - signal * self.mean(x_t), gain)

    def denoise(self, x_t: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
        """E[x_0 | x_t] = mean + sqrt(abar) Lam (abar Lam + 1 - abar)^-1 (x_t - sqrt(abar) mean)."""
        return rounded(lambda x: self._denoised(x, t), x_t)

    def _denoised(self, x_t: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
        signal, noise = self.schedule.at(t, x_t)
        eigenvalues = self.eigenvalues(x_t)
        gain = signal * eigenvalues / (signal.square() * eigenvalues + noise.square())
        return self.mean(x_t) + self.filter(x_t - signal * self.mean(x_t), gain)

    def mean(self, like: torch.Tensor) -> torch.Tensor:
        """The mean colour as (3, 1, 1) with the device and dtype of ``like``."""
        return self.spectrum.mean_like(like)[:, None, None]

    def eigenvalues(self, like: torch.Tensor) -> torch.Tensor:
        """Variances (3, H, W // 2 + 1) of Lam in its eigenbasis, for images like (..., 3, H, W)."""
        return self._values(like)[..., ::2]

    def _values(self, like: torch.Tensor) -> torch.Tensor:
        """:func:`twice` the eigenvalues."""
        return self.spectrum.eigenbasis("values", like)

    def wiener(self, v: torch.Tensor, alpha_bar: float) -> torch.Tensor:
        """W v = sqrt(abar) Lam (abar Lam + 1 - abar)^-1 v: the Jacobian of x_{0|t}(x_t)."""
        values, root = self._values(v), alpha_bar**0.5
        return self.filter_twice(v, values / (root * values).add_((1 - alpha_bar) / root))

    def covariance(self, v: torch.Tensor, *, power: float = 1.0) -> torch.Tensor:
        """Lam^power v for v (B, 3, H, W); power 1/2 turns white noise into photo-like noise."""
        return self.filter(v, self.eigenvalues(v).pow(power))

    def sample(self, shape: tuple[int, int, int], generator: torch.Generator) -> torch.Tensor:
        """Draws (B, 3, H, W), float64, for ``shape`` = (B, H, W)."""
        batch, height, width = shape
        white = torch.randn(batch, 3, height, width, generator=generator, dtype=torch.float64)
        return self.mean(white) + self.covariance(white, power=0.5)

    def filter(self, v: torch.Tensor, gain: torch.Tensor) -> torch.Tensor:
        """v (..., 3, H, W) times ``gain`` (..., 3, H, W // 2 + 1) in the eigenbasis of Lam."""
        return self.filter_twice(v, twice(gain))

    def filter_twice(self, v: torch.Tensor, gain: torch.Tensor) -> torch.Tensor:
        """:meth:`filter` with a ``gain`` that is :func:`twice` what it is there: saves a copy."""
        axes = self.spectrum.eigenbasis("axes", v)
        a, b, c = (self._rotated(v, axes) * gain).unsqueeze(-4).unbind(-3)
        back = (axes[:, 0] * a).addcmul_(axes[:, 1], b).addcmul_(axes[:, 2], c)
        del a, b, c
        back = torch.view_as_complex(back.unflatten(-1, (-1, 2)))
        return _by_channel(lambda m: torch.fft.irfft2(m, s=v.shape[-2:], norm="ortho"), back)

    def modes(self, v: torch.Tensor) -> torch.Tensor:
        """v (..., 3, H, W) in the eigenbasis of Lam: complex (..., 3, H, W // 2 + 1)."""
        rotated = self._rotated(v, self.spectrum.eigenbasis("axes", v))
        return torch.view_as_complex(rotated.unflatten(-1, (-1, 2)))

    def _rotated(self, v: torch.Tensor, axes: torch.Tensor) -> torch.Tensor:
        """The modes of v with real and imaginary parts side by side, (..., 3, H, 2 (W // 2 + 1)).

        So the axes, which are real, meet real numbers: half the work of complex ones.
        """
        modes = _by_channel(lambda x: torch.fft.rfft2(x, norm="ortho"), v)
        spectrum = torch.view_as_real(modes).flatten(-2)
        r, g, b = spectrum.unsqueeze(-4).unbind(-3)
        return (axes[0] * r).addcmul_(axes[1], g).addcmul_(axes[2], b)

    def __repr__(self) -> str:
        return f"GaussianPrior({self.spectrum!r}, N={self.schedule.num_train_timesteps})"


def _by_channel(transform: Map, x: torch.Tensor) -> torch.Tensor:
    """transform(x) of x (..., 3, H, W), of large ones channel by channel: it needs copies."""
    if x.numel() < _LARGE or torch.is_grad_enabled():
        return transform(x)
    first = transform(x[..., :1, :, :])
    result = first.new_empty(*x.shape[:-2], *first.shape[-2:])
    result[..., :1, :, :] = first
    for c in range(1, x.shape[-3]):
        result[..., c, :, :] = transform(x[..., c, :, :])
    return result


def twice(gain: torch.Tensor) -> torch.Tensor:
    """A gain for the real and one for the imaginary part of each mode, side by side."""
    return gain.repeat_interleave(2, dim=-1)
