"""Is it still noise? Histogram and radial spectrum, beside those of white Gaussian noise."""

from collections.abc import Mapping

import numpy as np
import torch

from deqir_lite.checks import check_images
from deqir_lite.viz.style import COLORS, DASHES, INK, MARKERS, BookFigure, book_style, new_figure

_BANDS = 8


def radial_spectrum(x: torch.Tensor) -> tuple[np.ndarray, np.ndarray]:
    """Mean power of ``x`` (B, 3, H, W) in rings of equal width around frequency zero.

    The power of a frequency is |FFT x|^2 / (H W): its mean over all frequencies is the mean square
    of the pixels (Parseval), and it is 1 everywhere in expectation for white noise of variance 1.

    Returns the middles of the rings, in cycles per pixel up to 1/2 (corners beyond are left out),
    and the mean power in each ring, NaN where a ring holds no frequency.
    """
    check_images("x", x)
    height, width = x.shape[-2:]
    power = torch.fft.fft2(x.detach().double()).abs().square() / (height * width)
    rows, columns = torch.fft.fftfreq(height), torch.fft.fftfreq(width)
    radius = (rows[:, None] ** 2 + columns[None] ** 2).sqrt()
    edges = np.linspace(0, 0.5, _BANDS + 1)
    ring = np.digitize(radius.numpy(), edges[1:], right=True)  # 1/2 belongs to the last ring
    mean = power.mean(dim=(0, 1)).cpu().numpy()
    values = [mean[ring == k].mean() if (ring == k).any() else np.nan for k in range(_BANDS)]
    return (edges[1:] + edges[:-1]) / 2, np.array(values)


def plot_noise(noises: Mapping[str, torch.Tensor]) -> BookFigure:
    """Draw the histogram of the pixels of each noise, and its power over the frequency.

    Thin dotted lines show white noise of mean 0 and variance 1: the normal density, and the flat
    spectrum 1.

    Args:
        noises: name -> (B, 3, H, W), for example x_T before and after it was optimised.

    Returns the figure. Raises ValueError for no noise, other shapes, and NaN.
    """
    if not noises:
        raise ValueError("noises: got none; expected at least one")
    for name, x in noises.items():
        check_images(f"noises[{name!r}]", x)
    figure, (left, right) = new_figure(width=8.4, height=3.4, ncols=2)
    grid = np.linspace(-4.5, 4.5, 46)
    with book_style():
        for k, (name, x) in enumerate(noises.items()):
            look = {"color": COLORS[k % len(COLORS)], "linestyle": DASHES[k % len(DASHES)]}
            pixels = x.detach().double().flatten().cpu().numpy().clip(grid[0], grid[-1])
            density, _ = np.histogram(pixels, grid, density=True)
            left.stairs(density, grid, label=name, linewidth=1.6, **look)
            right.plot(*radial_spectrum(x), label=name, marker=MARKERS[k % len(MARKERS)], **look)
        thin = {"color": INK, "linewidth": 0.9, "linestyle": ":", "marker": ""}
        left.plot(grid, np.exp(-(grid**2) / 2) / np.sqrt(2 * np.pi), label="N(0, 1)", **thin)
        right.axhline(1.0, **thin)
        left.set(xlabel="value of a pixel of the noise", ylabel="density")
        right.set(xlabel="cycles per pixel", ylabel="mean power", yscale="log")
        left.legend()
    return figure
