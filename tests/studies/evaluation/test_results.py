"""The results file: what is written is read again, and other settings are refused."""

import errno
import json
import math

import pytest
import torch

from deqir_lite.studies.evaluation import results
from deqir_lite.studies.evaluation.results import Results
from deqir_lite.studies.evaluation.settings import Setting

SETTING = Setting("sr2", 16, 5, 0.5)
SETTINGS = {
    "prior": "abc", "photos": {"a.png": "1", "b.png": "2"}, "seeds": 2, "all_seeds": False,
    "spacing": 3.0, "dtype": "float32",
}  # fmt: skip


@pytest.fixture
def filled(tmp_path):
    filled = Results(tmp_path, SETTINGS)
    filled.context = {"devices": ["a CPU"]}
    scores = {"psnr": 20.0, "ssim": 0.5}
    filled.references["sr2", 16, "a.png"] = {
        "pinv": {"psnr": math.inf, "ssim": None}, "baseline": scores, "tv": scores,
        "gaussian": scores,
    }  # fmt: skip
    filled.samples[SETTING, "a.png"] = {
        "single": {"psnr": [20.5, 21.25], "ssim": [0.5, 0.25]},
        "mean": {"psnr": 22.0, "ssim": 0.75},
        "seconds": 1.5,
    }
    return filled


def test_round_trip(filled):
    filled.save()
    assert Results.load(filled.folder) == filled
    assert Results.resume(filled.folder, filled.settings) == filled
    json.loads((filled.folder / "evaluation.json").read_text(), parse_constant=pytest.fail)


def test_new_results(tmp_path):
    assert Results.resume(tmp_path, {"seeds": 2}) == Results(tmp_path, {"seeds": 2})
    with pytest.raises(FileNotFoundError, match="^out: .* holds no evaluation.json"):
        Results.load(tmp_path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"prior": "xyz"}, "another prior: 'abc' there, 'xyz' now"),
        ({"seeds": 8}, "another seeds: 2 there, 8 now"),
        ({"photos": {"a.png": "1", "b.png": "3", "c.png": "4"}}, "photos: different b.png, c.png;"),
    ],
)
def test_other_settings_are_refused(filled, change, message):
    filled.save()
    with pytest.raises(ValueError, match=message):
        Results.resume(filled.folder, filled.settings | change)


@pytest.mark.parametrize(
    "content", ["", "[]", "{}", '{"format": 0}', '{"format": 3, "settings": 3}', "\x00"]
)
def test_damaged_files(tmp_path, content):
    (tmp_path / "evaluation.json").write_text(content)
    with pytest.raises(ValueError, match=r"out: .*evaluation.json.*; it is no results file of"):
        Results.resume(tmp_path, {})


def test_files_of_another_version(filled):
    """The numbers of the chains that were usual before are not mixed with those of today."""
    path = filled.save()
    older = json.loads(path.read_text()) | {"format": 2}
    path.write_text(json.dumps(older))
    with pytest.raises(
        ValueError,
        match="format: got 2; expected it to be 3; it is no results file of this",
    ):
        Results.load(filled.folder)


def test_a_full_disk_keeps_what_was_written(filled, monkeypatch):
    filled.save()
    kept = (filled.folder / "evaluation.json").read_bytes()

    def full(path, data, name):
        raise OSError(errno.ENOSPC, "No space left on device", str(path))

    filled.samples[SETTING, "b.png"] = filled.samples[SETTING, "a.png"]
    monkeypatch.setattr("pathlib.Path.write_bytes", lambda path, data: full(path, data, ""))
    with pytest.raises(OSError, match="No space left"):
        filled.save()
    assert (filled.folder / "evaluation.json").read_bytes() == kept
    assert [path.name for path in filled.folder.iterdir()] == [results.RESULTS_FILE]


def test_versions_and_devices_of_several_runs_stand_side_by_side(filled, monkeypatch):
    filled.context = {"prior": "mine", "versions": {"lpips": "0.1"}}
    for version, device in [("2.13.0", "B"), ("2.9.0", "A"), ("2.13.0", "B"), ("2.9.0", "A")]:
        now = {"python": "3.11", "torch": version}
        monkeypatch.setattr(results, "versions", lambda now=now: now)
        monkeypatch.setattr(results, "describe_device", lambda _, device=device: device)
        filled.add_contributor(torch.device("cpu"))
    assert filled.context == {
        "prior": "mine",
        "versions": {"lpips": "0.1", "python": "3.11", "torch": "2.13.0, 2.9.0"},
        "devices": ["A", "B"],
    }
