"""The model of what ranks would bring: its terms by hand, and its limits."""

import json
import math
import sys

import pytest

from deqir_lite.engine.forecast import Link, forecast_seconds, measure_link

FREE = Link(latency=0.0, bandwidth=math.inf)
TIMES = {1: 1.0, 2: 1.5, 4: 2.5, 8: 4.5}  # .5 + .5 n


def forecast(images, ranks, times=TIMES, link=FREE, image_bytes=1000, **options):
    return forecast_seconds(
        images, ranks, times=times, link=link, image_bytes=image_bytes, **options
    )


def test_one_rank_waits_for_its_network_and_for_the_rest_of_a_sweep():
    assert forecast([8, 8, 4], 1) == 4.5 + 4.5 + 2.5
    assert forecast([8, 8, 4], 1, overhead=0.25) == 11.5 + 3 * 0.25
    assert forecast([8], 1, link=Link(latency=9.0, bandwidth=1.0)) == 4.5, "nothing is sent"


def test_several_wait_for_the_largest_share_and_for_the_gathering():
    assert forecast([8, 7, 4, 1], 4) == 1.5 + 1.5 + 1.0 + 1.0
    # a share of 2 images in 3 rounds, each of them 2000 bytes and a latency
    link = Link(latency=0.01, bandwidth=1e5)
    assert forecast([8], 4, link=link) == pytest.approx(1.5 + 3 * (0.01 + 0.02), abs=1e-12)
    assert forecast([8], 4, link=link, overhead=0.5) == pytest.approx(2.09, abs=1e-12)


def test_times_are_linear_between_those_measured_and_beyond_them():
    assert forecast([3], 1) == 2.0
    assert forecast([16], 1) == 8.5
    assert forecast([2], 1, times={4: 2.0}) == 2.0, "nothing is known to be faster"
    assert forecast([9], 1, times={4: 2.0}) == 2.0
    assert forecast([0], 1) == 0.0


def test_no_number_of_ranks_beats_one_image_and_the_overhead():
    few, many = forecast([20] * 3, 4, overhead=0.1), forecast([20] * 3, 1000, overhead=0.1)
    assert few > many == pytest.approx(3 * 1.1)


@pytest.mark.skipif(sys.platform == "win32", reason="processes begin as copies")
def test_ranks_take_about_what_the_model_says(run_on_ranks, tmp_path):
    """Their network sleeps. What they take beyond the model is that of a busy machine, where more
    ranks than processors wait for one another."""
    call, image, steps = 0.05, 0.03, 8
    times = {n: call + image * n for n in (1, steps)}
    found = {}
    for size in (1, 2, 4):
        assert run_on_ranks("slept.py", size, (call, image, steps)) == [0] * size
        found[size] = json.loads((tmp_path / f"slept-{size}.json").read_text())
    alone = found[1]
    network = forecast(alone["images"], 1, times=times)
    overhead = max(alone["seconds"] - network, 0.0) / len(alone["images"])
    print(f"1 rank: {alone['seconds']:.2f} s measured")
    for size in (2, 4):
        measured = found[size]["seconds"]
        assert found[size]["images"] == alone["images"]
        assert measured >= forecast(alone["images"], size, times=times)
        link = Link(found[size]["latency"], found[size]["bandwidth"])
        how = {"times": times, "link": link, "image_bytes": 3 * 8 * 8 * 8, "overhead": overhead}
        model = forecast(alone["images"], size, **how)
        print(f"{size} ranks: {measured:.2f} s measured, {model:.2f} s by the model")
        assert measured <= 3 * model


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"ranks": 0}, "ranks: got 0"),
        ({"times": {}}, "times: got {}; expected seconds >= 0 by images >= 1"),
        ({"times": {0: 1.0}}, "times: got {0: 1.0}"),
        ({"overhead": -1.0}, "overhead: got -1"),
        ({"images": [-1]}, "images: got -1"),
        ({"image_bytes": 0}, "image_bytes: got 0"),
    ],
)
def test_numbers_out_of_their_range_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        forecast(**{"images": [8], "ranks": 2} | options)


def test_one_rank_has_no_link():
    with pytest.raises(ValueError, match="group: got one rank; expected two or more"):
        measure_link()
