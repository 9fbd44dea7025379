"""The explorer: the same figure as the plain function, and errors that are seen."""

import base64
import io
from dataclasses import replace

import ipywidgets
import numpy as np
import pytest
from PIL import Image

from deqir_lite.chain import PICTURE
from deqir_lite.viz import BookFigure, explore_restoration, show_restoration
from deqir_lite.viz import explorer as module

bs4 = pytest.importorskip("bs4")


@pytest.fixture
def photo(gaussian_prior):
    import torch

    generator = torch.Generator().manual_seed(3)
    return torch.rand(1, 3, 8, 8, generator=generator, dtype=torch.float64) * 2 - 1


@pytest.fixture
def settings():
    return {"task": "sr2", "eta": 0.15, "num_steps": 5, "form": "data", "solver": "picard"}


def pixels(png):
    with Image.open(io.BytesIO(png)) as picture:
        return np.asarray(picture.convert("RGB"))


def shown(explorer):
    """The picture in the widget, and its alternative text."""
    image = bs4.BeautifulSoup(explorer.picture.value, "html.parser").img
    return pixels(base64.b64decode(image["src"].split(",")[1])), image["alt"]


def test_plain_function_draws_five_pictures(photo, nonlinear_prior, settings):
    figure = show_restoration(photo, nonlinear_prior, **settings)
    assert isinstance(figure, BookFigure)
    titles = [ax.get_title().replace("\n", " ") for ax in figure.axes]
    assert titles[0].startswith("measured: ")
    assert titles[1].startswith("without a prior, bicubic: ")
    assert titles[2] == "step by step: 5 evaluations, one by one"
    assert titles[3].startswith("all at once: ")
    assert titles[4] == "photo"


def test_defaults_are_those_of_a_chain(photo, gaussian_prior):
    explorer = explore_restoration(photo, gaussian_prior, task="sr2")
    assert explorer.controls["eta"].value == PICTURE["eta"]
    assert explorer.controls["num_steps"].value == PICTURE["num_steps"]


def test_explorer_starts_with_the_figure_of_the_plain_function(photo, nonlinear_prior, settings):
    plain = pixels(show_restoration(photo, nonlinear_prior, **settings)._repr_png_())
    picture, alt = shown(explore_restoration(photo, nonlinear_prior, **settings))
    assert np.array_equal(picture, plain)
    for part in ("sr2", "eta 0.15", "T = 5", "data form", "picard"):
        assert part in alt


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("task", "inpaint-random"),
        ("eta", 0.85),
        ("num_steps", 10),
        ("form", "noise"),
        ("solver", "anderson-triangular"),
    ],
)
def test_every_control_solves_again(photo, nonlinear_prior, settings, name, value):
    explorer = explore_restoration(photo, nonlinear_prior, **settings)
    explorer.controls[name].value = value
    plain = show_restoration(photo, nonlinear_prior, **settings | {name: value})
    picture, alt = shown(explorer)
    assert np.array_equal(picture, pixels(plain._repr_png_()))
    assert str(value) in alt
    assert explorer.message.value == ""


def test_an_error_is_shown_and_goes_with_the_next_good_choice(photo, nonlinear_prior, settings):
    explorer = explore_restoration(photo[..., :6], nonlinear_prior, **settings | {"task": "sr2"})
    before = explorer.picture.value
    explorer.controls["task"].value = "sr4"  # 6 pixels cannot be divided by 4
    message = bs4.BeautifulSoup(explorer.message.value, "html.parser")
    assert message.find(role="alert").strong.text.startswith("ValueError: ")
    assert "Traceback" in message.details.text
    assert explorer.picture.value == before
    explorer.controls["task"].value = "sr2"
    assert explorer.message.value == ""


def test_a_warning_is_shown(photo, nonlinear_prior, settings, monkeypatch):
    explorer = explore_restoration(photo, nonlinear_prior, **settings)
    restore = module.restore_problem

    def stopped_early(*problem, solve, **options):
        return restore(*problem, solve=replace(solve, max_sweeps=1), **options)

    monkeypatch.setattr(module, "restore_problem", stopped_early)
    explorer.controls["eta"].value = 0.5
    assert "ConvergenceWarning" in explorer.message.value


def test_first_settings_that_do_not_work_raise(photo, nonlinear_prior):
    with pytest.raises(ValueError, match="task: unknown value 'sr3'"):
        explore_restoration(photo, nonlinear_prior, task="sr3")
    with pytest.raises(ValueError, match="photo: got 2 photos"):
        show_restoration(photo.expand(2, -1, -1, -1), nonlinear_prior)


def test_book_and_print_get_the_picture_and_a_live_notebook_the_widget(
    photo, nonlinear_prior, settings
):
    explorer = explore_restoration(photo, nonlinear_prior, **settings)
    bundle = explorer._repr_mimebundle_()
    view = bundle["application/vnd.jupyter.widget-view+json"]
    assert view["model_id"] == explorer.widget.model_id
    assert isinstance(explorer.widget, ipywidgets.VBox)
    page = bs4.BeautifulSoup(bundle["text/html"], "html.parser")
    picture, alt = shown(explorer)
    assert page.img["alt"] == alt
    assert page.img["class"] == ["dark-light"]
    assert "kernel" in page.text
    assert np.array_equal(pixels(base64.b64decode(bundle["image/png"])), picture)


def test_steps_outside_of_the_usual_ones_are_offered(photo, nonlinear_prior, settings):
    explorer = explore_restoration(photo, nonlinear_prior, **settings | {"num_steps": 7})
    assert explorer.controls["num_steps"].value == 7
    assert 7 in explorer.controls["num_steps"].options
