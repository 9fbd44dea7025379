"""``deqir-lite train`` and ``fit-gaussian``: end to end on a few small photos."""

import csv
import json
import os

import pytest
import torch

from deqir_lite import load_photo, load_prior, save_image
from deqir_lite._outputs import only_process
from deqir_lite.priors import GaussianPrior, PhotoSpectrum


@pytest.fixture
def photos(tmp_path):
    """A folder with three smooth photos of 72x96 pixels."""
    made = tmp_path / "photos"
    (made / "deeper").mkdir(parents=True)
    generator = torch.Generator().manual_seed(0)
    for name in ("a.png", "b.jpg", "deeper/c.png"):
        coarse = torch.rand(1, 3, 6, 8, generator=generator) * 2 - 1
        save_image(made / name, torch.nn.functional.interpolate(coarse, (72, 96), mode="bilinear"))
    return made


@pytest.fixture
def tiny_recipe(monkeypatch):
    """A network of two levels instead of the default one."""
    from deqir_lite.training import data
    from deqir_lite.training.recipe import Recipe

    def tiny(device, **changes):
        assert str(device) == "cpu"
        return Recipe(channels=(16, 32), crop=16, final_crop=16, warmup=2, **{"batch": 4} | changes)

    monkeypatch.setattr(Recipe, "for_device", tiny)
    monkeypatch.setattr(data, "POOL", 4)


def test_train_resume_restore(run, photos, folder, photo, tiny_recipe):
    prior = folder / "new" / "prior"
    options = ("train", "--photos", photos, "--out", prior, "--batch", 4, "--device", "cpu")
    result = run(*options, "--minutes", 0.02, "--data-note", "Three gradients, CC0.")
    assert result.exit_code == 0, result.output
    assert result.stdout == f"prior written to {prior}; use it with --prior {prior}\n"
    assert {p.name for p in prior.iterdir()} == {
        *("config.json", "residual.safetensors", "spectrum.safetensors"),
        *("training.pt", "training_log.json", "README.md"),
    }
    card = (prior / "README.md").read_text()
    assert "Three gradients, CC0." in card
    assert "| photos | 2 trained on, 1 held out |" in card

    again = run(*options, "--minutes", 0.03)
    assert again.exit_code == 2
    assert again.stderr.startswith(f"error: out: {prior} holds a training run; ")
    assert run(*options, "--minutes", 0.03, "--resume").exit_code == 0
    log = json.loads((prior / "training_log.json").read_text())
    first, second = log["history"]
    assert second["step"] > first["step"] > 0
    assert second["minutes"] > first["minutes"]
    assert log["recipe"]["batch"] == 4

    result = run("demo", photo, "-o", folder / "out.png", "--prior", prior, "--timesteps", 4)
    assert result.exit_code == 0, result.output
    assert load_photo(folder / "out.png").shape == (1, 3, 32, 32)


def test_a_run_keeps_its_recipe_when_it_is_resumed(run, photos, folder, tiny_recipe, monkeypatch):
    """Also where another device would have another default."""
    from deqir_lite.training.recipe import Recipe

    prior = folder / "prior"
    options = ("train", "--photos", photos, "--out", prior, "--device", "cpu")
    assert run(*options, "--minutes", 0.01, "--seed", 5).exit_code == 0
    monkeypatch.setattr(Recipe, "for_device", lambda device, **changes: Recipe(**changes))
    result = run(*options, "--minutes", 0.02, "--resume", "--batch", 2)
    assert result.exit_code == 0, result.output
    log = json.loads((prior / "training_log.json").read_text())
    assert (log["recipe"]["seed"], log["recipe"]["warmup"], log["recipe"]["batch"]) == (5, 2, 2)
    result = run(*options, "--minutes", 0.03, "--resume", "--seed", 0)
    assert result.exit_code == 2
    assert result.stderr == (
        "error: seed: got 0, but the run to resume has the seed 5; leave it out\n"
    )


def test_train_without_photos(run, folder, tiny_recipe):
    options = ("--out", folder / "prior", "--minutes", 0.01, "--device", "cpu")
    result = run("train", "--dead-leaves", 1, *options)
    assert result.exit_code == 0, result.output
    log = json.loads((folder / "prior" / "training_log.json").read_text())
    assert log["photos"] == {
        "training": 0,
        "held_out": 0,
        "dead_leaves": 1.0,
        "pixels": 0,
        "note": "",
    }
    assert log["recipe"]["batch"] == 4


def test_a_network_of_another_kind_is_a_row_and_no_prior(run, photos, folder, photo, monkeypatch):
    from deqir_lite.training.supervised import TaskRecipe

    def tiny(device, **changes):
        return TaskRecipe(channels=(8, 16), blocks=1, crop=16, final_crop=16, **changes)

    monkeypatch.setattr(TaskRecipe, "for_device", tiny)
    out, rows = folder / "net", folder / "rows"
    options = ("train", "--photos", photos, "--out", out, "--device", "cpu", "--batch", 4)
    result = run(*options, "--minutes", 0.01, "--kind", "regression", "--task", "sr2")
    assert result.exit_code == 0, result.output
    assert result.stdout == (
        f"regression written to {out}; use it with evaluate --networks {out}\n"
    )
    result = run(*options, "--minutes", 0.02, "--kind", "regression", "--resume")
    assert result.exit_code == 0, result.output
    result = run("demo", photo, "-o", folder / "out.png", "--prior", out)
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr == (
        f"error: prior: {out} holds a regression network, which restores y by itself; compare it "
        f"with priors by `deqir-lite evaluate --networks {out}`\n"
    )
    told = ("--photos", photos, "--sizes", 16, "--tasks", "sr2", "--methods", "pinv,ddnm")
    told += ("--prior", "gaussian", "--timesteps", 2, "--networks", out, "--out", rows)
    result = run("evaluate", *told)
    assert result.exit_code == 0, result.output
    with (rows / "methods.csv").open() as file:
        methods = {line["method"].partition(" (")[0] for line in csv.DictReader(file)}
    assert methods == {"pinv", "ddnm", "regression-sr2"}


def test_options_that_do_not_belong_to_a_kind(refused, photos, folder):
    options = ("train", "--photos", photos, "--out", folder / "net", "--minutes", 1)
    refused(*options, "--kind", "gans", message="kind: unknown value 'gans'; known: prior, regr")
    refused(*options, "--task", "sr4", message="task: got 'sr4', but a prior is trained for no")
    refused(*options, "--kind", "palette", message="task: got none; a palette is trained for one")
    refused(*options, "--kind", "gan", "--init", folder, message="init: a gan begins with random")


def test_fit_gaussian(run, photos, folder):
    prior = folder / "new" / "gaussian"
    options = ("--photos", photos, "--crops", 200, "--seed", 3, "--data-note", "CC0.")
    result = run("fit-gaussian", "--out", prior, *options)
    assert result.exit_code == 0, result.output
    assert result.stdout == f"prior written to {prior}; use it with --prior {prior}\n"
    assert {p.name for p in prior.iterdir()} == {"spectrum.safetensors", "README.md"}
    assert "CC0." in (prior / "README.md").read_text()
    loaded = load_prior(prior)
    assert isinstance(loaded, GaussianPrior)
    pictures = torch.cat([load_photo(p) for p in sorted(photos.rglob("*.*"))])
    assert loaded.spectrum.mean.numpy() == pytest.approx(pictures.mean((0, 2, 3)).numpy(), abs=0.15)
    variance = PhotoSpectrum.load(prior / "spectrum.safetensors").covariance
    assert float(variance[0, 0].mean()) == pytest.approx(float(pictures[:, 0].var()), rel=0.5)


@pytest.mark.parametrize("command", [("train", "--minutes", 1), ("fit-gaussian",)])
def test_bad_folders(refused, photos, folder, tmp_path, command):
    (tmp_path / "empty").mkdir()
    out = ("--out", folder / "prior")
    refused(*command, *out, "--photos", tmp_path / "nowhere", message="photos: no folder")
    refused(*command, *out, "--photos", tmp_path / "empty", message="holds no usable photo of at")
    refused(*command, *out, "--photos", photos, "--seed", -1, message="seed: got -1")
    file = tmp_path / "file"
    file.write_text("")
    for place in (file, file / "deeper"):
        refused(
            *command, "--photos", photos, "--out", place, message=f"out: {str(file)!r} is a file"
        )


@pytest.mark.parametrize("minutes", [0, -1, "nan", "inf"])
def test_bad_minutes(refused, photos, folder, minutes):
    refused("train", "--photos", photos, "--out", folder / "prior", "--minutes", minutes,
            message=f"minutes: got {float(minutes)}; expected a")  # fmt: skip


def test_other_bad_settings_of_train(refused, photos, folder):
    options = ("train", "--photos", photos, "--out", folder / "prior", "--minutes", 1)
    refused(*options, "--resume", message="resume: ")
    refused(*options, "--batch", 0, message="batch: got 0")
    refused(*options, "--device", "bogus", message="device: unknown value 'bogus'; known: auto")


@pytest.mark.parametrize(
    ("command", "name", "content", "message"),
    [
        ("train", "README.md", "# Mine", "holds README.md of another origin; name another folder"),
        ("train", "config.json", "{}", "holds config.json of another origin"),
        ("train", "spectrum.safetensors", "", "holds spectrum.safetensors of another origin"),
        ("train", "training_log.json", "{}", "holds training_log.json of another origin"),
        ("train", "residual.safetensors", "", "holds residual.safetensors of another origin"),
        ("train", "training.pt", "", "holds a training run; resume it or name another one"),
        ("train", "README.md", None, "is a pipe or a device"),
        ("train", "training.pt", None, "is a pipe or a device"),
        ("train --resume", "training.pt", None, "is a pipe or a device"),
        ("train --resume", "training.pt", "", "is corrupt"),
        ("train --resume", "training.pt", "text", "is corrupt"),
        ("fit-gaussian", "README.md", "# Mine", "holds README.md of another origin"),
        ("fit-gaussian", "residual.safetensors", "", "holds residual.safetensors of another"),
        ("fit-gaussian", "training.pt", "", "holds training.pt of another origin"),
        ("fit-gaussian", "spectrum.safetensors", None, "is a pipe or a device"),
        ("fit-gaussian", "README.md", None, "is a pipe or a device"),
    ],
)
def test_files_of_another_origin_are_not_replaced(
    run, photos, tmp_path, command, name, content, message
):
    out = tmp_path / "mine"
    out.mkdir()
    os.mkfifo(out / name) if content is None else (out / name).write_text(content)
    more = () if command == "fit-gaussian" else ("--minutes", 1)
    result = run(*command.split(), "--photos", photos, "--out", out, *more)
    assert result.exit_code == 2, result.output
    (line,) = result.stderr.splitlines()
    assert line.startswith(("error: out: ", "error: resume: "))
    assert message in line
    assert [path.name for path in out.iterdir()] == [name]
    assert content is None or (out / name).read_text() == content


@pytest.mark.parametrize("command", ["train", "fit-gaussian"])
def test_a_second_process_on_the_folder_is_refused(run, photos, tmp_path, command):
    out = tmp_path / "mine"
    more = () if command == "fit-gaussian" else ("--minutes", 1)
    with only_process("out", out, folder=True):
        result = run(command, "--photos", photos, "--out", out, *more)
    assert result.exit_code == 2
    (line,) = result.stderr.splitlines()
    assert line.startswith(f"error: out: another process ({os.getpid()}) is at work on ")
    assert not out.exists()


def test_shares_of_dead_leaves(refused, photos, folder):
    options = ("train", "--out", folder / "prior", "--minutes", 1)
    refused(*options, message="photos: got none; expected a folder, or a share of dead leaves of 1")
    refused(*options, "--dead-leaves", 0.9, message="photos: got none")
    refused(*options, "--photos", photos, "--dead-leaves", 1.5,
            message="dead_leaves: got 1.5; expected a number in [0, 1]")  # fmt: skip


def test_too_few_crops(refused, photos, folder):
    refused("fit-gaussian", "--photos", photos, "--out", folder / "prior", "--crops", 10,
            message="crops: got 10; expected an integer >= 100")  # fmt: skip


def test_unreadable_photos_are_counted(run, photos, folder):
    (photos / "broken.png").write_bytes(b"garbage")
    result = run("fit-gaussian", "--photos", photos, "--out", folder / "prior", "--crops", 100)
    assert result.exit_code == 0
    assert result.stderr == (
        "warning: photos: skipped 1 unreadable or tiny files, such as broken.png\n"
    )
