"""The animation of both ways: which states are worked on at which call, and which photo is seen."""

import base64
import io

import numpy as np
import pytest
import torch
from PIL import Image

from deqir_lite.images import to_uint8
from deqir_lite.viz import SweepRace
from deqir_lite.viz.style import COLORS, GRID

bs4 = pytest.importorskip("bs4")

DONE, WORK, WAITS = COLORS[0], COLORS[6], GRID


@pytest.fixture
def images():
    generator = torch.Generator().manual_seed(0)
    return torch.rand(9, 3, 6, 6, generator=generator) * 2 - 1


def seen(panel, tick):
    """The colours of the squares and the photo of a panel at a call."""
    (group,) = [g for g in panel.svg.find_all("g") if str(tick) in g["data-frame"].split()]
    (photo,) = [i for i in panel.find_all("img") if str(tick) in i["data-frame"].split()]
    data = base64.b64decode(photo["src"].split(",")[1])
    with Image.open(io.BytesIO(data)) as picture:
        return squares(group), np.asarray(picture)


def squares(group):
    """The colours of the squares of a group, from left to right."""
    found = []
    for path in group.find_all("path"):
        for square in path["d"].split("M")[1:]:
            assert square.endswith("v12h-12z")
            found.append((float(square.split(" ")[0]), path["fill"]))
    assert [place for place, _ in found] == [14 * k + 1 for k in range(len(found))]
    return [fill for _, fill in found]


def panels(race):
    page = bs4.BeautifulSoup(race._repr_html_(), "html.parser")
    return [svg.parent for svg in page.find_all("svg")], page


def test_the_queue_and_the_staircase(images):
    walked, solved = images[:5], images[5:8]
    (queue, sweeps), page = panels(SweepRace(walked, solved))
    for tick in range(5):
        colours, photo = seen(queue, tick)
        working = [WORK] if tick < 4 else []
        assert colours == [DONE] * tick + working + [WAITS] * (4 - tick - len(working))
        assert np.array_equal(photo, to_uint8(walked[tick]))
        colours, photo = seen(sweeps, tick)
        final = tick if tick < 2 else 4
        assert colours == [DONE] * final + [WORK] * (4 - final)
        assert np.array_equal(photo, to_uint8(solved[min(tick, 2)]))
    assert page.input["max"] == "4"
    assert page.output.text.startswith("0: step by step, 0 of 4 steps")


def test_states_that_a_solver_has_finished_earlier(images):
    (_, sweeps), _ = panels(SweepRace(images[:5], images[5:8], final=[0, 3, 4]))
    assert seen(sweeps, 1)[0] == [DONE] * 3 + [WORK]


def test_only_the_first_frame_is_visible_without_scripts(images):
    _, page = panels(SweepRace(images[:5], images[5:8]))
    for part in page.select("[data-frame]"):
        assert ("display:none" in part["style"]) == ("0" not in part["data-frame"].split())
    assert all(len(image["alt"]) > 10 for image in page.find_all("img"))


def test_print(images):
    with Image.open(io.BytesIO(SweepRace(images[:5], images[5:8])._repr_png_())) as picture:
        assert picture.width > picture.height


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"solved": slice(5, 6)}, "solved: got 0 sweeps for 4 steps"),
        ({"walked": slice(0, 2)}, "solved: got 2 sweeps for 1 steps"),
        ({"final": [0, 4]}, r"final: got \[0, 4\]; expected 3 numbers"),
        ({"final": [0, 4, 3]}, "final: got"),
        ({"final": [0, 1, 3]}, "final: got"),
        ({"final": [-1, 1, 4]}, "final: got"),
    ],
)
def test_refuses(images, change, message):
    walked = images[change.get("walked", slice(0, 5))]
    solved = images[change.get("solved", slice(5, 8))]
    with pytest.raises(ValueError, match=message):
        SweepRace(walked, solved, final=change.get("final"))


def test_refuses_other_sizes(images):
    with pytest.raises(ValueError, match="walked, solved: got sizes"):
        SweepRace(images[:5], torch.zeros(2, 3, 4, 4))
