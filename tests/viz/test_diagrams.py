"""The drawings name their parts, and nothing is cut off or covers another."""

from itertools import combinations

import pytest
from matplotlib.patches import FancyBboxPatch

from deqir_lite.viz import plot_equilibrium, plot_method


@pytest.fixture(params=[plot_method, plot_equilibrium], ids=lambda draw: draw.__name__)
def figure(request):
    made = request.param()
    made.canvas.draw()
    return made


def words(figure):
    return " ".join(text.get_text() for ax in figure.axes for text in ax.texts)


def test_the_method_has_its_parts():
    text = words(plot_method())
    for part in ("network", "measurement", "mathbf{A}^+", "mathbf{N}", "fresh", "$T$ times"):
        assert part in text


def test_both_equilibria_have_their_equation():
    text = words(plot_equilibrium())
    assert "layer(output;" in text
    assert "X^* = F(X^*" in text


def test_texts_lie_in_the_figure_and_apart(figure):
    texts = [text for ax in figure.axes for text in ax.texts]
    boxes = [text.get_window_extent() for text in texts]
    for text, box in zip(texts, boxes, strict=True):
        assert box.x0 >= 0, text
        assert box.y0 >= 0, text
        assert box.x1 <= figure.bbox.x1, text
        assert box.y1 <= figure.bbox.y1, text
    for (a, first), (b, second) in combinations(zip(texts, boxes, strict=True), 2):
        assert not first.overlaps(second), (a, b)


def test_boxes_hold_their_text(figure):
    for ax in figure.axes:
        texts = [text.get_window_extent() for text in ax.texts]
        for patch in ax.patches:
            if isinstance(patch, FancyBboxPatch):
                box = patch.get_window_extent()
                inside = [t for t in texts if t.overlaps(box)]
                assert len(inside) == 1
                assert inside[0].x0 >= box.x0
                assert inside[0].x1 <= box.x1
