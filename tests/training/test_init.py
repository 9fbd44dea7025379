"""A run that begins with the weights of another prior."""

import dataclasses
import json

import pytest
import torch
from typer.testing import CliRunner

from deqir_lite import load_prior
from deqir_lite._files import write_together
from deqir_lite.bundled import data_path
from deqir_lite.cli import app
from deqir_lite.priors import GaussianPrior, fit_spectrum
from deqir_lite.priors.identity import prior_digest
from deqir_lite.priors.residual import ResidualPrior
from deqir_lite.training.checkpoint import load_state
from deqir_lite.training.data import TrainingData
from deqir_lite.training.photos import load_photos
from deqir_lite.training.recipe import Recipe
from deqir_lite.training.run import train_prior
from deqir_lite.training.trainer import Trainer


def train(photo_folder, out, seconds, recipe, **options):
    return train_prior(
        photo_folder, out, seconds / 60, recipe=recipe, show_progress=False, **options
    )


def log_of(folder):
    return json.loads((folder / "training_log.json").read_text())


def test_a_run_begins_with_the_prior_as_it_is(photo_folder, recipe, make_prior):
    """Its weights, its e(t), and its Gaussian part, which need not be the bundled one."""
    photos = torch.rand(20, 3, 8, 8, generator=torch.Generator().manual_seed(0)) * 2 - 1
    gaussian = GaussianPrior(fit_spectrum(photos), schedule=recipe.schedule)
    prior = ResidualPrior(gaussian, make_prior().network, make_prior().scale)
    data = TrainingData(load_photos(photo_folder, minimum=16), 16)
    trainer = Trainer(recipe, data, init=prior)
    digest = prior_digest(prior, "")
    assert trainer.began_with == {"digest": digest}
    assert prior_digest(trainer.averaged_prior(0.9), "") == digest
    trainer.train_step(0.0)
    assert prior_digest(trainer.averaged_prior(0.9), "") != digest
    assert prior_digest(prior, "") == digest
    resumed = Trainer(recipe, data)
    resumed.load_state_dict(trainer.state_dict())
    assert torch.equal(resumed.gaussian.spectrum.covariance, gaussian.spectrum.covariance)
    now = [prior_digest(one.averaged_prior(0.9), "") for one in (trainer, resumed)]
    assert now[0] == now[1]


def test_what_came_before_is_told_and_survives_a_resume(photo_folder, tmp_path, recipe, clock):
    first = train(photo_folder, tmp_path / "first", 2, recipe)
    second = train(photo_folder, tmp_path / "second", 3, recipe, init=first)
    expected = {"digest": prior_digest(ResidualPrior.load(first), ""), "crops": 8,
                "minutes": 2 / 60}  # fmt: skip
    assert log_of(second)["began_with"] == load_state(second)["began_with"] == expected
    assert (load_state(second)["step"], log_of(second)["crops"]) == (3, 12)
    train(photo_folder, second, 4, recipe, resume=True)
    assert log_of(second)["began_with"] == expected
    told = f"the weights of the prior {expected['digest']}, which had seen 8 crops |"
    assert told in (second / "README.md").read_text()
    third = train(photo_folder, tmp_path / "third", 1, recipe, init=second)
    assert log_of(third)["began_with"]["crops"] == 8 + 16
    assert log_of(third)["began_with"]["minutes"] == pytest.approx(6 / 60)
    (third / "training_log.json").unlink()
    fourth = train(photo_folder, tmp_path / "fourth", 1, recipe, init=third)
    assert set(log_of(fourth)["began_with"]) == {"digest"}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"channels": (8, 24)}, r"channels \(8, 16\) there, \(8, 24\) in the recipe$"),
        ({"blocks": 2, "patch": 1}, "blocks 1 there, 2 in the recipe; patch 2 there, 1 in the rec"),
        ({"num_train_timesteps": 1200}, "num_train_timesteps 1000 there, 1200 in the recipe$"),
    ],
)
def test_another_architecture_is_refused(
    photo_folder, tmp_path, recipe, make_prior, changes, message
):
    write_together(tmp_path, make_prior().files())
    other = dataclasses.replace(recipe, **changes)
    with pytest.raises(ValueError, match=f"^init: the prior has another architecture: {message}"):
        train(photo_folder, tmp_path / "out", 1, other, init=tmp_path)
    assert not (tmp_path / "out").exists()


def test_what_is_no_prior_of_the_trainer_is_refused(photo_folder, tmp_path, recipe):
    (tmp_path / "diffusers").mkdir()
    (tmp_path / "diffusers" / "config.json").write_text('{"_class_name": "UNet2DModel"}')
    (tmp_path / "empty").mkdir()
    for folder, error, message in [
        (tmp_path / "diffusers", ValueError, "holds a UNet2DModel, not a ResidualPrior"),
        (data_path("priors") / "gaussian", ValueError, "holds a Gaussian photo prior, not a Res"),
        (tmp_path / "empty", FileNotFoundError, r"holds no config\.json"),
        (tmp_path / "gone", FileNotFoundError, r"^prior: no folder \S*gone"),
    ]:
        with pytest.raises(error, match=message):
            train(photo_folder, tmp_path / "out", 1, recipe, init=folder)
    with pytest.raises(ValueError, match="^init: a resumed run goes on with its own weights; lea"):
        train(photo_folder, tmp_path / "out", 1, recipe, init=tmp_path, resume=True)
    assert not (tmp_path / "out").exists()


def test_the_option_of_the_command(photo_folder, tmp_path, recipe, make_prior, monkeypatch):
    monkeypatch.setattr(Recipe, "for_device", lambda device, **changes: recipe)
    write_together(tmp_path, make_prior().files())
    options = ["train", "--photos", photo_folder, "--out", tmp_path / "out", "--device", "cpu",
               "--minutes", "0.002", "--init", tmp_path]  # fmt: skip
    result = CliRunner().invoke(app, [str(option) for option in options])
    assert result.exit_code == 0, result.output
    digest = prior_digest(load_prior(tmp_path), "")
    assert log_of(tmp_path / "out")["began_with"] == {"digest": digest}
    result = CliRunner().invoke(app, [*map(str, options), "--resume"])
    assert result.exit_code == 2
    assert result.stderr.startswith("error: init: a resumed run goes on with its own weights")
