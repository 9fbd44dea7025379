"""The slider's HTML, which has to work without a kernel, and for everybody."""

import base64
import io
import json
import math
import re

import numpy as np
import pytest
import torch
from PIL import Image

from deqir_lite.images import to_uint8
from deqir_lite.viz import IterationSlider

bs4 = pytest.importorskip("bs4")


@pytest.fixture
def frames():
    return torch.rand(4, 3, 6, 9, generator=torch.Generator().manual_seed(0)) * 2 - 1


def parsed(slider):
    return bs4.BeautifulSoup(slider._repr_html_(), "html.parser")


def test_frames_decode_to_the_images(frames):
    images = parsed(IterationSlider(frames)).find_all("img")
    for image, expected in zip(images, to_uint8(frames), strict=True):
        head, data = image["src"].split(",")
        assert head == "data:image/webp;base64"
        with Image.open(io.BytesIO(base64.b64decode(data))) as picture:
            assert np.array_equal(np.asarray(picture), expected)


def test_only_the_first_frame_is_visible_without_scripts(frames):
    images = parsed(IterationSlider(frames)).find_all("img")
    assert ["display:none" in image["style"] for image in images] == [False, True, True, True]


def test_accessible_names(frames):
    captions = ["start", "18.0 dB", "24.1 dB", "25.0 dB"]
    page = parsed(IterationSlider(frames, captions=captions, label="Sweep", alt="Restored cat"))
    assert [image["alt"] for image in page.find_all("img")] == [
        f"Restored cat, Sweep {k}: {caption}" for k, caption in enumerate(captions)
    ]
    assert all(image["class"] == ["dark-light"] for image in page.find_all("img"))
    slider = page.find("input", type="range")
    assert page.label.text == "Sweep"
    assert page.label["for"] == slider["id"]
    assert slider["aria-valuetext"] == "start"
    assert page.output.text == "start"
    assert page.output["aria-live"] == "polite"


def test_drawings_may_be_inverted_on_a_dark_page(frames):
    page = parsed(IterationSlider(frames, drawn=True))
    assert all(image["class"] == ["dark-light", "plot"] for image in page.find_all("img"))


def test_range_follows_the_sweeps(frames):
    slider = parsed(IterationSlider(frames, first=1)).find("input")
    assert (slider["min"], slider["max"], slider["value"], slider["step"]) == ("1", "4", "1", "1")
    alts = [image["alt"] for image in parsed(IterationSlider(frames, first=1)).find_all("img")]
    assert alts[0] == "Restored photo, Sweep 1"


def test_script_knows_its_own_slider_and_keeps_its_keys(frames):
    page = parsed(IterationSlider(frames))
    script = page.script.text
    assert f'getElementById("{page.div["id"]}")' in script
    assert json.dumps(["Sweep 0", "Sweep 1", "Sweep 2", "Sweep 3"]) in script
    assert "stopPropagation" in script
    assert '"keydown"' in script


def test_identifiers_differ_on_one_page_and_do_not_depend_on_chance(frames):
    slider = IterationSlider(frames, label="Only here")
    first, second = parsed(slider).div["id"], parsed(slider).div["id"]
    other = parsed(IterationSlider(frames, label="Only there")).div["id"]
    assert len({first, second, other}) == 3
    assert first.removesuffix("-1") == second.removesuffix("-2")
    page = parsed(slider)
    identifiers = [tag["id"] for tag in page.find_all(id=True)]
    assert len(set(identifiers)) == len(identifiers)


def test_curve_and_cursor(frames):
    series = {"Picard": [None, 1e-1, 1e-3, 1e-5], "Anderson": torch.tensor([1, 1e-2, 1e-6, 0])}
    page = parsed(IterationSlider(frames, series=series))
    svg = page.svg
    assert svg["role"] == "img"
    assert "Picard: 0.1 to 1e-05" in svg["aria-label"]
    lines = [
        [tuple(map(float, point.split(","))) for point in line["points"].split()]
        for line in svg.find_all("polyline")
    ]
    picard = next(line for line in lines if len(line) == 3)
    anderson = next(line for line in lines if len(line) == 4)
    steps = np.diff([y for _, y in picard])
    assert steps == pytest.approx([steps[0]] * 2, abs=0.11)  # a straight line on a log axis
    assert steps[0] > 0  # downwards in SVG
    marks = json.loads(svg.find(class_="cursor")["data-x"])
    assert marks == [x for x, _ in anderson]
    assert svg.find(class_="cursor")["transform"] == f"translate({marks[0]} 0)"
    assert "Anderson" in svg.text
    _, _, width, height = map(int, svg["viewbox"].split())
    assert all(0 <= x <= width and 0 <= y <= height for line in lines for x, y in line)


def test_the_legend_lies_above_the_curve_and_on_no_other_entry(frames):
    names = ["Picard", "Anderson, m = 3, triangular", "Anderson, m = 5, on all states", "a"]
    svg = parsed(IterationSlider(frames, series={name: [1, 0.1, 0.01, 1e-3] for name in names})).svg
    texts = {text.text: text for text in svg.find_all("text")}
    label = texts["relative residual"]
    spans = []
    for name in names:
        x, y = float(texts[name]["x"]), float(texts[name]["y"])
        spans.append((y, x - 24, x + 7 * len(name)))
        assert y > float(label["y"]) + 10
    highest = min(float(circle["cy"]) for circle in svg.find_all("circle"))
    assert all(y < highest for y, _, _ in spans)
    for k, (y, left, right) in enumerate(spans):
        assert right <= 420
        assert all(y != other or right < x or left > end for other, x, end in spans[k + 1 :])


def test_it_can_be_played(frames):
    page = parsed(IterationSlider(frames))
    assert page.button["type"] == "button"
    assert page.button.text == "Play"
    assert [image["data-frame"] for image in page.find_all("img")] == ["0", "1", "2", "3"]


def test_text_of_the_curve_is_ink_on_white(frames):
    series = {name: [1, 0.1, 0.01, 0.001] for name in ("one", "two", "three")}
    svg = parsed(IterationSlider(frames, series=series)).svg
    assert svg["fill"] == "#1a1a1a"
    assert svg.rect["fill"] == "white"
    assert not [text for text in svg.find_all("text") if text.has_attr("fill")]
    samples = {line["stroke"] for line in svg.find_all("line", attrs={"stroke-dasharray": True})}
    assert samples == {line["stroke"] for line in svg.find_all("polyline")}
    assert len(samples) == 3


def test_no_curve_without_a_series(frames):
    assert parsed(IterationSlider(frames)).svg is None


def test_single_frame_and_single_series():
    page = parsed(IterationSlider(torch.zeros(1, 3, 4, 4), series=[0.5]))
    assert len(page.find_all("img")) == 1
    assert page.find("input")["max"] == "0"


def test_text_cannot_break_the_page(frames):
    nasty = '"><script>alert(1)</script>'
    slider = IterationSlider(
        frames,
        captions=[nasty] * 4,
        series={nasty: [1, 1, 1, 1]},
        label=nasty,
        alt=nasty,
        series_label=nasty,
    )
    page = parsed(slider)
    assert len(page.find_all("script")) == 1
    assert "<script>" not in page.script.text
    assert page.output.text == nasty
    assert page.label.text == nasty


def test_nothing_is_loaded_from_elsewhere(frames):
    text = re.sub(r"base64,[A-Za-z0-9+/=]+", "", IterationSlider(frames)._repr_html_())
    assert "http" not in text


def test_print_has_a_row_of_frames(frames):
    with Image.open(io.BytesIO(IterationSlider(frames)._repr_png_())) as picture:
        sheet = np.asarray(picture)
    scale = 32
    for k in (0, 3):
        left = 8 + k * (9 * scale + 8)
        expected = to_uint8(frames[k]).repeat(scale, 0).repeat(scale, 1)
        assert np.array_equal(sheet[8 : 8 + 6 * scale, left : left + 9 * scale], expected)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"frames": []}, "frames: got none"),
        ({"frames": [torch.zeros(3, 4, 4), torch.zeros(3, 4, 5)]}, "frames: got sizes"),
        ({"captions": ["a"]}, "captions: got 1 for 4 frames"),
        ({"series": [1, 2]}, "series.*got 2 values for 4 frames"),
        ({"series": [[1, 2]]}, "series.*got shape"),
        ({"series": [1, 2, 3, -4]}, "negative"),
        ({"series": [math.nan] * 4}, "no finite value"),
        ({"alt": " "}, "alt: got ' '"),
        ({"label": ""}, "label: got ''"),
        ({"first": -1}, "first: got -1"),
        ({"scale": 0}, "scale: got 0"),
    ],
)
def test_refuses(frames, arguments, message):
    with pytest.raises(ValueError, match=message):
        IterationSlider(**{"frames": frames, **arguments})
