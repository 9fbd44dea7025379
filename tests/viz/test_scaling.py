"""Power laws are straight lines, and nothing without a logarithm is drawn."""

import numpy as np
import pytest
import torch

from deqir_lite.viz.scaling import plot_scaling


def lines(figure):
    return {line.get_label(): line.get_xydata() for line in figure.axes[0].get_lines()}


def test_series_and_guide():
    x = [1e-4, 1e-2, 1.0]
    figure = plot_scaling(x, {"a": torch.tensor([2e-8, 3e-4, 5.0])}, "size", "error", slope=2)
    drawn = lines(figure)
    assert np.allclose(drawn["a"][:, 1], [2e-8, 3e-4, 5.0])
    assert np.allclose(drawn["slope 2"][:, 1], [2e-8, 2e-4, 2.0])
    axes = figure.axes[0]
    assert (axes.get_xscale(), axes.get_yscale()) == ("log", "log")
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("size", "error")
    texts = [text.get_text() for text in axes.get_legend().get_texts()]
    assert texts == ["a", "slope 2"]


def test_no_guide_unless_asked_for():
    assert set(lines(plot_scaling([1, 2], {"a": [1, 2], "b": [3, 4]}, "x", "y"))) == {"a", "b"}


@pytest.mark.parametrize(
    ("x", "series", "message"),
    [
        ([0.0, 1.0], {"a": [1, 2]}, "x: got"),
        ([2.0, 1.0], {"a": [1, 2]}, "x: got"),
        ([1.0], {"a": [1]}, "x: got"),
        ([1.0, 2.0], {}, "series: got none"),
        ([1.0, 2.0], {"a": [1.0]}, r"series\['a'\]: expected 2"),
        ([1.0, 2.0], {"a": [1.0, 0.0]}, r"series\['a'\]: expected 2"),
        ([1.0, 2.0], {"a": [1.0, float("nan")]}, r"series\['a'\]: expected 2"),
    ],
)
def test_bad_arguments(x, series, message):
    with pytest.raises(ValueError, match=message):
        plot_scaling(x, series, "x", "y")
