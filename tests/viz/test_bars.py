"""Bars: where they stand, how high they are, and that they can be told apart."""

import math

import numpy as np
import pytest
import torch

from deqir_lite.viz import new_figure, plot_bars


def bars_of(ax):
    return [list(container) for container in ax.containers]


def test_one_bar_for_each_value_side_by_side():
    series = {"before": [1.0, 2.0], "after": torch.tensor([3.0, -4.0])}
    (ax,) = plot_bars(["cat", "cup"], series, "dB", title="t").axes
    before, after = bars_of(ax)
    assert [bar.get_height() for bar in before] == [1, 2]
    assert [bar.get_height() for bar in after] == [3, -4]
    assert [text.get_text() for text in ax.get_xticklabels()] == ["cat", "cup"]
    for k, (left, right) in enumerate(zip(before, after, strict=True)):
        assert left.get_x() + left.get_width() == pytest.approx(right.get_x())
        assert right.get_x() == pytest.approx(k)  # the pair is centred on its label
    assert before[0].get_facecolor() != after[0].get_facecolor()
    assert before[0].get_hatch() != after[0].get_hatch()
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["before", "after"]
    assert (ax.get_ylabel(), ax.get_title()) == ("dB", "t")


def test_groups_do_not_overlap():
    (ax,) = plot_bars("abc", {str(k): np.ones(3) for k in range(4)}, "dB").axes
    lefts = sorted(bar.get_x() for row in bars_of(ax) for bar in row)
    widths = {round(bar.get_width(), 9) for row in bars_of(ax) for bar in row}
    assert len(widths) == 1
    assert min(np.diff(lefts)) >= widths.pop() - 1e-9


def test_bars_begin_at_the_bottom_that_is_asked_for():
    (ax,) = plot_bars(["a", "b"], {"x": [25.0, 18.0]}, "dB", bottom=20).axes
    up, down = bars_of(ax)[0]
    assert (up.get_y(), up.get_y() + up.get_height()) == (20, 25)
    assert (down.get_y(), down.get_y() + down.get_height()) == (20, 18)


def test_axes_are_shared_and_the_legend_can_be_left_out():
    figure, ax = new_figure()
    assert plot_bars(["a"], {"x": [1.0]}, "dB", legend=False, ax=ax) is figure
    assert ax.get_legend() is None


@pytest.mark.parametrize(
    ("labels", "series", "message"),
    [
        ([], {"x": []}, "labels: got none"),
        (["a"], {}, "series: got none"),
        (["a"], {"x": [1, 2]}, r"series\['x'\]: got shape \(2,\); expected \(1,\)"),
        (["a"], {"x": [math.nan]}, "NaN"),
        (["a"], {"x": [[1]]}, r"series\['x'\]: got shape"),
    ],
)
def test_refuses(labels, series, message):
    with pytest.raises(ValueError, match=message):
        plot_bars(labels, series, "dB")
