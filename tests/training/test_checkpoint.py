"""Checkpoints and exports are whole or not there."""

import os
import stat

import pytest
import torch
from safetensors import safe_open

from deqir_lite.priors.network import NetworkPrior
from deqir_lite.training import checkpoint

STATE = {
    "recipe": {"seed": 0}, "unet": {"w": torch.ones(2)}, "average": {}, "optimizer": {},
    "generator": torch.Generator().get_state(), "step": 3, "seconds": 1.5, "history": [],
}  # fmt: skip


def test_state_is_read_back(tmp_path):
    checkpoint.save_state(tmp_path, STATE)
    loaded = checkpoint.load_state(tmp_path)
    assert loaded["step"] == 3
    assert torch.equal(loaded["unet"]["w"], torch.ones(2))
    assert os.listdir(tmp_path) == [checkpoint.STATE_FILE]


def test_a_writer_that_raises_leaves_the_old_checkpoint(tmp_path, monkeypatch):
    checkpoint.save_state(tmp_path, STATE)

    def half(state, path):
        path.write_bytes(b"half")
        raise OSError("disk full")

    monkeypatch.setattr(torch, "save", half)
    with pytest.raises(OSError, match="disk full"):
        checkpoint.save_state(tmp_path, {**STATE, "step": 4})
    monkeypatch.undo()
    assert checkpoint.load_state(tmp_path)["step"] == 3
    assert os.listdir(tmp_path) == [checkpoint.STATE_FILE]


def test_missing_and_corrupt_checkpoints(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"^resume: .* holds no training\.pt$"):
        checkpoint.load_state(tmp_path)
    checkpoint.save_state(tmp_path, STATE)
    path = tmp_path / checkpoint.STATE_FILE
    whole = path.read_bytes()
    for content in (b"", b"garbage", whole[:-200]):
        path.write_bytes(content)
        with pytest.raises(ValueError, match=r"^resume: [^\n]* is corrupt [^\n]*$"):
            checkpoint.load_state(tmp_path)
    for other in ([1, 2], {"step": 1}):
        torch.save(other, path)
        with pytest.raises(ValueError, match=r"^resume: .* is no checkpoint of a training run$"):
            checkpoint.load_state(tmp_path)


def test_exported_prior_is_a_half_precision_diffusers_folder(tmp_path, recipe):
    unet = recipe.build_unet()
    checkpoint.export_prior(tmp_path, unet, unet.state_dict())
    checkpoint.export_scheduler(tmp_path, 1000)
    assert sorted(os.listdir(tmp_path)) == [
        "config.json", "diffusion_pytorch_model.safetensors", "scheduler_config.json",
    ]  # fmt: skip
    ordinary = tmp_path / "ordinary"
    ordinary.write_text("")
    assert {stat.S_IMODE(p.stat().st_mode) for p in tmp_path.iterdir()} == {
        stat.S_IMODE(ordinary.stat().st_mode)
    }
    with safe_open(tmp_path / "diffusion_pytorch_model.safetensors", "pt") as file:
        assert {file.get_tensor(name).dtype for name in file.keys()} == {torch.float16}  # noqa: SIM118
        assert file.metadata() == {"format": "pt"}
    prior = NetworkPrior.load(tmp_path)
    assert (prior.prediction_type, prior.patch) == ("v_prediction", 2)
    assert torch.equal(prior.schedule.alpha_bar, recipe.schedule.alpha_bar)
    for name, value in prior.unet.state_dict().items():
        torch.testing.assert_close(value, unet.state_dict()[name], rtol=1e-3, atol=1e-6)
