"""The spectrum of noise, and the figure that compares it with white noise."""

import math

import numpy as np
import pytest
import torch

from deqir_lite.viz import plot_noise
from deqir_lite.viz.noise import radial_spectrum


def white(size=64, batch=8):
    generator = torch.Generator().manual_seed(0)
    return torch.randn(batch, 3, size, size, generator=generator)


def test_white_noise_is_flat_and_power_scales_with_the_square():
    middles, power = radial_spectrum(white())
    assert power == pytest.approx(np.ones(8), abs=0.12)
    assert middles[[0, -1]] == pytest.approx([1 / 32, 15 / 32])
    assert radial_spectrum(3 * white())[1] == pytest.approx(9 * power)


def test_a_wave_lies_in_the_ring_of_its_frequency():
    size, cycles = 32, 9
    column = torch.arange(size) / size
    wave = torch.cos(2 * math.pi * cycles * column).expand(1, 3, size, size)
    middles, power = radial_spectrum(wave)
    ring = int(np.argmax(power))
    assert abs(middles[ring] - cycles / size) <= 1 / 32
    assert power[np.arange(8) != ring] == pytest.approx(np.zeros(7), abs=1e-9)


def test_a_constant_has_power_in_the_first_ring_only():
    _, power = radial_spectrum(torch.ones(2, 3, 16, 16))
    assert power[0] > 1
    assert power[1:] == pytest.approx(np.zeros(7), abs=1e-9)


def test_all_power_is_there():
    """Parseval: an impulse has the same power, the mean square of its pixels, in all rings."""
    x = torch.zeros(1, 3, 8, 8)
    x[..., 0, 0] = 1
    _, power = radial_spectrum(x)
    assert power[np.isfinite(power)] == pytest.approx(1 / 64)


def test_an_empty_ring_is_a_gap():
    _, power = radial_spectrum(torch.ones(1, 3, 4, 4))
    assert np.isnan(power).any()
    assert np.isfinite(power[[0, -1]]).all()


def test_the_figure_shows_both_noises_and_the_ideal():
    noises = {"before": white(), "after": white() * 0.5}
    left, right = plot_noise(noises).axes
    names = [text.get_text() for text in left.get_legend().get_texts()]
    assert names == ["before", "after", "N(0, 1)"]
    before, after = (patch.get_data() for patch in left.patches)
    for density, edges, _ in (before, after):
        assert np.sum(density * np.diff(edges)) == pytest.approx(1)
    assert after[0].max() > 1.8 * before[0].max()  # half as wide, twice as high
    curves = right.lines
    assert np.median(curves[1].get_ydata() / curves[0].get_ydata()) == pytest.approx(0.25)
    assert set(curves[-1].get_ydata()) == {1.0}
    assert right.get_yscale() == "log"


def test_far_pixels_are_counted_at_the_edge():
    left, _ = plot_noise({"x": 100 * white(16, 1)}).axes
    density, edges, _ = left.patches[0].get_data()
    assert np.sum(density * np.diff(edges)) == pytest.approx(1)
    assert density[0] > 1
    assert density[-1] > 1


@pytest.mark.parametrize(
    ("noises", "message"),
    [
        ({}, "noises: got none"),
        ({"a": torch.zeros(3, 8, 8)}, r"noises\['a'\]: got shape"),
        ({"a": torch.full((1, 3, 8, 8), math.nan)}, r"noises\['a'\]"),
    ],
)
def test_refuses(noises, message):
    with pytest.raises(ValueError, match=message):
        plot_noise(noises)
