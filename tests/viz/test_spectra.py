"""Singular values: what is drawn, in which order, and where it ends."""

import math

import numpy as np
import pytest
import torch

from deqir_lite.operators import make_task
from deqir_lite.viz import new_figure, plot_singular_values


def test_a_curve_descends_and_ends_at_the_rank():
    (ax,) = plot_singular_values({"A": [0.1, 0, 1, 0.5, 0]}, title="t").axes
    (line,) = ax.lines
    assert ax.get_yscale() == "log"
    # the horizontal axis begins at zero, with the first value
    assert line.get_xdata().tolist() == [0, 20, 40, 60]
    assert line.get_ydata().tolist() == [1, 1, 0.5, 0.1]
    assert line.get_markevery() == [3]
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["A"]


def test_an_operators_curve_ends_at_its_rank():
    operator = make_task("pool2", (8, 8))
    values = operator.singular_values((8, 8)).expand(1, 3, 8, 8).flatten()
    (line,) = plot_singular_values({"pool2": values}).axes[0].lines
    assert line.get_xdata()[-1] == 25  # one of four
    assert np.allclose(line.get_ydata(), 0.5)


def test_curves_can_be_told_apart_and_share_axes():
    figure, ax = new_figure()
    spectra = {"a": torch.ones(3), "b": torch.tensor([1.0, 0.1])}
    assert plot_singular_values(spectra, ax=ax) is figure
    first, second = ax.lines
    assert first.get_marker() != second.get_marker()
    assert first.get_linestyle() != second.get_linestyle()


@pytest.mark.parametrize(
    ("spectra", "message"),
    [
        ({}, "spectra: got none"),
        ({"a": [1, -1]}, "negative"),
        ({"a": [0, 0]}, r"spectra\['a'\]: got zeros only"),
        ({"a": [1, math.nan]}, "NaN"),
        ({"a": [1, math.inf]}, "infinity"),
        ({"a": np.ones((2, 2))}, r"spectra\['a'\]: got shape \(2, 2\)"),
    ],
)
def test_refuses(spectra, message):
    with pytest.raises(ValueError, match=message):
        plot_singular_values(spectra)
