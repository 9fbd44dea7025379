"""Figures of several panels on a page."""

import re

import numpy as np
import pytest

from deqir_lite.viz import new_figure, plot_convergence, show_images, staircase


def panels(figure):
    """(flex grow) of every picture, row by row."""
    found = figure._repr_html_()
    if found is None:
        return None
    rows = found.split('<div style="display:flex')[1:]
    return [[int(n) for n in re.findall(r"flex:(\d+) 1", row)] for row in rows]


@pytest.mark.parametrize(("nrows", "ncols"), [(1, 2), (1, 3), (2, 2), (3, 2)])
def test_panels_are_cut_between_their_axes(nrows, ncols):
    figure, axes = new_figure(width=8, height=6, nrows=nrows, ncols=ncols)
    for k, ax in enumerate(axes.flat):
        ax.set(title=f"panel {k}", xlabel="x", ylabel="y" if k % ncols == 0 else "")
    rows = panels(figure)
    assert [len(row) for row in rows] == [ncols] * nrows
    assert all(sum(row) == 800 for row in rows)  # nothing is lost
    assert all(abs(width - 800 / ncols) < 80 for row in rows for width in row)


def test_a_bar_of_colours_goes_with_its_panel():
    figure, axes = new_figure(width=8, height=3, ncols=2)
    for ax in axes:
        staircase(np.ones((3, 4)), ax=ax)
    ((left, right),) = panels(figure)
    assert abs(left - right) < 60


def test_a_label_stays_with_its_panel():
    figure, (left, right) = new_figure(width=8, height=3, ncols=2)
    right.set(ylabel="a label, then a gap, then numbers")
    right.set_yticks([0, 1], ["0", "1"])
    right.yaxis.labelpad = 60  # further from its numbers than from the other panel
    figure.picture()
    label = right.yaxis.label.get_window_extent()
    ((width, _),) = panels(figure)
    assert left.get_window_extent().x1 < width < label.x0


@pytest.mark.parametrize(
    "spoil",
    [
        lambda figure, axes: figure.suptitle("of the whole"),
        lambda figure, axes: figure.legend(handles=axes[0].plot([1, 2], label="a")),
        lambda figure, axes: axes[1].set_visible(False),
        lambda figure, axes: axes[1].remove(),
    ],
)
def test_what_belongs_to_the_whole_is_not_cut(spoil):
    figure, axes = new_figure(ncols=2)
    spoil(figure, axes)
    assert panels(figure) is None


def test_one_panel_is_a_picture_and_photos_are_a_grid():
    assert panels(plot_convergence([1, 0.1])) is None
    assert panels(new_figure(nrows=2)[0]) is None
    assert 'class="photo-grid"' in show_images(np.zeros((2, 8, 8, 3), dtype=np.uint8))._repr_html_()
