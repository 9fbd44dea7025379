"""Training runs of a few steps: what they write, how they resume, what they refuse."""

import dataclasses
import json

import pytest
import torch

from deqir_lite.priors import GaussianPrior, ModelPrior, power_law_spectrum
from deqir_lite.priors.network import NetworkPrior
from deqir_lite.training.checkpoint import STATE_FILE, load_state
from deqir_lite.training.photos import load_photos
from deqir_lite.training.trainer import Trainer, train_prior
from deqir_lite.training.validation import LEVELS, validate, validation_crops

MINUTE = 60.0
FILES = {
    "README.md", "config.json", "diffusion_pytorch_model.safetensors", "scheduler_config.json",
    "training.pt", "training_log.json",
}  # fmt: skip


def train(photo_folder, out, seconds, recipe, **options):
    options = {"show_progress": False, "data_note": "Synthetic waves, CC0.", **options}
    return train_prior(photo_folder, out, seconds / MINUTE, recipe, **options)


def test_a_run_writes_all_files_and_can_be_resumed(photo_folder, tmp_path, recipe, clock):
    out = tmp_path / "new" / "prior"
    assert train(photo_folder, out, 2, recipe) == out
    assert {p.name for p in out.iterdir()} == FILES
    first = load_state(out)
    assert (first["step"], first["seconds"]) == (2, 2.0)

    train(photo_folder, out, 5, recipe, resume=True)  # three of the five seconds are left
    second = load_state(out)
    assert (second["step"], second["seconds"], clock.steps) == (5, 5.0, 5)
    train(photo_folder, out, 5, recipe, resume=True)  # the time is used up
    assert load_state(out)["step"] == 5

    log = json.loads((out / "training_log.json").read_text())
    assert [entry["step"] for entry in log] == [2, 5, 5]
    assert set(log[0]) == {"step", "minutes", "loss", *(f"psnr_t{level}" for level in LEVELS)}
    assert (out / "diffusion_pytorch_model.safetensors").stat().st_size < 1e6


def test_the_exported_prior_is_the_average_of_the_weights(photo_folder, tmp_path, recipe, clock):
    out = train(photo_folder, tmp_path / "prior", 3, recipe)
    state, prior = load_state(out), NetworkPrior.load(out)
    assert prior.prediction_type == "v_prediction"
    for name, value in prior.unet.state_dict().items():
        torch.testing.assert_close(value, state["average"][name], rtol=1e-3, atol=1e-6)
    different = [k for k, v in state["unet"].items() if not torch.equal(v, state["average"][k])]
    assert len(different) > len(state["unet"]) / 2
    x = torch.zeros(2, 3, 16, 32)
    assert torch.isfinite(prior(x, torch.tensor([0, 999]))).all()


def test_an_interrupted_run_continues_as_if_nothing_had_happened(
    photo_folder, tmp_path, recipe, clock
):
    train(photo_folder, tmp_path / "whole", 4, recipe)
    clock.stop_after = clock.steps + 2
    with pytest.raises(KeyboardInterrupt):
        train(photo_folder, tmp_path / "parts", 4, recipe)
    assert load_state(tmp_path / "parts")["step"] == 2
    clock.stop_after = None
    train(photo_folder, tmp_path / "parts", 4, recipe, resume=True)
    whole, parts = load_state(tmp_path / "whole"), load_state(tmp_path / "parts")
    assert parts["step"] == whole["step"] == 4
    for key in ("unet", "average"):
        for name, value in whole[key].items():
            assert torch.equal(parts[key][name], value), name


def test_a_loss_that_is_not_finite_stops_the_run_and_keeps_the_checkpoint(
    photo_folder, tmp_path, recipe, clock, monkeypatch
):
    train(photo_folder, tmp_path / "run", 2, recipe)
    before = load_state(tmp_path / "run")["step"]
    monkeypatch.setattr(Trainer, "train_step", lambda self, progress: float("nan"))
    with pytest.raises(ValueError, match="loss: became nan"):
        train(photo_folder, tmp_path / "run", 4, recipe, resume=True)
    assert load_state(tmp_path / "run")["step"] == before


def test_model_card_tells_where_the_prior_comes_from(photo_folder, tmp_path, recipe, clock):
    card = (train(photo_folder, tmp_path / "prior", 2, recipe) / "README.md").read_text()
    for heading in ("# Photo prior", "## Training", "## Validation", "## What it is not good for"):
        assert heading in card
    for fact in (
        "0.2 million", "16, 32", "2 photos", "16x16", "1 more held out", "2 of batch 4 (8 crops)",
        "linear, 1000 steps", "Synthetic waves, CC0.", "threads", "0.998", "float16",
    ):  # fmt: skip
        assert fact in card, fact
    assert "{" not in card.replace("x_{0|t}", "")
    table = [line for line in card.splitlines() if line.startswith("| PSNR |")]
    assert len(table[0].split("|")) == len(LEVELS) + 3
    unknown = train(photo_folder, tmp_path / "second", 1, recipe, data_note="")
    assert "licence was not stated" in (unknown / "README.md").read_text()


def test_resuming_with_another_recipe_is_refused(photo_folder, tmp_path, recipe, clock):
    out = train(photo_folder, tmp_path / "prior", 1, recipe)
    before = {p.name: p.read_bytes() for p in out.iterdir()}
    other = dataclasses.replace(recipe, channels=(32, 32), seed=1)
    with pytest.raises(ValueError, match=r"^resume: .* another channels, seed; use the same"):
        train(photo_folder, out, 5, other, resume=True)
    assert {p.name: p.read_bytes() for p in out.iterdir()} == before


def test_an_existing_run_is_not_overwritten(photo_folder, tmp_path, recipe, clock):
    out = train(photo_folder, tmp_path / "prior", 1, recipe)
    with pytest.raises(FileExistsError, match=r"^out: .* holds a training run; resume it"):
        train(photo_folder, out, 5, recipe)
    assert load_state(out)["step"] == 1


def test_refusals_before_anything_is_written(photo_folder, tmp_path, recipe):
    out = tmp_path / "prior"
    (tmp_path / "empty").mkdir()
    for minutes in (0, -1, float("nan")):
        with pytest.raises(ValueError, match=r"^minutes: got .*expected a number > 0"):
            train_prior(photo_folder, out, minutes, recipe)
    with pytest.raises(FileNotFoundError, match=r"^photos: no folder"):
        train_prior(tmp_path / "gone", out, 1, recipe)
    with pytest.raises(ValueError, match=r"^photos: .* no usable photo"):
        train_prior(tmp_path / "empty", out, 1, recipe)
    with pytest.raises(FileNotFoundError, match=rf"^resume: .* holds no {STATE_FILE}"):
        train_prior(photo_folder, out, 1, recipe, resume=True)
    assert not out.exists()


def test_training_learns(photo_folder, tmp_path, recipe):
    quick = dataclasses.replace(recipe, peak_lr=3e-3, warmup=1, batch=16)
    trainer = Trainer(quick, load_photos(photo_folder, 16), tmp_path, torch.device("cpu"))
    before = validate(trainer.averaged_prior(), trainer.crops)
    losses = [trainer.train_step(0.0) for _ in range(40)]
    assert all(0 < loss < 3 for loss in losses)
    after = validate(trainer.averaged_prior(), trainer.crops)
    assert after["loss"] < 0.85 * before["loss"]
    assert all(after[f"psnr_t{level}"] > before[f"psnr_t{level}"] for level in LEVELS)


def test_progress_bar_counts_seconds(photo_folder, tmp_path, recipe, clock, capsys):
    train(photo_folder, tmp_path / "prior", 3, recipe, show_progress=True)
    shown = capsys.readouterr().err
    assert "3/3" in shown
    assert "loss=" in shown


def test_validation_is_the_same_at_every_call_and_judges_the_one_step_denoiser(photo_folder):
    photos = load_photos(photo_folder, 16)
    crops = validation_crops(photos, 16, count=8)
    assert torch.equal(crops, validation_crops(photos, 16, count=8))
    gaussian = GaussianPrior(power_law_spectrum(size=16))
    scores = validate(gaussian, crops)
    assert scores == validate(gaussian, crops)
    levels = [scores[f"psnr_t{level}"] for level in LEVELS]
    assert levels == sorted(levels, reverse=True)  # less noise is easier

    asked = []

    def wrong_by_a_tenth(x_t, t):
        asked.append(int(t[0]))
        return (crops + 0.1).clamp(-1, 1)

    oracle = ModelPrior(wrong_by_a_tenth, gaussian.schedule, "sample")
    got = validate(oracle, crops)
    assert asked == list(LEVELS)
    mse = ((crops + 0.1).clamp(-1, 1) - crops).square().mean(dim=(1, 2, 3))
    expected = float((10 * (4 / mse).log10()).mean())
    for level in LEVELS:
        assert abs(got[f"psnr_t{level}"] - expected) < 0.02
    # an error e of x_0 makes v off by e / sqrt(1 - abar)
    alpha_bar = gaussian.schedule.alpha_bar[list(LEVELS)]
    assert abs(got["loss"] / float((mse.mean() / (1 - alpha_bar)).mean()) - 1) < 1e-3
