"""The files of rows: what a kill leaves, damage, and other settings."""

import json

import numpy as np
import pytest
import torch

from deqir_lite.images import to_uint8
from deqir_lite.studies.comparison.rows import (
    Journal,
    pack_features,
    pack_picture,
    read_rows,
    rows_file,
    unpack_features,
    unpack_picture,
)

SETTINGS = {"prior": "one", "photos": {"a.png": "1"}, "dtype": "float32"}


@pytest.fixture
def journal(tmp_path):
    made = Journal(rows_file(tmp_path, 0))
    made.begin(SETTINGS, "gaussian", torch.device("cpu"))
    return made


def test_rows_come_back_as_they_were(journal, row, tmp_path):
    rows = [row("ddnm", "a.png", float("inf"), lpips=None), row("dps", "b\udcff.png", failed="x")]
    for each in rows:
        journal.add(each)
    found = read_rows(tmp_path, SETTINGS)
    assert found.settings == SETTINGS
    assert list(found.rows.values()) == rows
    assert [session.prior for session in found.sessions] == ["gaussian"]


def test_features_come_back_in_half_precision(journal, row, tmp_path):
    features = torch.randn(2, 5, generator=torch.Generator().manual_seed(0))
    journal.add(row("ddnm", "a.png", features=pack_features(features)))
    (found,) = read_rows(tmp_path).rows.values()
    assert torch.equal(unpack_features(found.features), features.half().float())
    for damaged in ("no base64!", "AAA=", "AAAA"):
        with pytest.raises(ValueError, match="^out: the features of a row are damaged"):
            unpack_features(damaged)


def test_pictures_come_back_pixel_for_pixel(journal, row, tmp_path):
    x0 = torch.rand(1, 3, 6, 9, generator=torch.Generator().manual_seed(0)) * 3 - 1.5
    journal.add(row("ddnm", "a.png", picture=pack_picture(x0)))
    (found,) = read_rows(tmp_path).rows.values()
    assert np.array_equal(np.asarray(unpack_picture(found.picture)), to_uint8(x0)[0])
    for damaged in ("no base64!", "AAAA"):
        with pytest.raises(ValueError, match="^out: the picture of a row is damaged"):
            unpack_picture(damaged)


def test_at_whatever_byte_a_process_dies_whole_rows_are_kept(journal, row, tmp_path):
    for photo in "ab":
        journal.add(row("ddnm", photo))
    content = journal.path.read_bytes()
    for length in range(len(content)):
        journal.path.write_bytes(content[:length])
        whole = content[:length].count(b"\n")
        assert len(read_rows(tmp_path).rows) == max(whole - 1, 0)
    journal.path.write_bytes(content[:-7])
    journal.begin(SETTINGS, "gaussian", torch.device("cpu"))
    journal.add(row("ddnm", "b"))
    found = read_rows(tmp_path)
    assert [key[1] for key in found.rows] == ["a", "b"]
    assert len(found.sessions) == 2


def test_the_same_restoration_counts_once(journal, row, tmp_path):
    journal.add(row("ddnm", "a", 20.0))
    other = Journal(rows_file(tmp_path, 1))
    other.begin(SETTINGS, "gaussian", torch.device("cpu"))
    other.add(row("ddnm", "a", 30.0))
    assert [each.psnr for each in read_rows(tmp_path).rows.values()] == [20.0]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"prior": "two"}, "another prior: 'one' there, 'two' now"),
        ({"photos": {"a.png": "1", "b.png": "2"}}, "another photos: different b.png"),
        ({"dtype": "bfloat16"}, "another dtype"),
    ],
)
def test_other_settings_are_refused_by_name(journal, tmp_path, change, message):
    with pytest.raises(ValueError, match=message) as caught:
        read_rows(tmp_path, SETTINGS | change)
    assert "rows-0.jsonl" in str(caught.value)
    other = Journal(rows_file(tmp_path, 1))
    other.begin(SETTINGS | change, "gaussian", torch.device("cpu"))
    with pytest.raises(ValueError, match=message.split(":")[0]):
        read_rows(tmp_path)


def test_killed_at_any_moment_nothing_is_lost_or_doubled(kill_at, row, tmp_path):
    wanted = [row("ddnm", photo) for photo in "abc"]

    def work():
        done = read_rows(tmp_path, SETTINGS).rows
        journal = Journal(rows_file(tmp_path, 0))
        journal.begin(SETTINGS, "gaussian", torch.device("cpu"))
        for each in wanted:
            if each.key not in done:
                journal.add(each)

    before, moment = 0, 0
    while True:
        moment += 1
        killed = kill_at(moment, work)
        there = list(read_rows(tmp_path, SETTINGS).rows.values())
        assert there == wanted[: len(there)]
        assert len(there) >= before
        before = len(there)
        if not killed:
            break
    assert moment > 3
    content = rows_file(tmp_path, 0).read_text()
    assert there == wanted
    assert content.count('"photo": ') == len(wanted)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("not JSON", "line 2 is damaged"),
        ("[1]", "line 2 is damaged"),
        (json.dumps({"method": "ddnm"}), "line 2: form is missing"),
        (json.dumps(SETTINGS | {"settings": {}}), "line 2: format is missing"),
    ],
)
def test_damage_is_named_by_its_line(journal, tmp_path, line, message):
    with journal.path.open("a") as file:
        file.write(line + "\n")
    with pytest.raises(ValueError, match=message):
        read_rows(tmp_path)
