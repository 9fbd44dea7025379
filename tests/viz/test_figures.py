"""Figures: what they draw, pixel for pixel, and what they leave alone."""

import io
import math

import matplotlib
import numpy as np
import pytest
import torch
from matplotlib import colors
from matplotlib.backends.backend_agg import FigureCanvasAgg
from PIL import Image

from deqir_lite.images import to_uint8
from deqir_lite.viz import COLORS, new_figure, plot_convergence, show_images, staircase


def rendered(figure) -> np.ndarray:
    with Image.open(io.BytesIO(figure._repr_png_())) as picture:
        return np.asarray(picture.convert("RGBA"))


def random_images(*shape, seed=0):
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed)) * 2 - 1


def box(figure, ax):
    """Rows and columns of the axes in the rendered figure."""
    height = figure.bbox.height
    extent = ax.get_window_extent()
    return (
        slice(round(height - extent.y1), round(height - extent.y0)),
        slice(round(extent.x0), round(extent.x1)),
    )


@pytest.mark.parametrize("size", [5, 37, 64, 200])
@pytest.mark.parametrize("titles", [None, ["a", "long " * 30, "c"]])
def test_images_are_shown_pixel_for_pixel(size, titles):
    batch = random_images(3, 3, size, size)
    figure = show_images(batch, titles=titles, ncols=2)
    assert len(figure.axes) == 3
    picture = rendered(figure)
    scale = math.ceil(150 / size)
    for ax, pixels in zip(figure.axes, to_uint8(batch), strict=True):
        expected = pixels.repeat(scale, 0).repeat(scale, 1)
        assert np.array_equal(picture[box(figure, ax)][..., :3], expected)


def test_smaller_images_are_enlarged_by_whole_factors():
    images = [random_images(3, 16, 16), random_images(3, 8, 8), random_images(1, 16, 11)]
    figure = show_images(images, scale=3)
    picture = rendered(figure)
    for ax, image, factor in zip(figure.axes, images, (3, 6, 3), strict=True):
        expected = to_uint8(image).repeat(factor, 0).repeat(factor, 1)
        assert np.array_equal(picture[box(figure, ax)][..., :3], expected)


def test_titles_are_drawn():
    figure = show_images(random_images(2, 3, 8, 8), titles=["original", "restored"])
    assert [ax.get_title() for ax in figure.axes] == ["original", "restored"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"images": []}, "images: got none"),
        ({"images": torch.zeros(2, 3, 8, 8), "titles": ["one"]}, "titles: got 1 for 2"),
        ({"images": torch.zeros(2, 3, 8, 8), "ncols": 0}, "ncols: got 0"),
        ({"images": torch.zeros(2, 3, 8, 8), "scale": 0.5}, "scale: got 0.5"),
        ({"images": torch.full((1, 3, 8, 8), torch.nan)}, "NaN"),
    ],
)
def test_show_images_refuses(arguments, message):
    with pytest.raises(ValueError, match=message):
        show_images(**arguments)


def test_convergence_curves_and_thresholds():
    residuals = {"Picard": [1, 0.1, 0.01], "Anderson": torch.tensor([0.5, 0.001])}
    figure = plot_convergence(residuals, thresholds={"stop": 1e-2}, title="t")
    (ax,) = figure.axes
    assert ax.get_yscale() == "log"
    first, second, stop = ax.lines
    assert first.get_xdata().tolist() == [1, 2, 3]
    assert first.get_ydata().tolist() == [1, 0.1, 0.01]
    assert second.get_xdata().tolist() == [1, 2]
    assert [t.get_text() for t in ax.get_legend().get_texts()] == ["Picard", "Anderson"]
    assert list(stop.get_ydata()) == [1e-2, 1e-2]
    # told apart without colour too
    assert first.get_marker() != second.get_marker()
    assert first.get_linestyle() != second.get_linestyle()


def test_convergence_of_a_single_series_has_no_legend():
    (ax,) = plot_convergence([1, 0.1], first_sweep=0).axes
    assert ax.lines[0].get_xdata().tolist() == [0, 1]
    assert ax.get_legend() is None


def test_exact_zeros_are_shown_at_the_foot():
    (ax,) = plot_convergence({"Picard": [1, 1e-6, 0]}).axes
    curve, zeros = ax.lines[:2]
    assert zeros.get_xdata().tolist() == [3]
    assert zeros.get_markerfacecolor() == "white"
    assert 0 < curve.get_ydata()[2] < 1e-6
    assert "exactly 0" in [t.get_text() for t in ax.texts]


def test_divergence_ends_the_curve():
    (ax,) = plot_convergence([1, 1e6, math.inf, None]).axes
    assert np.isnan(ax.lines[0].get_ydata()).tolist() == [False, False, True, True]


def test_more_curves_than_colours():
    (ax,) = plot_convergence({str(k): [1, 0.5] for k in range(len(COLORS) + 2)}).axes
    assert len(ax.lines) == len(COLORS) + 2


@pytest.mark.parametrize(
    ("residuals", "message"),
    [
        ({}, "residuals: got none"),
        ({"a": []}, r"residuals\['a'\]: got shape \(0,\)"),
        ({"a": np.ones((2, 3))}, r"residuals\['a'\]: got shape \(2, 3\)"),
        ({"a": [1, -1]}, "negative"),
        ({"a": [math.nan, math.inf]}, "no finite value"),
        ({"a": ["x"]}, r"residuals\['a'\]: expected numbers"),
    ],
)
def test_convergence_refuses(residuals, message):
    with pytest.raises(ValueError, match=message):
        plot_convergence(residuals)


@pytest.mark.parametrize("value", [0, -1, math.nan])
def test_convergence_refuses_thresholds(value):
    with pytest.raises(ValueError, match="thresholds"):
        plot_convergence([1, 2], thresholds={"stop": value})


def test_drawing_on_given_axes():
    figure, axes = new_figure(width=8, height=3, ncols=2)
    assert plot_convergence([1, 0.1], ax=axes[0]) is figure
    assert staircase(np.ones((3, 4)), ax=axes[1]) is figure
    assert len(figure.axes) == 3  # two, and the colour bar


def test_staircase_values_and_orientation():
    errors = 10.0 ** -np.arange(6).reshape(2, 3)
    errors[1, 2] = 0
    errors[0, 1] = math.inf
    figure = staircase(torch.from_numpy(errors), floor=1e-12, title="t")
    ax, bar = figure.axes
    (picture,) = ax.images
    values = picture.get_array()
    assert values[0].tolist() == [0, None, -2]
    assert values[1].tolist() == [-3, -4, -12]
    assert picture.get_clim() == (-12, 0)
    assert picture.get_extent() == [0.5, 3.5, 2.5, 0.5]  # sweep 1 above sweep 2
    assert "log" in bar.get_ylabel()


def test_staircase_boundary_is_picards():
    figure = staircase(np.ones((3, 5)), boundary=True)
    steps = figure.axes[0].patches[-1].get_data()
    assert steps.values.tolist() == [1.5, 2.5, 3.5]  # after j sweeps the first j states
    assert steps.edges.tolist() == [0.5, 1.5, 2.5, 3.5]


@pytest.mark.parametrize(
    ("errors", "message"),
    [
        (np.ones(3), r"errors: got shape \(3,\)"),
        (np.ones((2, 0)), "errors: got shape"),
        (-np.ones((2, 2)), "negative"),
        (np.full((2, 2), np.nan), "no finite value"),
    ],
)
def test_staircase_refuses(errors, message):
    with pytest.raises(ValueError, match=message):
        staircase(errors)


def test_staircase_refuses_floor():
    with pytest.raises(ValueError, match="floor: got 0"):
        staircase(np.ones((2, 2)), floor=0)


@pytest.mark.parametrize(
    "draw",
    [
        lambda: show_images(torch.zeros(1, 3, 8, 8), titles=["t"]),
        lambda: plot_convergence({"a": [1, 0.1, 0]}, thresholds={"stop": 0.5}),
        lambda: staircase(np.ones((2, 2)), boundary=True),
    ],
)
def test_background_is_opaque_and_light_and_settings_are_untouched(draw):
    with matplotlib.rc_context({"figure.facecolor": "black", "savefig.transparent": True}):
        before = dict(matplotlib.rcParams)
        picture = rendered(draw())
        assert dict(matplotlib.rcParams) == before
    assert (picture[..., 3] == 255).all()
    assert picture[0, 0].tolist() == [255, 255, 255, 255]


def test_figures_do_not_belong_to_pyplot():
    pyplot = pytest.importorskip("matplotlib.pyplot")
    before = pyplot.get_fignums()
    figure = plot_convergence([1, 2])
    assert pyplot.get_fignums() == before
    FigureCanvasAgg(figure).draw()


def test_colours_stand_out_on_white():
    def luminance(color):
        channels = np.array(colors.to_rgb(color))
        linear = np.where(
            channels <= 0.04045, channels / 12.92, ((channels + 0.055) / 1.055) ** 2.4
        )
        return linear @ [0.2126, 0.7152, 0.0722]

    for color in COLORS[:5]:
        assert 1.05 / (luminance(color) + 0.05) >= 3, color  # WCAG 1.4.11 for graphics
