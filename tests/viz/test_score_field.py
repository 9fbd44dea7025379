"""Score fields: arrows are the gradient of the log density, shades the density."""

import numpy as np
import pytest
import torch
from matplotlib.quiver import Quiver

from deqir_lite.priors import GaussianMixturePrior
from deqir_lite.viz import new_figure, plot_score_field


def arrows_of(ax):
    (quiver,) = [child for child in ax.get_children() if isinstance(child, Quiver)]
    return quiver.XY, np.stack([quiver.U, quiver.V], axis=-1)


def test_arrows_are_the_score_in_units_of_the_noise(mixture_prior):
    (ax,) = plot_score_field(mixture_prior, 300, arrows=6).axes
    places, arrows = arrows_of(ax)
    assert places.shape == (36, 2)
    x = torch.from_numpy(np.ascontiguousarray(places)).requires_grad_()
    log_p = mixture_prior.log_density(x, torch.full((36,), 300)).sum()
    (score,) = torch.autograd.grad(log_p, x)
    noise = (1 - mixture_prior.schedule.alpha_bar[300]).sqrt()
    assert np.allclose(arrows, (noise * score).numpy())
    assert ax.get_title() == "t = 300"


def test_shades_have_their_maximum_where_the_density_has():
    """An asymmetric case: x runs to the right, y upwards."""
    prior = GaussianMixturePrior(
        torch.ones(1), torch.tensor([[1.5, -0.5]]), 0.01 * torch.eye(2)[None]
    )
    (ax,) = plot_score_field(prior, 0).axes
    (picture,) = ax.images
    values = np.asarray(picture.get_array())
    row, column = np.unravel_index(values.argmax(), values.shape)
    axis = np.linspace(-3, 3, 101)
    assert abs(axis[column] - 1.5) < 0.04
    assert abs(axis[row] + 0.5) < 0.04
    assert picture.origin == "lower"


def test_points_and_paths_are_drawn(mixture_prior):
    points, paths = torch.rand(5, 2), torch.rand(4, 5, 2)
    figure, ax = new_figure()
    drawn = plot_score_field(mixture_prior, 10, points=points, paths=paths, title="flow", ax=ax)
    assert drawn is figure
    *lines, dots = ax.lines
    assert len(lines) == 5
    assert np.allclose(lines[2].get_xydata(), paths[:, 2].numpy())
    assert np.allclose(dots.get_xydata(), points.numpy())
    assert ax.get_title() == "flow"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"t": -1}, "t: got -1"),
        ({"t": 1000}, "t: got 1000"),
        ({"points": torch.zeros(3)}, r"points: got shape \(3,\)"),
        ({"points": torch.full((1, 2), torch.nan)}, "NaN"),
        ({"paths": torch.zeros(3, 2)}, r"paths: got shape \(3, 2\)"),
        ({"arrows": 1}, "arrows: got 1"),
    ],
)
def test_refuses(mixture_prior, arguments, message):
    with pytest.raises(ValueError, match=message):
        plot_score_field(mixture_prior, **{"t": 0, **arguments})


def test_another_dimension_is_refused():
    prior = GaussianMixturePrior(torch.ones(1), torch.zeros(1, 1), torch.ones(1, 1, 1))
    with pytest.raises(ValueError, match="prior: got a mixture in 1 dimensions"):
        plot_score_field(prior, 0)
