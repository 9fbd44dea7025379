"""The film of the staircase: which states are final, which pictures are seen, and when."""

import base64
import io

import numpy as np
import pytest
import torch
from PIL import Image

from deqir_lite.images import to_uint8
from deqir_lite.viz import SweepStaircase
from deqir_lite.viz.style import COLORS, GRID

bs4 = pytest.importorskip("bs4")


@pytest.fixture
def states():
    """Three steps; a state takes its last value with its sweep, and moves before."""
    values = torch.rand(4, 4, 3, 5, 5, generator=torch.Generator().manual_seed(0)) * 2 - 1
    for k in range(1, 4):
        values[k:, k] = values[3, k].clone()
    values[:, 0] = values[0, 0].clone()
    return values


def parsed(film):
    return bs4.BeautifulSoup(film._repr_html_(), "html.parser")


def visible(page, frame):
    return [t for t in page.select("[data-frame]") if str(frame) in t["data-frame"].split()]


def test_one_more_state_is_final_with_each_sweep(states):
    film = SweepStaircase(list(states))
    assert film.final == [0, 1, 2, 3]
    assert SweepStaircase(list(states[:, :, None])).final == film.final  # a batch of one
    assert SweepStaircase(list(states), tolerance=2).final == [3] * 4


def test_a_state_is_not_final_behind_one_that_moves(states):
    states[:, 2] = states[3, 2].clone()  # right from the start, by chance
    assert SweepStaircase(list(states)).final == [0, 2, 2, 3]


def test_the_table_fills_and_the_photos_follow(states):
    page = parsed(SweepStaircase(list(states)))
    for frame in range(4):
        rows = [tag for tag in visible(page, frame) if tag.name == "g"]
        assert len(rows) == frame + 1
        counts = [
            {path["fill"]: path["d"].count("M") for path in row.find_all("path")} for row in rows
        ]
        for row, found in enumerate(counts):
            assert found.get(COLORS[0], 0) == row
            assert found.get(COLORS[6], 0) == 3 - row
        photos = [tag for tag in visible(page, frame) if tag.name == "img"]
        for photo, expected in zip(photos, to_uint8(states[frame, 1:]), strict=True):
            data = base64.b64decode(photo["src"].split(",")[1])
            with Image.open(io.BytesIO(data)) as picture:
                assert np.array_equal(np.asarray(picture), expected)
    assert page.svg.path["fill"] == GRID
    assert page.svg.path["d"].count("M") == 12
    assert len(page.find_all("img")) == 2 + 3 + 4  # what does not change is there once
    assert page.output.text == "Sweep 0: 0 of 3 states are final"


def test_only_the_first_frame_is_visible_without_scripts(states):
    for part in parsed(SweepStaircase(list(states))).select("[data-frame]"):
        assert ("display:none" in part["style"]) == ("0" not in part["data-frame"].split())


def test_print(states):
    with Image.open(io.BytesIO(SweepStaircase(list(states))._repr_png_())) as picture:
        assert picture.width > picture.height


@pytest.mark.parametrize(
    ("states", "message"),
    [
        ([], "states: got 0"),
        ([torch.zeros(3, 3, 4, 4)], "states: got 1"),
        ([torch.zeros(3, 3, 4, 4), torch.zeros(2, 3, 4, 4)], "states: got 2 of shapes"),
        ([torch.zeros(3, 2, 3, 4, 4)] * 2, r"states: got shape \(3, 2, 3, 4, 4\)"),
        ([torch.zeros(1, 3, 4, 4)] * 2, r"states: got shape \(1, 3, 4, 4\)"),
    ],
)
def test_refuses_other_states(states, message):
    with pytest.raises(ValueError, match=message):
        SweepStaircase(states)


def test_refuses_a_negative_tolerance(states):
    with pytest.raises(ValueError, match="tolerance: got -1"):
        SweepStaircase(list(states), tolerance=-1)
