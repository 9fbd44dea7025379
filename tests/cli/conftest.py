"""Small photos, small priors, and a command line that the tests can call."""

import pytest
from typer.testing import CliRunner

from deqir_lite import load_bundled_photo, save_image
from deqir_lite._json import write_json
from deqir_lite.cli import app


@pytest.fixture
def run():
    """(arguments...) -> the result of ``deqir-lite`` with them."""

    def call(*arguments):
        return CliRunner().invoke(app, [str(argument) for argument in arguments])

    return call


@pytest.fixture
def folder(tmp_path):
    """Where a test's command may write; nothing else lies here."""
    made = tmp_path / "out"
    made.mkdir()
    return made


@pytest.fixture
def refused(run, folder):
    """(arguments..., message=...): exit code 2, one line on standard error, no file written."""

    def check(*arguments, message):
        result = run(*arguments)
        assert result.exit_code == 2, result.output
        assert isinstance(result.exception, SystemExit), "a traceback"
        lines = result.stderr.splitlines()
        assert len(lines) == 1, lines
        assert lines[0].startswith("error: ")
        assert message in lines[0]
        assert result.stdout == ""
        assert list(folder.iterdir()) == []

    return check


@pytest.fixture
def photo(tmp_path):
    """A colour photo of 32x32 pixels."""
    return save_image(tmp_path / "photo.png", load_bundled_photo("cat", size=32))


def _to_picture(run, folder, photo, command, usual):
    def call(*options, photo=photo, out=folder / "out.png", prior="gaussian"):
        told = [photo, "-o", out, "--prior", prior, "--timesteps", 5, *usual]
        return run(command, *told, *options)

    return call


@pytest.fixture
def demo(run, folder, photo):
    """(options..., photo=...) -> a demonstration under the Gaussian prior, to folder / out.png."""
    return _to_picture(run, folder, photo, "demo", ["--task", "inpaint-random"])


@pytest.fixture
def restore(run, folder, photo):
    """(options..., photo=...) -> a restoration under the Gaussian prior, to folder / out.png."""
    return _to_picture(run, folder, photo, "restore", [])


@pytest.fixture
def unet_folder(tmp_path, make_unet):
    """A diffusers folder with a tiny random UNet2DModel, 3 channels, that predicts epsilon."""
    made = tmp_path / "unet"
    made.mkdir()
    unet = make_unet(3)
    unet.save_pretrained(made)
    write_json(
        made / "scheduler_config.json",
        {"_class_name": "DDPMScheduler", "beta_schedule": "linear", "prediction_type": "epsilon"},
    )
    return made
