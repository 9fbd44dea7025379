"""Training runs of a few steps: what they write, how they resume, what they refuse."""

import copy
import dataclasses
import errno
import functools
import itertools
import json
import shutil
import signal
from pathlib import Path

import pytest
import torch

from deqir_lite.device import fast_in_bfloat16
from deqir_lite.priors.files import STATE_FILE
from deqir_lite.priors.identity import prior_digest
from deqir_lite.priors.load import load_gaussian
from deqir_lite.priors.residual import ResidualPrior
from deqir_lite.training import trainer as module
from deqir_lite.training.checkpoint import load_state
from deqir_lite.training.data import TrainingData
from deqir_lite.training.photos import load_photos
from deqir_lite.training.recipe import Recipe
from deqir_lite.training.run import train_prior
from deqir_lite.training.trainer import Trainer
from deqir_lite.training.validation import LEVELS, validate, validation_crops

MINUTE = 60.0
PARTS = ("network", "averages", "optimizers", "generator", "scale", "spectrum")
FILES = {
    "README.md", "config.json", "residual.safetensors", "spectrum.safetensors", "training.pt",
    "training_log.json",
}  # fmt: skip


@pytest.fixture(autouse=True)
def _short_validation(monkeypatch):
    few = functools.partial(validation_crops, count=8)
    monkeypatch.setattr("deqir_lite.training.data.validation_crops", few)


def train(photo_folder, out, seconds, recipe, **options):
    options = {"show_progress": False, "data_note": "Synthetic waves, CC0.", **options}
    return train_prior(photo_folder, out, seconds / MINUTE, recipe=recipe, **options)


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
    assert [entry["step"] for entry in log["history"]] == [2, 5]
    assert set(log["history"][0]) == {
        "step", "crops", "minutes", "crops_per_second", "ema_decay", "loss",
        *(f"psnr_t{level}" for level in LEVELS),
    }  # fmt: skip
    # the clock's steps take a second each
    assert [entry["crops_per_second"] for entry in log["history"]] == [recipe.batch] * 2
    assert [entry["crops"] for entry in log["history"]] == [2 * recipe.batch, 5 * recipe.batch]
    assert log["began_with"] is None
    assert log["photos"] == {
        "training": 2, "held_out": 1, "dead_leaves": 0.0, "pixels": 40 * 32 + 24 * 48 + 32 * 32,
        "note": "Synthetic waves, CC0.",
    }  # fmt: skip
    assert log["crops"] == 5 * recipe.batch
    assert log["recipe"]["channels"] == [8, 16]
    assert log["parameters"] == sum(p.numel() for p in recipe.build_network().parameters())
    assert (out / "residual.safetensors").stat().st_size < 2.2 * log["parameters"] + 1e4


@pytest.mark.parametrize("better", [0, 1])
def test_the_exported_prior_is_the_average_that_validates_better(
    photo_folder, tmp_path, recipe, clock, monkeypatch, better
):
    two = dataclasses.replace(recipe, ema_decays=(0.1, 0.9))
    asked = []

    def validate_in_favour(prior, crops):
        asked.append(prior)
        return {"loss": float(len(asked) - 1 != better), "psnr_t20": 30.0}

    monkeypatch.setattr(module, "validate", validate_in_favour)
    out = train(photo_folder, tmp_path / "prior", 3, two)
    assert len(asked) == 2
    state, prior = load_state(out), ResidualPrior.load(out)
    decay = two.ema_decays[better]
    assert state["history"][-1]["ema_decay"] == decay
    assert f"decay {decay}: the best of 0.1, 0.9 in validation" in ((out / "README.md").read_text())
    assert torch.equal(prior.scale, state["scale"])
    assert prior_digest(prior, "") == prior_digest(asked[better], "")
    for name, value in prior.network.state_dict().items():
        torch.testing.assert_close(value, state["averages"][str(decay)][name], rtol=1e-3, atol=1e-6)
    for other in (state["network"], state["averages"][str(two.ema_decays[1 - better])]):
        exported = state["averages"][str(decay)]
        different = [k for k, v in other.items() if not torch.equal(v, exported[k])]
        assert len(different) > len(other) / 2
    x = torch.zeros(2, 3, 16, 32)
    assert torch.isfinite(prior(x, torch.tensor([0, 999]))).all()


@pytest.mark.parametrize(("dead_leaves", "final_crop"), [(0.0, 16), (0.5, 16), (0.0, 24)])
def test_an_interrupted_run_continues_as_if_nothing_had_happened(
    photo_folder, tmp_path, recipe, clock, monkeypatch, dead_leaves, final_crop
):
    """With another crop size in its last quarter, too."""
    recipe = dataclasses.replace(recipe, final_crop=final_crop)
    monkeypatch.setattr("deqir_lite.training.data.POOL", 4)
    monkeypatch.setattr("deqir_lite.training.data.STEPS_PER_PICTURE", 1)
    train(photo_folder, tmp_path / "whole", 4, recipe, dead_leaves=dead_leaves)
    clock.stop_after = clock.steps + 2
    with pytest.raises(KeyboardInterrupt):
        train(photo_folder, tmp_path / "parts", 4, recipe, dead_leaves=dead_leaves)
    assert load_state(tmp_path / "parts")["step"] == 2
    clock.stop_after = None
    train(photo_folder, tmp_path / "parts", 4, recipe, dead_leaves=dead_leaves, resume=True)
    whole, parts = load_state(tmp_path / "whole"), load_state(tmp_path / "parts")
    assert parts["step"] == whole["step"] == 4
    assert parts["crops"] == whole["crops"] == (16 if final_crop == 16 else 3 * 4 + 2)
    assert torch.equal(parts["scale"], whole["scale"])
    for name, value in whole["network"].items():
        assert torch.equal(parts["network"][name], value), name
    for decay, average in whole["averages"].items():
        for name, value in average.items():
            assert torch.equal(parts["averages"][decay][name], value), name


@pytest.mark.parametrize("moment", ["train_step", "judge", "state_dict"])
def test_an_interrupt_in_a_step_or_in_a_save_waits_for_its_end(
    photo_folder, tmp_path, recipe, clock, monkeypatch, moment
):
    """Ctrl-C as the terminal sends it, in the middle of the second step or of the last save."""
    usual, calls = getattr(Trainer, moment), []

    def interrupted(self, *arguments):
        calls.append(moment)
        if len(calls) == (2 if moment == "train_step" else 1):
            signal.raise_signal(signal.SIGINT)
        return usual(self, *arguments)

    monkeypatch.setattr(Trainer, moment, interrupted)
    out = tmp_path / "prior"
    with pytest.raises(KeyboardInterrupt):
        train(photo_folder, out, 3, recipe)
    assert {p.name for p in out.iterdir()} == FILES
    log = json.loads((out / "training_log.json").read_text())
    assert load_state(out)["step"] == log["history"][-1]["step"]
    assert log["history"][-1]["step"] == (2 if moment == "train_step" else 3)
    assert len(log["history"]) == 1


def test_a_full_disk_ends_the_run_and_keeps_what_was_saved(
    photo_folder, tmp_path, recipe, clock, monkeypatch
):
    out = train(photo_folder, tmp_path / "prior", 2, recipe)
    before = {p.name: p.read_bytes() for p in out.iterdir()}
    whole = Path.write_bytes

    def half(path, data):
        whole(path, data[: len(data) // 2])
        raise OSError(errno.ENOSPC, "No space left on device", str(path))

    monkeypatch.setattr(Path, "write_bytes", half)
    with pytest.raises(OSError, match="No space left"):
        train(photo_folder, out, 4, recipe, resume=True)
    assert {p.name: p.read_bytes() for p in out.iterdir()} == before


def full(*arguments, **options):
    raise RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: 99 GB")


def test_too_large_a_batch_names_itself_and_loses_nothing(
    photo_folder, tmp_path, recipe, clock, monkeypatch
):
    out = train(photo_folder, tmp_path / "prior", 2, recipe)
    before = {p.name: p.read_bytes() for p in out.iterdir()}

    with monkeypatch.context() as patch:
        patch.setattr(Trainer, "batch_loss", full)
        expected = (
            r"^batch: 4 crops of 16x16 pixels do not fit into memory; start or resume with a "
            r"smaller batch, such as 2$"
        )
        with pytest.raises(ValueError, match=expected):
            train(photo_folder, out, 4, recipe, resume=True)
    assert {p.name: p.read_bytes() for p in out.iterdir()} == before
    clock.running = False  # the step that failed was not timed to its end
    train(photo_folder, out, 4, dataclasses.replace(recipe, batch=2), resume=True)
    assert json.loads((out / "training_log.json").read_text())["crops"] == 2 * 4 + 2 * 2


def test_tiny_numbers_are_zero_in_a_step_and_themselves_afterwards(
    photo_folder, tmp_path, recipe, clock, monkeypatch
):
    tiny, seen, look = torch.tensor(1e-38), [], Trainer._finite_loss

    def looking(trainer):
        seen.append(float(tiny * 1e-2))
        return look(trainer)

    monkeypatch.setattr(Trainer, "_finite_loss", looking)
    train(photo_folder, tmp_path / "run", 2, recipe)
    assert seen
    assert not any(seen)
    assert float(tiny * 1e-2) > 0


@pytest.mark.parametrize("looked_at", [True, False])
def test_a_loss_that_is_not_finite_stops_the_run_and_keeps_the_checkpoint(
    photo_folder, tmp_path, recipe, clock, monkeypatch, looked_at
):
    """Also when nobody looks at the loss before the run is over."""
    out = train(photo_folder, tmp_path / "run", 2, recipe)
    before = {p.name: p.read_bytes() for p in out.iterdir()}

    def bad(self, x0, eps, t):
        return sum(p.sum() for p in self.network.parameters()) * float("nan")

    monkeypatch.setattr(Trainer, "batch_loss", bad)
    if not looked_at:
        monkeypatch.setattr(Trainer, "_finite_loss", lambda self: 0.0)
    with pytest.raises(ValueError, match="loss: became nan by step"):
        train(photo_folder, out, 4, recipe, resume=True)
    assert {p.name: p.read_bytes() for p in out.iterdir()} == before


def test_resuming_with_another_recipe_is_refused(photo_folder, tmp_path, recipe, clock):
    out = train(photo_folder, tmp_path / "prior", 1, recipe)
    before = {p.name: p.read_bytes() for p in out.iterdir()}
    other = dataclasses.replace(recipe, channels=(16, 16), seed=1)
    with pytest.raises(ValueError, match=r"^resume: .* another channels, seed; use the same"):
        train(photo_folder, out, 5, other, resume=True)
    assert {p.name: p.read_bytes() for p in out.iterdir()} == before


def test_resuming_with_other_data_is_refused(photo_folder, tmp_path, recipe, clock, monkeypatch):
    monkeypatch.setattr("deqir_lite.training.data.POOL", 4)
    out = train(photo_folder, tmp_path / "prior", 1, recipe)
    before = {p.name: p.read_bytes() for p in out.iterdir()}
    with pytest.raises(ValueError, match=r"^resume: .* dead leaves 0\.0 there, 0\.5 now; use"):
        train(photo_folder, out, 2, recipe, resume=True, dead_leaves=0.5)
    fewer = tmp_path / "fewer"
    shutil.copytree(photo_folder, fewer)
    (fewer / "a.png").unlink()
    with pytest.raises(ValueError, match=r"^resume: .* training 2 there, 1 now; pixels 3456 there"):
        train(fewer, out, 2, recipe, resume=True)
    assert {p.name: p.read_bytes() for p in out.iterdir()} == before


def test_a_checkpoint_that_does_not_tell_its_data_is_resumed(photo_folder, tmp_path, recipe, clock):
    out = train(photo_folder, tmp_path / "prior", 1, recipe)
    state = load_state(out)
    del state["data"]
    torch.save(state, out / STATE_FILE)
    train(photo_folder, out, 2, recipe, resume=True)
    assert load_state(out)["data"]["training"] == 2


def test_without_a_recipe_a_run_goes_on_with_its_own(photo_folder, tmp_path, recipe, clock):
    """So a run of a GPU, whose default recipe is another one, goes on on a processor."""
    own = dataclasses.replace(recipe, warmup=7, muon_lr=1e-3, seed=3, ema_decays=(0.5, 0.7))
    out = train(photo_folder, tmp_path / "prior", 1, own)
    state = load_state(out) | {"device": "cuda", "generator": torch.zeros(16, dtype=torch.uint8)}
    torch.save(state, out / STATE_FILE)
    train(photo_folder, out, 2, None, resume=True, seed=3)
    assert Recipe(**load_state(out)["recipe"]) == own
    train(photo_folder, out, 3, None, resume=True, batch=2)
    assert Recipe(**load_state(out)["recipe"]) == dataclasses.replace(own, batch=2)
    assert "| steps | 3, with 10 crops; batch 2 at the end |" in (out / "README.md").read_text()
    with pytest.raises(ValueError, match=r"^seed: got 0, but the run to resume has the seed 3; "):
        train(photo_folder, out, 4, None, resume=True, seed=0)


@pytest.mark.parametrize("stored", [{"channels": (16, 32), "colour": 3}, 7, {"channels": (0,)}])
def test_a_recipe_of_another_version(photo_folder, tmp_path, recipe, clock, stored):
    out = train(photo_folder, tmp_path / "prior", 1, recipe)
    torch.save(load_state(out) | {"recipe": stored}, out / STATE_FILE)
    with pytest.raises(ValueError, match=r"^resume: [^\n]*recipe[^\n]*$"):
        train(photo_folder, out, 2, None, resume=True)


def test_a_validation_that_does_not_fit_into_memory_loses_nothing(
    photo_folder, tmp_path, recipe, clock, monkeypatch
):
    out = train(photo_folder, tmp_path / "prior", 2, recipe)
    before = {p.name: p.read_bytes() for p in out.iterdir()}

    monkeypatch.setattr(module, "validate", full)
    with pytest.raises(ValueError, match=r"^validation: 4 crops at once [^\n]* such as 2$"):
        train(photo_folder, out, 4, recipe, resume=True)
    assert {p.name: p.read_bytes() for p in out.iterdir()} == before


def test_validation_takes_no_more_crops_at_once_than_a_step(photo_folder, recipe):
    trainer = Trainer(recipe, TrainingData(load_photos(photo_folder, minimum=16), 16))
    assert trainer.averaged_prior(0.9).max_batch == recipe.batch < len(trainer.data.validation)


@pytest.mark.parametrize(
    "part", ["network", "averages", "optimizers", "generator", "scale", "spectrum"]
)
def test_a_checkpoint_that_does_not_fit_its_own_recipe(photo_folder, tmp_path, recipe, clock, part):
    out = train(photo_folder, tmp_path / "prior", 1, recipe)
    state = load_state(out)
    state[part] = {"network": {"w": torch.ones(1)}, "averages": {"0.5": {}}, "optimizers": [{}],
                   "generator": torch.zeros(3, dtype=torch.uint8), "scale": 3,
                   "spectrum": {"mean": torch.zeros(3)}}[part]  # fmt: skip
    torch.save(state, out / STATE_FILE)
    with pytest.raises(ValueError, match=r"^resume: [^\n]* another architecture [^\n]*$"):
        train(photo_folder, out, 5, recipe, resume=True)


def test_a_run_of_another_device_goes_on_with_new_random_numbers(
    photo_folder, tmp_path, recipe, clock
):
    out = train(photo_folder, tmp_path / "prior", 1, recipe)
    state = load_state(out) | {"device": "cuda", "generator": torch.zeros(16, dtype=torch.uint8)}
    torch.save(state, out / STATE_FILE)
    train(photo_folder, out, 2, recipe, resume=True)
    assert load_state(out)["step"] == 2
    assert load_state(out)["device"] == "cpu"


def test_a_checkpoint_that_holds_no_spectrum_has_the_bundled_one(
    photo_folder, tmp_path, recipe, clock
):
    """So did all runs, and e(t) was in double precision."""
    out = train(photo_folder, tmp_path / "prior", 1, recipe)
    state = load_state(out)
    del state["spectrum"]
    torch.save(state | {"scale": state["scale"].double()}, out / STATE_FILE)
    train(photo_folder, out, 2, recipe, resume=True)
    assert torch.equal(load_state(out)["scale"], state["scale"])
    assert torch.equal(load_state(out)["spectrum"]["mean"], load_gaussian().spectrum.mean)


def test_the_data_note_survives_a_resume_without_one(photo_folder, tmp_path, recipe, clock):
    out = train(photo_folder, tmp_path / "prior", 1, recipe)
    train(photo_folder, out, 2, recipe, resume=True, data_note="")
    assert "Synthetic waves, CC0." in (out / "README.md").read_text()
    train(photo_folder, out, 3, recipe, resume=True, data_note="Other waves.")
    assert "Other waves." in (out / "README.md").read_text()


def test_dead_leaves_train_without_photos(tmp_path, recipe, clock, monkeypatch):
    monkeypatch.setattr("deqir_lite.training.data.POOL", 4)
    out = train(None, tmp_path / "prior", 2, recipe, dead_leaves=1.0, data_note="")
    card = (out / "README.md").read_text()
    assert "| dead leaves | 100% of the crops" in card
    assert "No photo was trained on" in card
    assert ResidualPrior.load(out).size_divisor == 4


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
            train_prior(photo_folder, out, minutes, recipe=recipe)
    with pytest.raises(FileNotFoundError, match=r"^photos: no folder"):
        train_prior(tmp_path / "gone", out, 1, recipe=recipe)
    with pytest.raises(ValueError, match=r"^photos: .* no usable photo"):
        train_prior(tmp_path / "empty", out, 1, recipe=recipe)
    with pytest.raises(FileNotFoundError, match=rf"^resume: .* holds no {STATE_FILE}"):
        train_prior(photo_folder, out, 1, recipe=recipe, resume=True)
    with pytest.raises(ValueError, match=r"^photos: got none; expected a folder, or a share"):
        train_prior(None, out, 1, recipe=recipe, dead_leaves=0.5)
    assert not out.exists()


def test_training_learns(photo_folder, recipe):
    """F begins at zero, and the prior at the Gaussian one."""
    quick = dataclasses.replace(recipe, muon_lr=0.02, adam_lr=3e-3, warmup=1, batch=16)
    trainer = Trainer(quick, TrainingData(load_photos(photo_folder, minimum=16), 16))
    before = trainer.judge()
    gaussian = validate(trainer.gaussian, trainer.data.validation)
    assert before["loss"] == pytest.approx(gaussian["loss"], rel=1e-4)
    for _ in range(60):
        trainer.train_step(0.0)
        assert 0 < trainer.loss < 3
    after = trainer.judge()
    assert after["loss"] < 0.9 * before["loss"]
    # where nearly all is noise, there is little to gain beyond the Gaussian prior
    assert all(after[f"psnr_t{t}"] > before[f"psnr_t{t}"] + 0.2 for t in LEVELS if t < 750)


def test_the_loss_is_the_error_of_the_prior_over_that_of_the_gaussian_one(photo_folder, recipe):
    trainer = Trainer(recipe, TrainingData(load_photos(photo_folder, minimum=16), 16))
    torch.nn.init.normal_(trainer.network.output.weight, std=0.1)
    prior = ResidualPrior(trainer.gaussian, copy.deepcopy(trainer.network), trainer.scale)
    x0, eps = torch.randn(2, 5, 3, 16, 16, generator=torch.Generator().manual_seed(0))
    t = torch.tensor([0, 50, 300, 700, 999])
    signal, noise = prior.schedule.at(t, x0)
    errors = (prior.denoise(signal * x0 + noise * eps, t) - x0).square().mean(dim=(1, 2, 3))
    expected = (errors / trainer.scale[t].square()).mean()
    precision = {"rtol": 0.05, "atol": 0.0} if fast_in_bfloat16("cpu") else {}
    torch.testing.assert_close(trainer.batch_loss(x0, eps, t), expected, **precision)


def test_rates_of_both_optimisers_follow_the_recipe(photo_folder, recipe):
    trainer = Trainer(recipe, TrainingData(load_photos(photo_folder, minimum=16), 16))
    rates = []
    for progress in (0.0, 0.0, 0.5, 0.875, 1.0):
        before = [p.clone() for p in trainer.network.parameters()]
        trainer.train_step(progress)
        rates.append([o.param_groups[0]["lr"] for o in trainer.optimizers])
    factors = [0.5, 1.0, 1.0, 0.5, 0.0]
    assert rates == [[f * recipe.muon_lr, f * recipe.adam_lr] for f in factors]
    assert all(
        torch.equal(*pair) for pair in zip(before, trainer.network.parameters(), strict=True)
    )


def test_another_clock_counts_the_steps(photo_folder, recipe):
    trainer = Trainer(recipe, TrainingData(load_photos(photo_folder, minimum=16), 16))
    ticks = itertools.count()
    trainer.train(3 / MINUTE, show_progress=False, clock=lambda: float(next(ticks)))
    assert (trainer.step, trainer.seconds) == (3, 3.0)
    assert trainer.history[-1]["crops_per_second"] == recipe.batch


def test_making_a_trainer_leaves_the_global_random_numbers_alone(photo_folder, recipe):
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    Trainer(recipe, TrainingData(load_photos(photo_folder, minimum=16), 16))
    assert torch.equal(torch.rand(3), expected)


def test_progress_bar_counts_seconds(photo_folder, tmp_path, recipe, clock, capsys):
    train(photo_folder, tmp_path / "prior", 3, recipe, show_progress=True)
    shown = capsys.readouterr().err
    assert "3/3" in shown
    assert "loss=" in shown
