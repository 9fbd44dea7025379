"""A function of the plane with directions."""

import numpy as np
import pytest
import torch

from deqir_lite.viz import new_figure, plot_landscape

AXIS = torch.linspace(-3, 3, 31, dtype=torch.float64)
BOWL = (AXIS - 1) ** 2 + 0 * AXIS[:, None]  # changes with x_1, along the columns


def arrows_of(ax):
    return [text for text in ax.texts if text.arrow_patch is not None]


def test_rows_are_x_2_and_columns_are_x_1():
    (ax,) = plot_landscape(BOWL).axes
    _, level_lines = ax.collections  # shades, then lines
    edges = np.concatenate([path.vertices for path in level_lines.get_paths()])
    assert set(np.sign(edges[:, 0] - 1)) == {-1, 1}  # on both sides of the bottom
    for x_1 in np.unique(edges[:, 0].round(6)):  # and vertical
        assert np.ptp(edges[np.isclose(edges[:, 0], x_1), 1]) == pytest.approx(6)
    assert ax.get_aspect() == 1


def test_arrows_have_the_direction_and_one_length():
    points = torch.tensor([[0.0, 0.0], [1.0, -1.0]])
    vectors = torch.tensor([[3.0, 4.0], [-1e-6, 0.0]])
    figure, ax = new_figure()
    arrows = {"gradient": vectors}
    assert plot_landscape(BOWL, points=points, arrows=arrows, ax=ax) is figure
    first, second = arrows_of(ax)
    assert first.xyann == pytest.approx((0, 0))
    assert first.xy == pytest.approx((0.48, 0.64))
    assert second.xy == pytest.approx((0.2, -1.0))
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["gradient"]


def test_a_zero_direction_is_no_arrow_and_a_flat_landscape_is_fine():
    (ax,) = plot_landscape(
        torch.zeros(4, 4), points=[[0, 0]], arrows={"none": [[0, 0]]}, legend=False
    ).axes
    assert not arrows_of(ax)
    assert ax.get_legend() is None


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"values": torch.zeros(3, 4)}, r"^values: got shape \(3, 4\)"),
        ({"values": torch.full((3, 3), torch.nan)}, "^values"),
        ({"points": [[1, 2, 3]]}, "^points: got shape"),
        ({"arrows": {"a": [[1, 2]]}}, r"^arrows\['a'\]: got 1 for 0 points"),
        (
            {"points": [[0, 0]], "arrows": {"a": [[1, 2], [1, 2]]}},
            r"^arrows\['a'\]: got 2 for 1 points",
        ),
    ],
)
def test_refuses(arguments, message):
    with pytest.raises(ValueError, match=message):
        plot_landscape(**{"values": BOWL, **arguments})
