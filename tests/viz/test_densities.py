"""One-dimensional densities: normalised, at the right place, and paths at the right time."""

import math

import numpy as np
import pytest
import torch

from deqir_lite.priors import GaussianMixturePrior
from deqir_lite.viz import new_figure, plot_density_flow, plot_samples


@pytest.fixture(scope="module")
def line_prior():
    """Two narrow components on the line: 3/4 at -1, 1/4 at 2."""
    weights = torch.tensor([0.75, 0.25])
    means, covariances = torch.tensor([[-1.0], [2.0]]), torch.tensor([[[0.04]], [[0.04]]])
    return GaussianMixturePrior(weights, means, covariances)


def test_every_column_is_a_density_of_its_level(line_prior):
    (ax,) = plot_density_flow(line_prior, title="t").axes
    (picture,) = ax.images
    values = np.asarray(picture.get_array())
    assert np.allclose(values.max(axis=0), 1)
    x = np.linspace(-3, 3, len(values))
    assert abs(x[values[:, 0].argmax()] + 1) < 0.05  # little noise: the heavier component
    assert abs(x[values[:, -1].argmax()]) < 0.05  # all noise: a standard normal
    expected = np.exp(-(x**2) / 2)
    assert np.allclose(values[:, -1], expected, atol=0.02)
    assert picture.get_extent() == [0, 999, -3, 3]
    assert picture.origin == "lower"


def test_paths_end_at_time_zero(line_prior):
    paths = torch.tensor([[2.0, 1.0], [0.5, -0.5], [-1.0, 2.0]])
    figure, ax = new_figure()
    timesteps = torch.tensor([900, 400])
    assert plot_density_flow(line_prior, paths=paths, timesteps=timesteps, ax=ax) is figure
    first, second = ax.lines
    assert first.get_xdata().tolist() == [900, 400, 0]
    assert first.get_ydata().tolist() == [2, 0.5, -1]
    assert second.get_ydata().tolist() == [1, -0.5, 2]


def test_histograms_and_density_have_area_one(line_prior):
    samples = line_prior.sample(20_000, torch.Generator().manual_seed(0))
    (ax,) = plot_samples(line_prior, {"drawn": samples, "shifted": samples + 100}).axes
    (curve,) = ax.lines
    area = np.trapezoid(curve.get_ydata(), curve.get_xdata())
    assert abs(area - 1) < 1e-3
    drawn, shifted = (patch.get_data() for patch in ax.patches)
    assert abs((drawn.values * np.diff(drawn.edges)).sum() - 1) < 1e-9
    assert shifted.values.sum() == 0  # outside of the axes
    centres = (drawn.edges[1:] + drawn.edges[:-1]) / 2
    on_curve = np.interp(centres, curve.get_xdata(), curve.get_ydata())
    assert np.abs(drawn.values - on_curve).max() < 0.15
    labels = [text.get_text() for text in ax.get_legend().get_texts()]
    assert labels == ["density", "drawn", "shifted"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"paths": torch.zeros(3, 2)}, "timesteps: expected together"),
        ({"paths": torch.zeros(3, 2), "timesteps": torch.zeros(3)}, r"paths \(3, 2\), timesteps"),
    ],
)
def test_flow_refuses(line_prior, arguments, message):
    with pytest.raises(ValueError, match=message):
        plot_density_flow(line_prior, **arguments)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"samples": {"a": torch.zeros(0)}}, r"samples\['a'\]: got none"),
        ({"samples": {"a": torch.tensor([math.nan])}}, "NaN"),
        ({"samples": {}, "t": 1000}, "t: got 1000"),
    ],
)
def test_samples_refuse(line_prior, arguments, message):
    with pytest.raises(ValueError, match=message):
        plot_samples(line_prior, **arguments)


def test_another_dimension_is_refused(mixture_prior):
    for draw in (plot_density_flow, lambda prior: plot_samples(prior, {})):
        with pytest.raises(ValueError, match="prior: got a mixture in 2 dimensions"):
            draw(mixture_prior)
