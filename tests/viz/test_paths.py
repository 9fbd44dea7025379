"""Paths in the plane: every point is drawn where it belongs, and bad ones are refused."""

import math

import numpy as np
import pytest
import torch

from deqir_lite.viz import new_figure, plot_paths

WALK = [[0.0, 1.0], [2.0, -1.0], [3.0, 0.5]]


@pytest.mark.parametrize(
    "path", [WALK, torch.tensor(WALK), np.array(WALK), [torch.tensor(point) for point in WALK]]
)
def test_every_point_is_drawn_in_order(path):
    ax = plot_paths({"walk": path}).axes[0]
    (line,) = ax.lines
    assert np.array_equal(line.get_xydata(), WALK)
    assert line.get_label() == "walk"


def test_angles_are_true_and_the_target_is_a_star():
    figure = plot_paths({"a": WALK, "b": WALK[:1]}, target=(3.0, 0.5), title="two walks")
    ax = figure.axes[0]
    figure.draw_without_rendering()
    corners = ax.transData.transform([(0, 0), (1, 0), (0, 1)])
    assert corners[1, 0] - corners[0, 0] == pytest.approx(corners[2, 1] - corners[0, 1])
    star = ax.lines[-1]
    assert star.get_marker() == "*"
    assert np.array_equal(star.get_xydata(), [[3.0, 0.5]])
    assert ax.get_title() == "two walks"
    assert [text.get_text() for text in ax.get_legend().texts] == ["a", "b", "fixed point"]
    looks = {(line.get_color(), line.get_marker()) for line in ax.lines}
    assert len(looks) == 3, "told apart by more than one sign"


def test_numbers_begin_at_zero():
    ax = plot_paths({"walk": WALK}, numbered=True).axes[0]
    assert [(t.get_text(), tuple(t.xy)) for t in ax.texts] == [
        (str(k), tuple(point)) for k, point in enumerate(WALK)
    ]
    assert not plot_paths({"walk": WALK}).axes[0].texts


def test_draws_on_given_axes():
    figure, (left, right) = new_figure(ncols=2)
    assert plot_paths({"walk": WALK}, ax=right) is figure
    assert not left.lines
    assert right.lines


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"paths": {}}, "paths: got none"),
        ({"paths": {"a": []}}, r"paths\['a'\]: got shape \(0, 2\)"),
        ({"paths": {"a": [[1.0, 2.0, 3.0]]}}, r"got shape \(1, 3\)"),
        ({"paths": {"a": [1.0, 2.0]}}, r"got shape \(2,\)"),
        ({"paths": {"a": [[1.0, 2.0], [3.0]]}}, "expected points of the plane"),
        ({"paths": {"a": ["x"]}}, "expected points of the plane"),
        ({"paths": {"a": 3}}, "expected points of the plane"),
        ({"paths": {"a": [[math.nan, 0.0]]}}, "NaN or infinity"),
        ({"paths": {"a": WALK}, "target": (math.inf, 0.0)}, "target: holds NaN or infinity"),
        ({"paths": {"a": WALK}, "target": (1.0,)}, r"target: got shape \(1, 1\)"),
    ],
)
def test_refuses(arguments, message):
    with pytest.raises(ValueError, match=message):
        plot_paths(**arguments)
