"""Training for one task, and of a GAN: the loop of the priors with other steps."""

import dataclasses
import json

import pytest
import torch

from deqir_lite.gan import PhotoGAN
from deqir_lite.operators import make_task
from deqir_lite.priors.files import LOG_FILE
from deqir_lite.supervised import Palette, RegressionNetwork
from deqir_lite.training import supervised
from deqir_lite.training.checkpoint import load_state
from deqir_lite.training.data import TrainingData
from deqir_lite.training.gan import GanRecipe, GanTrainer
from deqir_lite.training.photos import load_photos
from deqir_lite.training.run import train_prior
from deqir_lite.training.supervised import TaskRecipe, TaskTrainer

SMALL = {"channels": (8, 16), "blocks": 1, "crop": 16, "final_crop": 16, "batch": 4, "warmup": 2}
RECIPES = {
    "regression": TaskRecipe(**SMALL),
    "palette": TaskRecipe(kind="palette", task="inpaint-random", **SMALL),
    "gan": GanRecipe(widths=(12, 8), latent=4, crop=16, batch=4, r1_every=2),
}
LOADERS = {"regression": RegressionNetwork, "palette": Palette, "gan": PhotoGAN}


def train(photo_folder, out, seconds, recipe, **options):
    return train_prior(
        photo_folder, out, seconds / 60, kind=recipe.kind, recipe=recipe, show_progress=False,
        **options,
    )  # fmt: skip


def trainer_of(photo_folder, recipe, **options):
    data = TrainingData(load_photos(photo_folder, minimum=recipe.crop), recipe.crop)
    made = GanTrainer if recipe.kind == "gan" else TaskTrainer
    return made(recipe, data, **options)


@pytest.mark.parametrize("kind", RECIPES)
def test_a_run_writes_its_folder_and_goes_on_as_if_nothing_had_happened(
    photo_folder, tmp_path, clock, kind
):
    recipe = RECIPES[kind]
    whole = train(photo_folder, tmp_path / "whole", 5, recipe, data_note="Waves.")
    clock.stop_after = clock.steps + 2
    with pytest.raises(KeyboardInterrupt):
        train(photo_folder, tmp_path / "parts", 5, recipe)
    clock.stop_after = None
    assert load_state(tmp_path / "parts")["step"] == 2
    parts = train(photo_folder, tmp_path / "parts", 5, recipe, resume=True)
    one, other = load_state(whole), load_state(parts)
    assert one["step"] == other["step"] == 5
    for name, value in one["network"].items():
        assert torch.equal(other["network"][name], value), name
    for decay, average in one["averages"].items():
        for name, value in average.items():
            assert torch.equal(other["averages"][decay][name], value), name
    log = json.loads((whole / LOG_FILE).read_text())
    assert log["recipe"]["kind"] == kind
    assert log["photos"]["note"] == "Waves."
    assert [entry["step"] for entry in log["history"]] == [5]
    made = LOADERS[kind].load(whole)
    assert getattr(made, "task", None) == getattr(recipe, "task", None)
    assert not (whole / "README.md").exists()


def test_a_regression_learns_one_photo_by_heart(photo_folder):
    """In sixty steps it is 6 dB better than A^+ y, on which it begins."""
    quick = dataclasses.replace(
        RECIPES["regression"], muon_lr=0.02, adam_lr=3e-3, ema_decays=(0.9,), channels=(16, 32)
    )
    trainer = trainer_of(photo_folder, quick)
    one = trainer.data.validation[:1]
    trainer.data.draw = lambda *arguments: one.repeat(4, 1, 1, 1)
    trainer.data.validation = one
    operator = make_task("sr4", (16, 16))
    mse = float((operator.pinv(operator.A(one)) - one).square().mean())
    before = trainer.validations()[0.9]
    assert 10 ** (-before["psnr_restored"] / 10) * 4 == pytest.approx(mse, rel=1e-4)
    for _ in range(60):
        trainer.train_step(0.0)
    after = trainer.validations()[0.9]
    assert after["psnr_restored"] > before["psnr_restored"] + 6


def test_a_palette_begins_as_the_prior_and_learns_to_look_at_y(photo_folder, make_prior):
    recipe, prior = RECIPES["palette"], make_prior()
    trainer = trainer_of(photo_folder, recipe, init=prior)
    x, t = trainer.data.validation[:2], torch.tensor([50, 600])
    begun = trainer.export(0.99).given(-x)
    torch.testing.assert_close(begun(x, t), prior(x, t))
    assert trainer.began_with is not None
    for _ in range(3):
        trainer.train_step(0.0)
    assert trainer.network.input.weight[:, 12:].abs().max().item() > 0
    made = trainer.export(0.99)
    assert not torch.allclose(made.given(-x)(x, t), made.given(x)(x, t))


def test_each_step_has_its_own_mask_and_a_resumed_run_the_same(photo_folder):
    trainer = trainer_of(photo_folder, RECIPES["palette"])
    x, seen = torch.ones(2, 3, 16, 16), []
    for step in (0, 1, 0):
        trainer.step = step
        seen.append(trainer.seen(x, x)[:, 3:])
    assert torch.equal(seen[0], seen[2])
    assert not torch.equal(seen[0], seen[1])
    assert supervised.VALIDATION_SEED == 0, "no step has the mask that photos are judged with"


def test_a_gan_learns_and_is_judged(photo_folder):
    trainer = trainer_of(photo_folder, RECIPES["gan"])
    before = trainer.validations()
    for _ in range(20):
        trainer.train_step(0.0)
    assert torch.isfinite(trainer.loss)
    (decay,) = before
    after = trainer.validations()[decay]
    assert set(after) == {"loss", "loss_generator"}
    assert after != before[decay]
    assert all(p.requires_grad for p in trainer.network.parameters())
    assert trainer.log()["parameters"] < sum(p.numel() for p in trainer.network.parameters())


def test_what_does_not_belong_to_a_kind_is_refused(photo_folder, tmp_path, clock):
    out = tmp_path / "out"
    for options, message in (
        (
            {"kind": "bogus"},
            r"^kind: unknown value 'bogus'; known: prior, regression, palette, gan",
        ),
        ({"kind": "gan", "task": "sr4"}, r"^task: got 'sr4', but a gan is trained for no task"),
        ({"task": "sr4"}, r"^task: got 'sr4', but a prior is trained for no task; leave it out$"),
        ({"kind": "palette"}, r"^task: got none; a palette is trained for one task, such as sr4"),
        ({"kind": "regression", "task": "sr3"}, r"^task: unknown value 'sr3'; known: sr2"),
        ({"kind": "gan", "init": "x"}, r"^init: a gan begins with random weights; leave init out"),
    ):
        with pytest.raises(ValueError, match=message):
            train_prior(photo_folder, out, 1, show_progress=False, **options)
    assert not out.exists()
    train(photo_folder, out, 1, RECIPES["palette"])
    for options, message in (
        ({"kind": "regression"}, r"^kind: got regression, but the run to resume is that of a pal"),
        ({}, r"^kind: got prior, but the run to resume is that of a palette$"),
        ({"kind": "palette", "task": "sr4"}, r"^task: got sr4, but the run to resume has the task"),
    ):
        with pytest.raises(ValueError, match=message):
            train_prior(photo_folder, out, 2, resume=True, show_progress=False, **options)
    train_prior(photo_folder, out, 2 / 60, kind="palette", resume=True, show_progress=False)
    assert load_state(out)["step"] == 2
