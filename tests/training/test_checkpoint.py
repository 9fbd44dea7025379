"""Checkpoints and exports are whole or not there."""

import errno
import json
import os
import stat
from pathlib import Path

import pytest
import torch
from safetensors import safe_open

from deqir_lite.priors import GaussianPrior, PhotoSpectrum
from deqir_lite.priors.files import STATE_FILE
from deqir_lite.priors.residual import ResidualPrior
from deqir_lite.schedule import linear_schedule
from deqir_lite.training import checkpoint

FILES = (
    *("training.pt", "residual.safetensors", "spectrum.safetensors", "config.json"),
    "training_log.json",
)


@pytest.fixture(scope="module")
def prior(make_prior):
    return make_prior()


def save(folder, prior, step):
    """A run's files; ``step`` is found in each of them."""
    state = {
        "recipe": {}, "network": {"w": torch.ones(2)}, "scale": torch.ones(2), "averages": {},
        "optimizers": [], "generator": torch.Generator().get_state(), "device": "cpu",
        "step": step, "crops": 0, "seconds": 0.0, "history": [], "data_note": "",
        "began_with": None,
    }  # fmt: skip
    spectrum = PhotoSpectrum(
        prior.gaussian.spectrum.mean + step, prior.gaussian.spectrum.covariance
    )
    gaussian = GaussianPrior(spectrum, schedule=linear_schedule(1000 + step))
    scale = torch.full((1000 + step,), float(step))
    checkpoint.save_run(
        folder, state, ResidualPrior(gaussian, prior.network, scale), {"step": step}
    )


def contents(folder):
    return {p.name: p.read_bytes() for p in folder.iterdir()}


def test_state_is_read_back(tmp_path, prior):
    save(tmp_path, prior, 3)
    loaded = checkpoint.load_state(tmp_path)
    assert loaded["step"] == 3
    assert torch.equal(loaded["network"]["w"], torch.ones(2))
    assert sorted(os.listdir(tmp_path)) == sorted(FILES)


@pytest.mark.parametrize("failing", FILES)
def test_a_full_disk_leaves_all_files_of_the_save_before(tmp_path, prior, monkeypatch, failing):
    save(tmp_path, prior, 1)
    before = contents(tmp_path)
    whole = Path.write_bytes

    def half(path, data):
        if failing not in path.name:
            return whole(path, data)
        whole(path, data[: len(data) // 2])
        raise OSError(errno.ENOSPC, "No space left on device", str(path))

    monkeypatch.setattr(Path, "write_bytes", half)
    with pytest.raises(OSError, match="No space left on device"):
        save(tmp_path, prior, 2)
    assert contents(tmp_path) == before
    monkeypatch.undo()
    save(tmp_path, prior, 2)
    after = contents(tmp_path)
    assert after.keys() == before.keys()
    assert all(after[name] != before[name] for name in FILES)


def test_a_file_that_may_not_grow_is_an_error_of_the_system(tmp_path, prior):
    """The same with a real limit: no library turns it into an error of its own."""
    resource = pytest.importorskip("resource")
    save(tmp_path, prior, 1)
    before, limits = contents(tmp_path), resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, limits[1]))
    try:
        with pytest.raises(OSError, match="too large"):
            save(tmp_path, prior, 2)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert contents(tmp_path) == before


def test_missing_and_corrupt_checkpoints(tmp_path, prior):
    with pytest.raises(FileNotFoundError, match=r"^resume: .* holds no training\.pt$"):
        checkpoint.load_state(tmp_path)
    save(tmp_path, prior, 1)
    path = tmp_path / STATE_FILE
    whole = path.read_bytes()
    for content in (b"", b"garbage", whole[:-200]):
        path.write_bytes(content)
        with pytest.raises(ValueError, match=r"^resume: [^\n]* is corrupt [^\n]*$"):
            checkpoint.load_state(tmp_path)
    for other, message in ([1, 2], "holds a list; expected a"), ({"step": 1}, "recipe is missing"):
        torch.save(other, path)
        with pytest.raises(ValueError, match=rf"^resume: \S*training\.pt.* {message}"):
            checkpoint.load_state(tmp_path)


STATE = {
    "recipe": {}, "network": {}, "scale": torch.ones(2), "averages": {}, "optimizers": [],
    "generator": torch.Generator().get_state(), "device": "cpu", "step": 1, "crops": 0,
    "seconds": 0.0, "history": [], "data_note": "", "began_with": None,
}  # fmt: skip


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"recipe": None}, "recipe: got None; expected it to be a valid dictionary"),
        ({"network": [1]}, r"network: got \[1\]; expected it to be a valid dictionary"),
        ({"optimizers": {}}, r"optimizers: got \{\}; expected it to be a valid list"),
        ({"device": 0}, "device: got 0; expected it to be a valid string"),
        ({"step": -1}, "step: got -1; expected it to be greater than or equal to 0"),
        ({"step": 1.5}, "step: got 1.5; expected it to be a valid integer"),
        ({"crops": "many"}, "crops: got 'many'; expected it to be a valid integer"),
        ({"seconds": float("nan")}, "seconds: got nan; expected it to be"),
        ({"seconds": "long"}, "seconds: got 'long'; expected it to be a valid number"),
        ({"history": [{"step": 1}]}, r"history\.0\.loss is missing"),
        ({"history": 3}, "history: got 3; expected it to be a valid list"),
        ({"data_note": 3}, "data_note: got 3; expected it to be a valid string"),
        (
            {"data": {"training": "all"}},
            r"data\.training: got 'all'; expected it to be a valid num",
        ),
        (
            {"began_with": {"digest": 3}},
            r"began_with\.digest: got 3; expected it to be a valid str",
        ),
    ],
)
def test_a_checkpoint_with_another_field_names_it(tmp_path, changes, message):
    path = tmp_path / STATE_FILE
    torch.save(STATE, path)
    assert checkpoint.load_state(tmp_path)["step"] == 1
    torch.save(STATE | changes, path)
    with pytest.raises(ValueError, match=rf"^resume: \S*training\.pt: {message}"):
        checkpoint.load_state(tmp_path)


def test_killed_anywhere_a_save_leaves_a_run_that_goes_on(tmp_path, prior, kill_at):
    turn, killed = 0, True
    while killed:
        turn += 1
        save(tmp_path, prior, 1)
        killed = kill_at(turn, lambda: save(tmp_path, prior, 2))
        state = checkpoint.load_state(tmp_path)["step"]
        log = json.loads((tmp_path / "training_log.json").read_text())["step"]
        assert 2 >= state >= log >= 1  # the run is never older than what tells of it
        for name in ("residual.safetensors", "spectrum.safetensors"):
            with safe_open(tmp_path / name, "pt") as file:
                assert file.keys()
        save(tmp_path, prior, 3)
        assert sorted(os.listdir(tmp_path)) == sorted(FILES)
    assert turn > len(FILES)
    assert (state, log) == (2, 2)


def test_other_data_is_refused_by_name_and_a_checkpoint_may_be_silent():
    data = {"training": 9, "dead_leaves": 0.5}
    checkpoint.check_same_data({}, data)
    checkpoint.check_same_data({"data": data}, dict(data))
    with pytest.raises(
        ValueError,
        match=r"^resume: .* other data: training 9 there, 8 now; dead leaves 0\.5 there, 0\.0 now;",
    ):
        checkpoint.check_same_data({"data": data}, {"training": 8, "dead_leaves": 0.0})


def test_the_files_of_a_run_are_as_readable_as_others(tmp_path, prior):
    save(tmp_path, prior, 1)
    ordinary = tmp_path / "ordinary"
    ordinary.write_text("")
    assert {stat.S_IMODE(p.stat().st_mode) for p in tmp_path.iterdir()} == {
        stat.S_IMODE(ordinary.stat().st_mode)
    }
    with safe_open(tmp_path / "residual.safetensors", "pt") as file:
        names = set(file.keys()) - {"scale"}
        assert {file.get_tensor(name).dtype for name in names} == {torch.float16}
        assert file.metadata() == {"format": "pt"}
