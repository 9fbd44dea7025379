"""The line of all solutions of one equation with two unknowns."""

import math

import numpy as np
import pytest

from deqir_lite.viz import new_figure, plot_solution_line


def test_every_point_of_the_line_is_a_solution_and_the_range_is_perpendicular():
    (ax,) = plot_solution_line([1.0, 2.0], 1.5, {}).axes
    solutions, range_space, origin = ax.lines
    line = np.array(solutions.get_data()).T
    assert np.allclose(line @ [1, 2], 1.5)
    across = np.array(range_space.get_data()).T
    assert abs(np.dot(line[1] - line[0], across[1] - across[0])) < 1e-9
    assert np.allclose(across[0] + across[1], 0)  # through the origin
    assert origin.get_data() == ([0], [0])
    assert np.abs(line).max() > 2  # it leaves the picture
    assert ax.get_aspect() == 1  # a right angle looks like one


def test_points_and_arrows_are_where_they_should_be():
    points = {"x": (1.0, 0.0), "foot": (0.5, 0.5)}
    figure, ax = new_figure()
    assert plot_solution_line((1, 1), 1.0, points, arrows=[("x", "foot")], ax=ax) is figure
    drawn = [(line.get_xdata()[0], line.get_ydata()[0]) for line in ax.lines[3:]]
    assert drawn == [(1, 0), (0.5, 0.5)]
    arrow = next(text for text in ax.texts if text.arrow_patch is not None)
    assert tuple(arrow.xyann) == points["x"]
    assert tuple(arrow.xy) == points["foot"]
    assert {"x", "foot"} <= {text.get_text() for text in ax.texts}
    assert ax.get_xlim() == (-2, 2)


def test_labels_keep_clear_of_the_arrows():
    points = {"left": (-1.0, 0.0), "middle": (0.0, 0.0), "right": (1.0, 0.0)}
    for arrow, sides in {("left", "right"): (-1, 1, 1), ("right", "middle"): (1, -1, 1)}.items():
        (ax,) = plot_solution_line([1, 0], 0.5, points, arrows=[arrow]).axes
        labels = {text.get_text(): text for text in ax.texts if text.get_text() in points}
        assert [np.sign(labels[name].xyann[0]) for name in points] == list(sides)
        assert labels[arrow[0]].get_ha() != labels[arrow[1]].get_ha()


def test_ellipses_of_equal_density_go_through_the_points():
    C = np.array([[1.0, 0.6], [0.6, 1.0]])
    points = {"foot": (0.5, 0.0), "touch": (0.5, 0.3)}
    (ax,) = plot_solution_line([1, 0], 0.5, points, covariance=C, title="two").axes
    assert ax.get_title() == "two"
    for ellipse, point in zip(ax.lines[1:3], points.values(), strict=True):
        drawn = np.array(ellipse.get_data()).T
        level = np.einsum("ki,ij,kj->k", drawn, np.linalg.inv(C), drawn)
        assert np.allclose(level, point @ np.linalg.inv(C) @ point)
    touching = np.array(ax.lines[2].get_data())[0]  # C a y / a C a: its tangent is the line
    assert touching.max() == pytest.approx(0.5, abs=1e-3)
    assert len(ax.get_legend().get_texts()) == 2


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"row": [0, 0]}, "row: got zeros"),
        ({"row": [1, 2, 3]}, "row: got"),
        ({"row": "ab"}, "row: expected points of the plane"),
        ({"points": {"x": (1, math.nan)}}, r"points\['x'\]: holds NaN"),
        ({"arrows": [("x", "z")]}, "arrows: got"),
        ({"covariance": [[1, 0], [0, 0]]}, "covariance: got"),
        ({"covariance": [[1, 2], [0, 1]]}, "covariance: got"),
        ({"covariance": [[1, 0]]}, "covariance: got"),
        ({"reach": 0}, "reach: got 0"),
    ],
)
def test_refuses(arguments, message):
    full = {"row": [1, 1], "y": 1.0, "points": {"x": (1, 1)}, **arguments}
    with pytest.raises(ValueError, match=message):
        plot_solution_line(**full)
