"""Lines: every value where it belongs, and what did not arrive at the ceiling."""

import math

import numpy as np
import pytest

from deqir_lite.viz import COLORS, new_figure, plot_lines


def lines_of(figure):
    return {line.get_label(): line for line in figure.axes[0].lines}


def test_values_are_drawn_where_they_belong():
    figure = plot_lines([1, 2, 4], {"a": [3, 1, 2], "b": [0, 5, 5]}, "x", "y", title="both")
    ax = figure.axes[0]
    drawn = lines_of(figure)
    assert np.array_equal(drawn["a"].get_xydata(), [[1, 3], [2, 1], [4, 2]])
    assert np.array_equal(drawn["b"].get_xydata(), [[1, 0], [2, 5], [4, 5]])
    assert [line.get_color() for line in drawn.values()] == list(COLORS[:2])
    assert len({line.get_marker() for line in drawn.values()}) == 2
    assert (ax.get_xlabel(), ax.get_ylabel(), ax.get_title()) == ("x", "y", "both")
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["a", "b"]
    assert (ax.get_xscale(), ax.get_yscale()) == ("linear", "linear")
    assert all(tick == round(tick) for tick in [*ax.get_xticks(), *ax.get_yticks()])


def test_beyond_the_ceiling_is_an_arrow_and_no_line():
    figure = plot_lines([1, 2, 3], {"a": [3, None, 2], "b": [1, 1, 1]}, "x", "y", ceiling=20)
    drawn = lines_of(figure)
    assert np.isnan(drawn["a"].get_ydata()[1])
    arrow = drawn["_beyond a"]
    assert np.array_equal(arrow.get_xydata(), [[2, 20]])
    assert arrow.get_linestyle() == "None"
    assert arrow.get_markeredgecolor() == COLORS[0]
    assert "_beyond b" not in drawn
    assert [text.get_text() for text in figure.axes[0].texts] == ["more than 20"]
    assert [t.get_text() for t in figure.axes[0].get_legend().get_texts()] == ["a", "b"]


def test_arrows_of_several_series_stand_side_by_side():
    missing = {name: [None] for name in "abcd"}
    figure = plot_lines([1], missing, "x", "y", ceiling=5)
    arrows = [line for name, line in lines_of(figure).items() if "beyond" in name]
    places = [tuple(line.get_transform().transform([1, 5])) for line in arrows]
    assert len(arrows) == len({x for x, _ in places}) == 4
    assert len({y for _, y in places}) == 1


def test_a_power_law_to_compare_with():
    figure = plot_lines(
        [1e-4, 1e-2, 1.0], {"a": [2e-8, 3e-4, 5.0]}, "x", "y", log_x=True, log_y=True, slope=2
    )
    guide = lines_of(figure)["slope 2"].get_xydata()
    assert np.allclose(guide[:, 1], [2e-8, 2e-4, 2.0])
    labels = [label.get_text() for label in figure.axes[0].get_xticklabels()]
    assert labels == ["0.0001", "0.01", "1"]


def test_no_ceiling_is_drawn_when_all_arrived():
    figure = plot_lines([1, 2], {"a": [3, 4]}, "x", "y", ceiling=20)
    assert not figure.axes[0].texts
    assert len(figure.axes[0].lines) == 1


def test_logarithmic_axes_and_given_axes():
    figure, ax = new_figure()
    returned = plot_lines(
        [10, 200], {"a": [1e-3, 1]}, "x", "y", log_x=True, log_y=True, legend=False, ax=ax
    )
    assert returned is figure
    assert (ax.get_xscale(), ax.get_yscale()) == ("log", "log")
    assert list(ax.get_xticks()) == [10, 200]
    assert ax.get_legend() is None
    assert figure._repr_png_().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("x", "series", "options", "message"),
    [
        ([1, 2], {}, {}, "series: got none"),
        ([1, 2], {"a": [1]}, {}, "series.'a'.: got 1 values for 2 places"),
        ([1, 2], {"a": [1, None]}, {}, "ceiling: got None"),
        ([1, 2], {"a": [1, math.nan]}, {"ceiling": 3}, "expected finite numbers"),
        ([1, 2], {"a": [1, math.inf]}, {}, "expected finite numbers"),
        ([2, 1], {"a": [1, 1]}, {}, "strictly increasing"),
        ([1, 1], {"a": [1, 1]}, {}, "strictly increasing"),
        ([], {"a": []}, {}, "strictly increasing"),
        ([0, 1], {"a": [1, 1]}, {"log_x": True}, "numbers > 0"),
        ([1, 2], {"a": [0, 1]}, {"log_y": True}, "numbers > 0"),
    ],
)
def test_what_cannot_be_drawn_is_refused(x, series, options, message):
    with pytest.raises(ValueError, match=message):
        plot_lines(x, series, "x", "y", **options)
