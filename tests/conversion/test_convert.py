"""Checkpoints become folders: the same network as the one that is written down here."""

import json
import math
import os
import pickle
import re

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import nn

from deqir_lite.conversion.adm import FIRST, read_adm
from deqir_lite.conversion.convert import convert_checkpoint
from deqir_lite.conversion.ddpm import read_ddpm
from deqir_lite.priors.load import load_prior
from deqir_lite.schedule import linear_schedule

WEIGHTS = "diffusion_pytorch_model.safetensors"

# --- the same output ---


GUIDED = {
    "legacy order": ({}, {}),
    "new order": ({"new_order": True}, {"new_attention_order": True}),
    "three levels, two blocks": (
        {"widths": (32, 64, 96), "attentive": (0, 2), "layers": 2, "head": 32},
        {"num_head_channels": 32},
    ),
    "number of heads": ({"head": 32}, {"num_head_channels": None, "num_heads": 2}),
    "one head": (
        {"widths": (64, 64), "attentive": (0, 1), "head": 64},
        {"num_head_channels": None, "num_heads": 1},
    ),
    "convolutions between levels": ({"resnets": False, "attentive": (0,)}, {}),
    "plain modulation": ({"scaled": False, "channels": (3, 3)}, {}),
    "one level": ({"widths": (32,), "attentive": (), "layers": 2}, {}),
    "classes": ({"classes": 7}, {}),
}


def compared(model, folder, dtype, label=None):
    """Largest difference of the noise that the converted folder predicts, and its size."""
    prior = load_prior(folder, dtype=dtype, label=label)
    exact = torch.float64 if dtype == "float64" else torch.float32
    x = torch.randn(2, 3, 16, 16, dtype=exact, generator=torch.Generator().manual_seed(1))
    t = torch.tensor([3, 870])
    arguments = () if label is None else (label,)
    with torch.no_grad():
        expected = model.to(exact)(x, t, *arguments)[:, :3]
        found = prior(x, t)
    return float((found - expected).abs().max()), float(expected.abs().max())


@pytest.mark.parametrize("kind", GUIDED)
def test_a_guided_diffusion_network_is_the_same_in_its_folder(tmp_path, guided, kind):
    shape, told = GUIDED[kind]
    model = guided(**shape)
    torch.save(model.state_dict(), tmp_path / "model.pt")
    told = {"num_head_channels": 16} | told
    made = convert_checkpoint(tmp_path / "model.pt", tmp_path / "out", layout="adm", **told)
    label = 5 if "classes" in shape else None
    assert made.classes == shape.get("classes")
    assert made.parameters == sum(p.numel() for p in model.parameters())
    for dtype, bound in ("float32", 1e-5), ("float64", 1e-10):
        error, size = compared(model, made.folder, dtype, label)
        assert error < bound * max(1, size)
        assert size > 0.1


@pytest.mark.parametrize("shape", [{}, {"widths": (32, 64), "layers": 1}])
def test_a_ddpm_network_is_the_same_in_its_folder(tmp_path, ddpm, shape):
    model = ddpm(**shape)
    torch.save(model.state_dict(), tmp_path / "model.ckpt")
    made = convert_checkpoint(tmp_path / "model.ckpt", tmp_path / "out", layout="ddpm")
    for dtype, bound in ("float32", 1e-5), ("float64", 1e-10):
        error, size = compared(model, made.folder, dtype)
        assert error < bound * max(1, size)
        assert size > 0.1


def told(read, model):
    """The network that is read from the shapes alone, and the shapes of what it makes of them."""
    weights = model.state_dict()
    network = read(weights, image_size=256, where="checkpoint")
    made = network.tensors(weights, "checkpoint")
    return network.config, sum(tensor.numel() for tensor in made.values())


def test_the_network_for_imagenet_is_told_by_its_shapes(guided):
    """256x256_diffusion_uncond.pt, and RePaint's of the same layout: 552 814 086 numbers."""
    widths = (256, 256, 512, 512, 1024, 1024)
    with torch.device("meta"):
        model = guided(widths=widths, attentive=(3, 4, 5), layers=2, head=64)
    config, numbers = told(read_adm, model)
    assert numbers == 552_814_086
    assert config["block_out_channels"] == widths
    assert (config["layers_per_block"], config["attention_head_dim"]) == (2, 64)
    down = ["ResnetDownsampleBlock2D"] * 3 + ["AttnDownBlock2D"] * 3
    up = ["AttnUpBlock2D"] * 3 + ["ResnetUpsampleBlock2D"] * 3
    assert [*config["down_block_types"], *config["up_block_types"]] == down + up
    assert config["out_channels"] == 6
    assert config["resnet_time_scale_shift"] == "scale_shift"


def test_the_networks_for_faces_are_told_by_their_shapes(guided, ddpm):
    """ffhq_10m.pt and celeba_hq.ckpt: the same levels, attention at 16 of 256 pixels."""
    widths = (128, 128, 256, 256, 512, 512)
    with torch.device("meta"):
        ffhq = guided(widths=widths, attentive=(4,), layers=1, head=64)
        celeba = ddpm(widths=widths, attentive=(4,), layers=2)
    config, _ = told(read_adm, ffhq)
    assert config["block_out_channels"] == widths
    assert config["layers_per_block"] == 1
    types = config["down_block_types"]
    assert [k for k, kind in enumerate(types) if kind == "AttnDownBlock2D"] == [4]
    config, numbers = told(read_ddpm, celeba)
    assert numbers == 113_673_219  # as in google/ddpm-celebahq-256, which has the same layers
    assert config["block_out_channels"] == widths
    assert config["layers_per_block"] == 2
    types = [*config["down_block_types"], *config["up_block_types"]]
    assert [k for k, kind in enumerate(types) if kind.startswith("Attn")] == [4, 7]


HEADS = {"order": {"new_attention_order": True}, "width": {"num_head_channels": 32}}


@pytest.mark.parametrize("wrong", HEADS)
def test_what_the_weights_do_not_tell_of_heads_changes_the_network(tmp_path, guided, wrong):
    """So the comparisons above would see a wrong order, or a wrong width, of the heads."""
    model = guided()
    torch.save(model.state_dict(), tmp_path / "model.pt")
    told = {"num_head_channels": 16} | HEADS[wrong]
    made = convert_checkpoint(tmp_path / "model.pt", tmp_path / "out", layout="adm", **told)
    error, _ = compared(model, made.folder, "float32")
    assert error > 1e-2


# --- what is written ---


@pytest.fixture
def checkpoint(tmp_path, guided):
    """A guided-diffusion checkpoint with a learned variance."""
    torch.save(guided().state_dict(), tmp_path / "model.pt")
    return tmp_path / "model.pt"


def convert(checkpoint, out, layout="adm", **told):
    return convert_checkpoint(checkpoint, out, layout=layout, **({"num_head_channels": 16} | told))


def test_every_number_is_in_the_folder_as_it_was(checkpoint, tmp_path):
    before = torch.load(checkpoint, weights_only=True)
    after = load_file(convert(checkpoint, tmp_path / "out").folder / WEIGHTS)
    bits = [
        torch.cat([t.flatten().view(torch.int32) for t in tensors.values()]).sort().values
        for tensors in (before, after)
    ]
    assert torch.equal(*bits)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_precision_is_kept(tmp_path, guided, dtype):
    torch.save(guided().to(dtype).state_dict(), tmp_path / "model.pt")
    tensors = load_file(convert(tmp_path / "model.pt", tmp_path / "out").folder / WEIGHTS)
    assert {tensor.dtype for tensor in tensors.values()} == {dtype}


@pytest.mark.parametrize("channels", [(3, 3), (3, 6)])
@pytest.mark.parametrize("noise_schedule", ["linear", "cosine"])
def test_the_folder_tells_schedule_and_variance(tmp_path, guided, channels, noise_schedule):
    """The tables of guided-diffusion, computed here from its definitions."""
    torch.save(guided(channels=channels).state_dict(), tmp_path / "model.pt")
    made = convert(tmp_path / "model.pt", tmp_path / "out", noise_schedule=noise_schedule)
    scheduler = json.loads((made.folder / "scheduler_config.json").read_text())
    learned = channels[1] == 6
    assert scheduler["variance_type"] == ("learned_range" if learned else "fixed_small")
    prior = load_prior(made.folder)
    assert prior.prediction_type == "epsilon"
    if noise_schedule == "linear":
        expected = linear_schedule().alpha_bar
    else:
        curve = ((torch.arange(1001).double() / 1000 + 0.008) / 1.008 * math.pi / 2).cos() ** 2
        expected = (1 - (1 - curve[1:] / curve[:-1]).clamp(max=0.999)).cumprod(0)
    torch.testing.assert_close(prior.schedule.alpha_bar, expected, rtol=1e-4, atol=1e-9)


def test_diffusers_itself_samples_from_the_folder(checkpoint, tmp_path):
    from diffusers import DDPMPipeline, DDPMScheduler, UNet2DModel

    made = convert(checkpoint, tmp_path / "out", image_size=16)
    unet = UNet2DModel.from_pretrained(made.folder)
    pipeline = DDPMPipeline(unet, DDPMScheduler.from_pretrained(made.folder))
    pipeline.set_progress_bar_config(disable=True)
    images = pipeline(num_inference_steps=2, output_type="np").images
    assert images.shape == (1, 16, 16, 3)


@pytest.mark.parametrize("kind", ["module.", "entry", "list", "safetensors", "old form", "flat"])
def test_checkpoints_as_training_leaves_them(checkpoint, tmp_path, kind):
    """Names of parallel training, networks beside other things, other files: the same folder."""
    weights = torch.load(checkpoint, weights_only=True)
    path, told = tmp_path / "other.pt", {}
    if kind == "module.":
        torch.save({f"module.{name}": tensor for name, tensor in weights.items()}, path)
    elif kind == "entry":
        torch.save({"model": {"x": torch.zeros(1)}, "ema": weights, "step": 7}, path)
        told = {"entry": "ema"}
    elif kind == "list":
        torch.save([weights, {"lr": 0.1}, 7], path)
    elif kind == "flat":  # all in one piece of memory, as sharded training keeps them
        sizes = [tensor.numel() for tensor in weights.values()]
        flat = torch.cat([tensor.flatten() for tensor in weights.values()]).split(sizes)
        shapes = zip(weights.items(), flat, strict=True)
        torch.save({name: part.view(tensor.shape) for (name, tensor), part in shapes}, path)
    elif kind == "safetensors":
        save_file(weights, path)
    else:
        torch.save(weights, path, _use_new_zipfile_serialization=False)
    one, other = (
        load_file(convert(source, tmp_path / out, **more).folder / WEIGHTS)
        for source, out, more in ((checkpoint, "a", {}), (path, "b", told))
    )
    assert one.keys() == other.keys()
    assert all(torch.equal(one[name], other[name]) for name in one)


def test_layers_that_share_their_numbers_are_converted(checkpoint, tmp_path):
    weights = torch.load(checkpoint, weights_only=True)
    weights["middle_block.2.in_layers.2.bias"] = weights["middle_block.0.in_layers.2.bias"]
    torch.save(weights, tmp_path / "tied.pt")
    tensors = load_file(convert(tmp_path / "tied.pt", tmp_path / "out").folder / WEIGHTS)
    one, other = (tensors[f"mid_block.resnets.{k}.conv1.bias"] for k in range(2))
    assert torch.equal(one, other)


def test_what_is_assumed_is_said(checkpoint, tmp_path):
    said = convert(checkpoint, tmp_path / "a").assumed
    assert said == (
        "attention heads of 16 channels, each with its keys and values, linear noise schedule of "
        "1000 steps, images of 256 pixels"
    )
    said = convert(checkpoint, tmp_path / "b", new_attention_order=True).assumed
    assert "all queries before its keys and values" in said


# --- what is no checkpoint ---


class Spy:
    """An object whose pickle calls a function."""

    def __reduce__(self):
        return os.mkdir, ("was-run",)


def save(content, **options):
    return lambda path, weights: torch.save(content, path, **options)


def changed(change, **options):
    """A checkpoint with other tensors."""
    return lambda path, weights: torch.save(change(weights), path, **options)


def without(part):
    return changed(lambda weights: {n: t for n, t in weights.items() if part not in n})


def cut_off(**options):
    def make(path, weights):
        torch.save(weights, path, **options)
        path.write_bytes(path.read_bytes()[:-3000])

    return make


OLD = {"_use_new_zipfile_serialization": False}
BAD = {
    "nothing": (lambda path, _: None, "checkpoint: no file "),
    "folder": (lambda path, _: path.mkdir(), "is a folder; expected a file"),
    "empty": (lambda path, _: path.touch(), "is an empty file; expected"),
    "text": (lambda path, _: path.write_text("some words\n" * 99), "is of no kind that is known"),
    "web page": (lambda path, _: path.write_text("<!DOCTYPE html>"), "is a web page, perhaps in "),
    "code": (save(Spy()), "mkdir, code or an object beside tensors"),
    "code, old": (save(Spy(), **OLD), "mkdir, code or an object beside tensors"),
    "code, pickle": (
        lambda path, _: path.write_bytes(pickle.dumps(Spy(), protocol=2)),
        "mkdir, code or an object beside tensors",
    ),
    "pickle": (lambda path, _: path.write_bytes(pickle.dumps([1])), "is a pickle; expected"),
    "whole model": (save(nn.Linear(2, 2)), "Linear, code or an object beside tensors"),
    "cut off": (cut_off(), "is a zip archive, as PyTorch checkpoints are, that is cut off"),
    "cut off, old": (cut_off(**OLD), "corrupt, or cut off"),
    "no tensors": (save({"step": 3}), "holds no network; expected names"),
    "other safetensors": (
        lambda path, _: save_file({"down_blocks.0.bias": torch.zeros(1)}, path),
        "without input_blocks.0.0.weight, but the weights of a UNet of diffusers",
    ),
    "several": (
        changed(lambda weights: {"model": weights, "ema": weights}),
        "holds several networks; name one with entry: model, ema",
    ),
    "other family": (
        save({"conv_in.weight": torch.zeros(1)}),
        "is no checkpoint of guided-diffusion, without input_blocks.0.0.weight, but one of DDPM "
        "(--from ddpm)",
    ),
    "classifier": (
        without("output_blocks"),
        "no output_blocks, so it is half of a network, such as a classifier",
    ),
    "upsampler": (
        changed(lambda weights: weights | {FIRST: torch.zeros(32, 6, 3, 3)}),
        "takes 6 channels, so it has a condition",
    ),
    "missing": (
        without("middle_block.0.out_layers.3"),
        "missing: middle_block.0.out_layers.3.weight, middle_block.0.out_layers.3.bias",
    ),
    "missing qkv": (without("middle_block.1.qkv.weight"), "; missing: middle_block.1.qkv.weight"),
    "surplus": (
        changed(lambda weights: weights | {"extra.weight": torch.zeros(2)}),
        "; left over: extra.weight",
    ),
    "shape": (
        changed(lambda weights: weights | {"out.0.weight": torch.zeros(3)}),
        "; of another shape or kind: out.0.weight (3,)",
    ),
    "integers": (
        changed(lambda weights: weights | {"out.0.weight": torch.ones(32, dtype=torch.long)}),
        "; of another shape or kind: out.0.weight (torch.int64, torch.strided)",
    ),
    "sparse": (
        changed(lambda weights: weights | {"out.0.weight": torch.ones(32).to_sparse()}),
        "; of another shape or kind: out.0.weight (torch.float32, torch.sparse_coo)",
    ),
    "told by shape": (without("out.2.weight"), "out.2.weight is missing, by whose shape"),
    "one level": (without("output_blocks.1.2"), "missing: input_blocks.1.1.norm.weight, input_"),
    "levels": (
        changed(lambda weights: weights | {"output_blocks.2.1.conv.weight": torch.zeros(1)}),
        "its 4 output_blocks double the size after the numbers [1, 2]; expected levels of as many",
    ),
    "NaN": (
        changed(lambda weights: weights | {"out.2.bias": torch.full((6,), torch.nan)}),
        "conv_out.bias: 6 of 6 weights are NaN or infinite",
    ),
}


@pytest.mark.parametrize("kind", BAD)
def test_what_is_no_checkpoint_is_refused_in_one_line(tmp_path, monkeypatch, guided, kind):
    monkeypatch.chdir(tmp_path)
    make, message = BAD[kind]
    make(tmp_path / "model.pt", guided().state_dict())
    with pytest.raises((ValueError, OSError), match=re.escape(message)) as refused:
        convert("model.pt", tmp_path / "out")
    assert str(refused.value).startswith("checkpoint: ")
    assert len(str(refused.value).splitlines()) == 1
    named = re.findall(r"[\w.]+\.(?:weight|bias)", str(refused.value))
    assert len(named) == len(set(named)), "queries, keys and values may come from one layer"
    assert not (tmp_path / "out").exists()
    assert not (tmp_path / "was-run").exists()


@pytest.mark.parametrize(
    ("told", "message"),
    [
        ({"layout": "ldm"}, "layout: unknown value 'ldm'; known: adm, ddpm"),
        ({"noise_schedule": "quadratic"}, "noise_schedule: unknown value 'quadratic'; known: lin"),
        ({"image_size": 0}, "image_size: got 0; expected an integer >= 1"),
        ({"num_head_channels": 0}, "num_head_channels: got 0; expected an integer >= 1"),
        ({"num_head_channels": 48}, "num_head_channels: got 48, but a level with attention has 64"),
        ({"num_heads": 2}, "num_heads: got num_head_channels too; give one of them"),
        ({"num_head_channels": None, "num_heads": 5}, "num_heads: got 5; expected a divisor of 64"),
        ({"entry": "ema"}, "holds no network 'ema'; known: none"),
        ({"layout": "ddpm"}, "num_head_channels: got 16; expected none for ddpm, whose attention"),
        (
            {"layout": "ddpm", "num_head_channels": None, "new_attention_order": True},
            "new_attention_order: got True; expected none for ddpm",
        ),
    ],
)
def test_wrong_options_are_refused_in_one_line(checkpoint, tmp_path, told, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        convert(checkpoint, tmp_path / "out", **told)
    assert not (tmp_path / "out").exists()


def test_heads_that_differ_in_width_are_refused(tmp_path, guided):
    """A number of heads at levels of different widths, as in the network for 128 pixels."""
    torch.save(guided(attentive=(0, 1)).state_dict(), tmp_path / "model.pt")
    with pytest.raises(ValueError, match="num_heads: got 4 for levels of 32 and 64 channels"):
        convert(tmp_path / "model.pt", tmp_path / "out", num_head_channels=None, num_heads=4)


def test_a_folder_that_holds_something_is_left_as_it_is(checkpoint, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "mine.txt").write_text("mine")
    with pytest.raises(
        FileExistsError, match="out: .* holds 'mine.txt'; expected a new or an empt"
    ):
        convert(checkpoint, tmp_path / "out")
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["mine.txt"]


@pytest.mark.parametrize("name", ["a" * 300, "a\0b"])
def test_what_is_no_name_is_refused_in_one_line(tmp_path, name):
    with pytest.raises(FileNotFoundError, match="^checkpoint: 'a.*is no name of a file"):
        convert(name, tmp_path / "out")


def test_a_pipe_is_not_waited_for(tmp_path):
    if not hasattr(os, "mkfifo"):
        pytest.skip("no pipes")
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(ValueError, match="is no regular file; expected a file, as torch.save"):
        convert(tmp_path / "pipe", tmp_path / "out")


def test_a_file_is_no_folder(checkpoint):
    with pytest.raises(NotADirectoryError, match="out: .*model.pt' is a file; expected a folder"):
        convert(checkpoint, checkpoint)


def test_a_killed_conversion_leaves_no_half_folder(checkpoint, tmp_path, kill_at):
    """Whenever it is killed: nothing that loads and is wrong, and the next one goes through."""
    expected = load_file(convert(checkpoint, tmp_path / "whole").folder / WEIGHTS)
    number = 1
    while kill_at(number, lambda: convert(checkpoint, tmp_path / "out")):
        names = {p.name for p in (tmp_path / "out").glob("*")} - {".deqir-lite.lock"}
        if "config.json" in names:
            assert load_file(tmp_path / "out" / WEIGHTS).keys() == expected.keys()
            assert (tmp_path / "out" / "scheduler_config.json").is_file()
        for path in (tmp_path / "out").glob("[!.]*"):  # finished files are the user's to remove
            path.unlink()
        number += 7
    assert load_file(tmp_path / "out" / WEIGHTS).keys() == expected.keys()
