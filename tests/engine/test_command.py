"""``restore`` on several ranks: one program for whoever looks at it."""

import os
import socket
import subprocess
import sys
import time

import pytest
import torch
from typer.testing import CliRunner

from deqir_lite import load_bundled_photo, load_photo, save_image
from deqir_lite.cli import app

PRIORS = """
import os, signal, torch
from deqir_lite import ModelPrior, load_gaussian

def bent(dies=False):
    gaussian = load_gaussian()
    def model(x, t):
        if dies:  # in its first sweep, which may be the last
            os.kill(os.getpid(), signal.SIGKILL)
        eps = gaussian(x, t)
        return eps + 0.1 * torch.tanh(2 * eps.roll((1, 2), dims=(-2, -1)))
    return ModelPrior(model, gaussian.schedule)

def missing_on_1():
    if os.environ["RANK"] == "1":
        raise OSError("no such weights")
    return bent()

def dies_on_1():
    return bent(dies=os.environ["RANK"] == "1")
"""


@pytest.fixture
def photos(tmp_path):
    """A folder with two photos of 16x16 pixels."""
    folder = tmp_path / "photos"
    folder.mkdir()
    for name in ("cat", "coffee"):
        save_image(folder / f"{name}.png", load_bundled_photo(name, size=16))
    return folder


@pytest.fixture
def priors(tmp_path):
    """A file of functions."""
    path = tmp_path / "priors.py"
    path.write_text(PRIORS)
    return path


@pytest.fixture
def restore(run_on_ranks, tmp_path, priors):
    """(photo, options..., more=rank -> options) -> exit codes of 2 ranks, and what all of them
    wrote: the lines of standard output and of standard error, but for bars."""

    def run(*options, prior="bent", more=lambda rank: []):
        usual = ["restore", *options, "--prior", f"{priors}:{prior}", "--timesteps", 4]
        codes = run_on_ranks("command.py", 2, lambda rank: [*usual, *more(rank)])
        streams = [
            [(tmp_path / f"{name}-{rank}").read_text().splitlines() for rank in range(2)]
            for name in ("stdout", "stderr")
        ]
        lines = [line for lines in streams[1] for line in lines if line and "%|" not in line]
        return codes, streams[0], lines

    return run


def test_several_photos_are_those_of_one_process(restore, photos, priors, tmp_path):
    (photos / "broken.png").write_text("no photo")
    options = ["--mask", "box", "--method", "ddnm", "--samples", 2, "--sampler", "parallel"]
    codes, (said, silent), errors = restore(photos, *options, "-o", tmp_path / "several")
    assert codes == [2, 2]
    assert silent == []
    broken, last = (line for line in errors if not line.startswith("warning: "))
    assert "broken.png: photo: " in broken
    assert last == "error: 1 of 3 photos could not be restored"
    assert len(set(errors)) == len(errors), "each is told once"
    assert sum("network's batch over 2 ranks" in line for line in said) == 2

    usual = [photos, *options, "--prior", f"{priors}:bent", "--timesteps", 4]
    one = CliRunner().invoke(app, ["restore", *map(str, usual), "-o", str(tmp_path / "one")])
    assert one.exit_code == 2, one.output
    names = {path.name for path in (tmp_path / "one").iterdir()}
    assert names == {path.name for path in (tmp_path / "several").iterdir()}
    assert "cat-restored.png" in names
    for name in names - {"restored.json"}:
        images = (load_photo(tmp_path / folder / name) for folder in ("one", "several"))
        torch.testing.assert_close(*images, rtol=0, atol=2.1 / 255)  # a level, where it is a tie

    codes, (said, silent), errors = restore(photos, *options, "-o", tmp_path / "several")
    assert codes == [2, 2]
    assert errors[-1] == last
    assert sum("is there already, from the same photo and options" in line for line in said) == 2


def test_different_options_are_refused(restore, photos, tmp_path):
    codes, (said, silent), errors = restore(
        photos / "cat.png", "--upscale", 2, "-o", tmp_path / "out.png",
        more=lambda rank: ["--seed", rank],
    )  # fmt: skip
    assert codes == [2, 2]
    assert said == silent == []
    assert errors == [
        "error: seed: got 0 on rank 0, but 1 on rank 1; expected the same on all ranks"
    ]
    assert not (tmp_path / "out.png").exists()


def test_an_error_of_all_ranks_is_told_once(restore, photos):
    codes, _, errors = restore(photos / "cat.png", "--upscale", 1)
    assert codes == [2, 2]
    assert errors == ["error: upscale: got 1; expected an integer >= 2"]


@pytest.mark.skipif(torch.cuda.is_available(), reason="a GPU")
@pytest.mark.parametrize("device", ["cuda", "cuda:1"])
def test_a_gpu_that_is_not_there_is_told_once(restore, photos, device):
    codes, _, errors = restore(photos / "cat.png", "--upscale", 2, "--device", device)
    assert codes == [2, 2]
    assert errors == [
        f"error: device: {device!r} is not available on this machine; use auto or cpu"
    ]


def test_a_port_in_use_is_one_line(photos, monkeypatch):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        numbers = {"RANK": "0", "WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port}
        for name, value in numbers.items():
            monkeypatch.setenv(name, value)
        result = CliRunner().invoke(app, ["restore", str(photos / "cat.png"), "--upscale", "2"])
    assert result.exit_code == 2, result.output
    assert result.stdout == ""
    (line,) = result.stderr.splitlines()
    assert line.startswith(f"error: MASTER_PORT: 127.0.0.1:{port} is in use; give another port")


def test_an_error_of_one_rank_is_that_of_all(restore, photos):
    codes, _, errors = restore(photos / "cat.png", "--upscale", 2, prior="missing_on_1")
    assert codes == [2, 2]
    assert len(errors) == 1
    assert "no such weights" in errors[0]


@pytest.mark.skipif(sys.platform == "win32", reason="SIGKILL")
def test_a_rank_that_dies_ends_the_others(photos, priors, tmp_path):
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone"]
    torchrun += ["--nproc-per-node", "2", "-m", "deqir_lite", "restore"]
    options = ["--upscale", "2", "-o", tmp_path / "out.png", "--prior", f"{priors}:dies_on_1"]
    start = time.monotonic()
    done = subprocess.run(
        [*torchrun, photos / "cat.png", *options],
        capture_output=True, text=True, env=os.environ | {"OMP_NUM_THREADS": "1"}, timeout=180,
    )  # fmt: skip
    assert done.returncode != 0
    assert time.monotonic() - start < 60
    own = [line for line in done.stderr.splitlines() if line.startswith(("error: ", "stopped by"))]
    assert len(own) == 1, done.stderr
    assert "another one has ended" in own[0] or "another rank has ended" in own[0]
    assert done.stdout == ""
    assert not (tmp_path / "out.png").exists()
