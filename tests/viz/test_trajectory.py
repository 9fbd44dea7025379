"""Chains of points in the plane, and figures as frames."""

import numpy as np
import pytest
import torch

from deqir_lite.priors import GaussianMixturePrior
from deqir_lite.viz import figure_picture, new_figure, plot_trajectory

STATES = torch.tensor([[0.0, 0.0], [1.0, 2.0], [2.0, -1.0], [0.5, 9.0]])


def test_solved_states_are_disks_and_the_others_rings():
    (ax,) = plot_trajectory(STATES, exact=1).axes
    line, disks, rings, star = ax.lines
    assert np.array_equal(np.array(line.get_data()).T, STATES)
    assert np.array_equal(np.array(disks.get_data()).T, STATES[:2])
    assert np.array_equal(np.array(rings.get_data()).T, STATES[2:])
    assert disks.get_markerfacecolor() != "white"
    assert rings.get_markerfacecolor() == "white"
    assert np.array_equal(np.array(star.get_data()).T, STATES[-1:])
    assert star.get_marker() == "*"


def test_all_states_can_be_solved():
    disks, rings = plot_trajectory(STATES, exact=3).axes[0].lines[1:3]
    assert len(disks.get_xdata()) == 4
    assert len(rings.get_xdata()) == 0


def test_the_reference_lies_under_the_states():
    figure, ax = new_figure()
    reference = STATES + 0.1
    assert plot_trajectory(STATES, reference=reference, title="t", ax=ax) is figure
    assert np.allclose(np.array(ax.lines[0].get_data()).T, reference)
    assert ax.lines[0].get_zorder() < ax.lines[1].get_zorder()
    assert ax.get_title() == "t"


CENTRE = torch.tensor([1.0, -0.5])


def bump(dim):
    """One round Gaussian of variance 0.01, not on the diagonal."""
    return GaussianMixturePrior(torch.ones(1), CENTRE[None, :dim], 0.01 * torch.eye(dim)[None])


def test_the_density_is_shaded_below_the_states():
    (ax,) = plot_trajectory(STATES, prior=bump(2)).axes
    (shades,) = ax.collections
    assert shades.get_zorder() < min(line.get_zorder() for line in ax.lines)
    darkest = shades.get_paths()[-1].vertices  # where p is at least a tenth of its peak
    radius = np.hypot(*(darkest - CENTRE.numpy()).T)
    assert radius.max() == pytest.approx((0.02 * np.log(10)) ** 0.5, rel=0.05)
    assert len({tuple(color) for color in shades.get_facecolor()}) == 5


@pytest.mark.parametrize(("scale", "text"), [(1.0, "1 of 4"), (2.0, "3 of 4"), (0.3, None)])
def test_states_outside_of_the_picture_are_counted(scale, text):
    (ax,) = plot_trajectory(scale * STATES).axes
    assert ax.get_xlim() == ax.get_ylim() == (-3, 3)
    texts = [t.get_text() for t in ax.texts]
    assert texts == ([] if text is None else [f"{text} states outside"])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"states": torch.zeros(4, 3)}, r"states: got shape \(4, 3\)"),
        ({"states": torch.zeros(0, 2)}, r"states: got shape \(0, 2\)"),
        ({"states": [[0, 0], [np.nan, 1]]}, "states: holds NaN"),
        ({"states": "ab"}, "states: expected points"),
        ({"reference": STATES[1:]}, r"reference: got shape \(3, 2\)"),
        ({"exact": 4}, "exact: got 4"),
        ({"exact": -1}, "exact: got -1"),
        ({"prior": bump(1)}, "prior: got a mixture in 1 dimensions"),
    ],
)
def test_refuses(arguments, message):
    with pytest.raises(ValueError, match=message):
        plot_trajectory(**{"states": STATES, **arguments})


def test_a_figure_becomes_a_frame_of_its_own_size():
    figure, _ = new_figure(width=3.0, height=2.0)
    picture = figure_picture(figure)
    assert picture.mode == "RGB"
    assert picture.size == (300, 200)
    assert picture.getpixel((0, 0)) == (255, 255, 255)
    drawn = np.asarray(figure.picture()).astype(int)
    assert np.abs(np.asarray(picture).astype(int) - drawn).max() <= 2
