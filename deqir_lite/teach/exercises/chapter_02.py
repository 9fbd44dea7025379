"""Checks of chapter 2: diffusion priors."""

from collections.abc import Callable
from typing import Any

import torch

from deqir_lite.bundled import load_bundled_photo, photo_names
from deqir_lite.metrics import psnr
from deqir_lite.priors.base import Prior, predict_x0
from deqir_lite.priors.load import load_gaussian, load_prior
from deqir_lite.teach.answers import as_function, as_tensor, compare
from deqir_lite.teach.checking import Hint, exercise

_OTHERWISE = "Not what I expected. Try the ends: what should come out for abar -> 0 and -> 1?"


@exercise("ex-shrink")
def check_shrink(answer: Callable[..., Any]) -> str:
    """The function (x, mean, deviation, abar) -> E[x_0 | x_t] for one Gaussian."""
    x = torch.tensor([-1.3, 0.2, 2.0], dtype=torch.float64)
    m, s, abar = 0.7, 0.5, 0.4
    c, spread = abar**0.5, abar * s**2 + 1 - abar
    off = x - c * m
    wrong = {
        "The mean shrinks with the signal: compare x with sqrt(abar) mu.": (
            m + c * s**2 / spread * (x - m)
        ),
        "A root is missing: how much of x_0 is in x_t?": m + abar * s**2 / spread * off,
        "There is no root of abar in the slope. Check abar -> 0.": m + s**2 / spread * off,
        "This is a standard deviation; variances add up.": m + c * s / (abar * s + 1 - abar) * off,
        "This is the variance of x_0 alone in the denominator; x_t has noise, too.": m + c * off,
        "Variances shrink with abar, not with its root.": (
            m + c * s**2 / (c * s**2 + 1 - abar) * off
        ),
        "This is the best guess of sqrt(abar) x_0. Divide.": (
            x + (1 - abar) * (-(x - c * m) / spread)
        ),
        "The score points towards the mean: check its sign.": (x + (1 - abar) * off / spread) / c,
    }
    compare(
        as_tensor(as_function(answer)(x, m, s, abar), shape=tuple(x.shape)),
        m + c * s**2 / spread * off,
        wrong,
        _OTHERWISE,
    )
    return "Right: between the mean and the data, as the noise decides."


@exercise("ex-two-points")
def check_two_points(answer: Callable[..., Any]) -> str:
    """The function (x, abar) -> tanh(sqrt(abar) x / (1 - abar))."""
    x = torch.tensor([-0.6, 0.1, 0.5], dtype=torch.float64)
    abar = 0.4
    b = abar**0.5 * x / (1 - abar)
    wrong = {
        "The points shrink, too: they lie at +-sqrt(abar).": torch.tanh(x / (1 - abar)),
        "A root is missing: the points lie at +-sqrt(abar).": torch.tanh(abar * x / (1 - abar)),
        "Divide by the variance of the noise, not by its root.": torch.tanh(
            abar**0.5 * x / (1 - abar) ** 0.5
        ),
        "The noise is missing: how wide is it?": torch.tanh(abar**0.5 * x),
        "This is the probability of +1. The mean of +1 and -1 is another number.": (
            torch.sigmoid(2 * b)
        ),
        "Look at the exponents again: the two differ by 2 b, and tanh b is made of e^b and e^-b.": (
            torch.tanh(2 * b)
        ),
        "In the exponent there is a half: the two squares differ by 4 sqrt(abar) x.": (
            torch.tanh(b / 2)
        ),
        "The sign: at x > 0 the point +1 is the likely one.": -torch.tanh(b),
    }
    compare(
        as_tensor(as_function(answer)(x, abar), shape=tuple(x.shape)),
        torch.tanh(b),
        wrong,
        _OTHERWISE,
    )
    return "Right: a soft sign that hardens as the noise fades."


@exercise("ex-error-factor")
def check_error_factor(answer: Callable[..., Any]) -> str:
    """The function abar -> factors of the error of x_0 for epsilon, v and sample."""
    abar = torch.tensor(0.2, dtype=torch.float64)
    c, s = float(abar**0.5), float((1 - abar) ** 0.5)
    factors = as_function(answer)(abar)
    try:
        factors = torch.tensor([float(factor) for factor in factors], dtype=torch.float64)
    except (TypeError, ValueError) as error:
        raise Hint("Return three numbers: for epsilon, v and x_0.") from error
    if len(factors) != 3:
        raise Hint(f"Got {len(factors)} numbers; expected three: for epsilon, v and x_0.")
    wrong = {
        "These are the errors of epsilon that follow. Asked is the error of x_0.": (1, c, c / s),
        "An error has no sign: its root mean square is positive.": (-s / c, -s, 1),
        "These are ratios of squares: take the root.": ((s / c) ** 2, s**2, 1),
        "You have signal and noise exchanged.": (c / s, c, 1),
        "Right numbers, another order: epsilon, v, x_0.": (1, s, s / c),
        "Nearly: epsilon has this factor, but then the whole bracket is divided.": (s, s, 1),
    }
    right = torch.tensor([s / c, s, 1], dtype=torch.float64)
    tensors = {hint: torch.tensor(value, dtype=torch.float64) for hint, value in wrong.items()}
    compare(factors, right, tensors, _OTHERWISE)
    return "Right: rho explodes at the noisy end, sqrt(1 - abar) never exceeds 1."


EASY = ("camera", "cat", "cell", "galaxies", "retina")
"""The photos that the leaflet shows photo64."""


@exercise("ex-leaflet")
def check_leaflet(answer: Any) -> str:
    """The mean lead of photo64 over the Gaussian at t = 100 on all bundled photos, in dB."""
    names, network, gaussian = _leaflet()
    easy = torch.tensor([name in EASY for name in names])
    lead = network - gaussian
    found, right = float(answer), float(lead.mean())
    wrong = {
        "This is what the leaflet says. The two priors saw different photos.": float(
            network[easy].mean() - gaussian[~easy].mean()
        ),
        "The same photos for both, but only the leaflet's first five.": float(lead[easy].mean()),
        "The same photos for both, but only those that the leaflet shows the Gaussian.": float(
            lead[~easy].mean()
        ),
        "The sign: a lead is what photo64 has more.": -right,
    }
    if abs(found - right) < 0.05:
        return f"Right: {right:.1f} dB. The rest of the leaflet's lead belongs to the photos."
    for hint, value in wrong.items():
        if abs(found - value) < 0.05:
            raise Hint(hint)
    raise Hint(
        "Not what I get. The same ten photos, the same noise, the mean of photo64's dB less those "
        "of the Gaussian?"
    )


@torch.no_grad()
def _leaflet() -> tuple[list[str], torch.Tensor, torch.Tensor]:
    """Names of the bundled photos, and the quality of the guesses of both priors at t = 100."""
    names = photo_names()
    photos = torch.cat([load_bundled_photo(name, size=64) for name in names])
    generator = torch.Generator().manual_seed(5)
    noise = torch.randn(photos.shape, generator=generator, dtype=torch.float64)
    times = torch.full((len(photos),), 100)

    def quality(prior: Prior) -> torch.Tensor:
        signal, level = prior.schedule.at(times, noise)
        x_t = (signal * photos + level * noise).float()
        return psnr(predict_x0(x_t, prior(x_t, times), signal.float(), level.float()), photos)

    return list(names), quality(load_prior("photo64")), quality(load_gaussian())
