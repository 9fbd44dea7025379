"""``deqir-lite convert`` and ``fetch``: from a checkpoint to a restored photo."""

import hashlib

import pytest
import torch

from deqir_lite.conversion import published
from deqir_lite.conversion.published import Published

WIDTH, EMBEDDING = 32, 128


@pytest.fixture
def checkpoint(tmp_path):
    """A network of DDPM of one level and one block, random, with its names and shapes alone."""
    generator = torch.Generator().manual_seed(0)
    shapes = {"conv_in": (WIDTH, 3, 3, 3), "conv_out": (3, WIDTH, 3, 3), "norm_out": (WIDTH,)}
    shapes |= {"temb.dense.0": (EMBEDDING, WIDTH), "temb.dense.1": (EMBEDDING, EMBEDDING)}
    shapes["mid.attn_1.norm"] = (WIDTH,)
    for name in ("q", "k", "v", "proj_out"):
        shapes[f"mid.attn_1.{name}"] = (WIDTH, WIDTH, 1, 1)
    blocks = {"down.0.block.0": WIDTH, "mid.block_1": WIDTH, "mid.block_2": WIDTH}
    for block, inner in (blocks | {f"up.0.block.{k}": 2 * WIDTH for k in range(2)}).items():
        shapes |= {f"{block}.norm1": (inner,), f"{block}.norm2": (WIDTH,)}
        shapes[f"{block}.conv1"] = (WIDTH, inner, 3, 3)
        shapes[f"{block}.conv2"] = (WIDTH, WIDTH, 3, 3)
        shapes[f"{block}.temb_proj"] = (WIDTH, EMBEDDING)
        if inner != WIDTH:
            shapes[f"{block}.nin_shortcut"] = (WIDTH, inner, 1, 1)
    weights = {}
    for name, shape in shapes.items():
        weights[f"{name}.weight"] = 0.05 * torch.randn(shape, generator=generator)
        weights[f"{name}.bias"] = torch.zeros(shape[0])
    torch.save(weights, tmp_path / "model.ckpt")
    return tmp_path / "model.ckpt"


def test_a_converted_checkpoint_restores_a_photo(run, restore, folder, checkpoint):
    prior = folder / "new" / "prior"
    result = run("convert", checkpoint, "--from", "ddpm", "--out", prior)
    assert result.exit_code == 0, result.output
    said = result.stdout.splitlines()
    assert said[0].endswith(
        "million numbers; assumed: linear noise schedule of 1000 steps, images of 256 pixels"
    )
    assert said[1] == f"prior written to {prior}; use it with --prior {prior}"
    assert sorted(path.name for path in prior.iterdir()) == [
        *("config.json", "diffusion_pytorch_model.safetensors", "scheduler_config.json"),
    ]
    assert restore("--upscale", 2, prior=prior).exit_code == 0


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--from", "sd"], "from: unknown value 'sd'; known: adm, ddpm"),
        (
            ["--from", "adm"],
            "is no checkpoint of guided-diffusion, without input_blocks.0.0.weight,",
        ),
        (
            ["--from", "ddpm", "--num-heads", 4],
            "num_heads: got 4; expected none for ddpm, whose att",
        ),
        (["--from", "ddpm", "--entry", "ema"], "holds no network 'ema'; known: none"),
        (
            ["--from", "ddpm", "--noise-schedule", "x"],
            "noise_schedule: unknown value 'x'; known: l",
        ),
    ],
)
def test_what_does_not_fit_is_one_line(refused, folder, checkpoint, options, message):
    refused("convert", checkpoint, "--out", folder / "prior", *options, message=message)


def test_no_checkpoint(refused, folder, photo):
    out = ["--from", "adm", "--out", folder / "prior"]
    refused("convert", photo, *out, message="photo.png is a picture; expected the tensors of a net")
    refused("convert", "none.pt", *out, message="checkpoint: no file 'none.pt'")
    refused("convert", folder, *out, message="is a folder; expected a file")


def test_fetch(run, folder, checkpoint, monkeypatch):
    monkeypatch.setitem(published.PUBLISHED, "small", Published("unused", "s.ckpt", "ddpm"))
    content = checkpoint.read_bytes()
    (folder / "s.ckpt").write_bytes(content)  # as if it had been downloaded
    result = run("fetch", "small", "--out", folder / "small")
    assert result.exit_code == 0, result.output
    digest = hashlib.sha256(content).hexdigest()
    assert result.stdout.startswith(
        f"downloaded {folder / 's.ckpt'}; SHA-256 {digest} (none is published; kept beside it)\n"
    )
    assert (folder / "s.ckpt.sha256").read_text() == f"{digest}  s.ckpt\n"
    assert (folder / "small" / "config.json").is_file()


def test_fetch_without_a_network_is_one_line(refused, folder, monkeypatch):
    monkeypatch.setenv("no_proxy", "*")
    nowhere = Published("http://127.0.0.1:1/s.ckpt", "s.ckpt", "ddpm")
    monkeypatch.setitem(published.PUBLISHED, "small", nowhere)
    refused("fetch", "small", "--out", folder / "small", message="; is there a network?")
    refused("fetch", "unknown", "--out", folder / "small", message="name: unknown value 'unknown'")
