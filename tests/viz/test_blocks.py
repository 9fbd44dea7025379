"""Block matrices: colours by magnitude, white where nothing is."""

import numpy as np
import pytest
import torch

from deqir_lite.viz import new_figure, plot_blocks


def drawn(figure):
    """The masked values of the matrix."""
    return figure.axes[0].images[0].get_array()


def test_zeros_are_masked_and_tiny_entries_are_not():
    matrix = np.array([[0.0, 0.0], [1e-30, 100.0]])
    values = drawn(plot_blocks(matrix, decades=5))
    assert values.mask.tolist() == [[True, True], [False, False]]
    assert values[1, 1] == 2
    assert values[1, 0] == -3  # the darkest colour, five decades below the largest


def test_the_range_of_colours_starts_below_the_largest_entry():
    picture = plot_blocks(torch.tensor([[0.0, 1e-3], [2e-1, 0.0]]), decades=4).axes[0].images[0]
    assert picture.get_clim() == pytest.approx((np.log10(0.2) - 4, np.log10(0.2)))


def test_two_matrices_on_one_scale():
    picture = plot_blocks(np.array([[1.0, 1e3]] * 2), decades=2, largest=10.0).axes[0].images[0]
    assert picture.get_clim() == (-1, 1)
    assert picture.get_array()[0].tolist() == [0, 1]


def test_blocks_are_counted_from_one_and_separated():
    figure, ax = new_figure()
    assert plot_blocks(np.ones((3, 3)), title="J", ax=ax) is figure
    assert ax.images[0].get_extent() == [0.5, 3.5, 3.5, 0.5]
    across = sorted({line.get_ydata()[0] for line in ax.lines if line.get_xdata() == [0, 1]})
    assert across == [1.5, 2.5]
    assert ax.get_title() == "J"


def test_a_matrix_of_zeros_is_white():
    assert drawn(plot_blocks(np.zeros((3, 3)))).mask.all()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"magnitudes": np.ones((2, 3))}, r"magnitudes: got shape \(2, 3\)"),
        ({"magnitudes": [[1.0, np.inf], [0, 1]]}, "finite"),
        ({"magnitudes": -np.ones((2, 2))}, "negative"),
        ({"decades": 0}, "decades: got 0"),
        ({"largest": 0.0}, "largest: got 0"),
    ],
)
def test_refuses(arguments, message):
    with pytest.raises(ValueError, match=message):
        plot_blocks(**{"magnitudes": np.ones((6, 6)), **arguments})
