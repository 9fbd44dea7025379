"""A UNet2DModel as a prior: files, layouts, precision, batches."""

import json
import shutil

import diffusers
import pytest
import torch
from safetensors.torch import load_file, save_file

from deqir_lite.priors import Prior, power_law_spectrum
from deqir_lite.priors.load import gaussian_of, load_prior
from deqir_lite.priors.network import NetworkPrior, UNet2DModel, patch_size, schedule_from_config
from deqir_lite.schedule import SCHEDULES, linear_schedule

WEIGHTS = "diffusion_pytorch_model.safetensors"
SCHEDULER = {
    "beta_schedule": "linear", "beta_start": 1e-4, "beta_end": 0.02,
    "num_train_timesteps": 1000, "prediction_type": "v_prediction",
}  # fmt: skip


@pytest.fixture(scope="module")
def inputs():
    generator = torch.Generator().manual_seed(0)
    return torch.randn(5, 3, 16, 16, generator=generator), torch.tensor([0, 50, 300, 700, 999])


@pytest.fixture(scope="module")
def saved(tmp_path_factory, make_unet):
    """A pixel-unshuffled network, and the folder that diffusers itself saved it to."""
    folder = tmp_path_factory.mktemp("prior")
    unet = make_unet(12)
    unet.save_pretrained(folder)
    (folder / "scheduler_config.json").write_text(json.dumps(SCHEDULER))
    return unet, folder


@pytest.fixture
def folder(saved, tmp_path):
    """A copy that a test may damage."""
    return shutil.copytree(saved[1], tmp_path / "prior")


def test_loaded_prior_is_the_saved_network_on_unshuffled_images(saved, inputs):
    """v = unet(blocks as channels), eps = sqrt(abar) v + sqrt(1 - abar) x_t."""
    unet, folder = saved
    prior = NetworkPrior.load(folder)
    assert isinstance(prior, Prior)
    assert (prior.patch, prior.size_divisor, prior.prediction_type) == (2, 4, "v_prediction")
    x, t = inputs
    with torch.no_grad():
        blocks = x.reshape(5, 3, 8, 2, 8, 2).permute(0, 1, 3, 5, 2, 4).reshape(5, 12, 8, 8)
        v = unet(blocks, t).sample.reshape(5, 3, 2, 2, 8, 8).permute(0, 1, 4, 2, 5, 3)
        alpha_bar = linear_schedule().alpha_bar[t].float()[:, None, None, None]
        expected = alpha_bar.sqrt() * v.reshape(5, 3, 16, 16) + (1 - alpha_bar).sqrt() * x
        torch.testing.assert_close(prior(x, t), expected, rtol=1e-4, atol=1e-4)
    assert not any(p.requires_grad for p in prior.unet.parameters())
    assert not prior.unet.training


@pytest.mark.parametrize("layout", ["root", "pipeline"])
def test_a_spectrum_in_the_folder_is_that_of_its_photos(folder, inputs, tmp_path, layout):
    """The network is loaded, with a Gaussian prior of its schedule beside it."""
    prior = load_prior(folder)
    assert prior.gaussian is None
    if layout == "pipeline":
        (tmp_path / "pipeline").mkdir()
        folder = shutil.move(folder, tmp_path / "pipeline" / "unet").parent
        (folder / "scheduler").mkdir()
        shutil.move(folder / "unet" / "scheduler_config.json", folder / "scheduler")
    power_law_spectrum(size=8).save(folder / "spectrum.safetensors")
    loaded = load_prior(folder)
    torch.testing.assert_close(loaded(*inputs), prior(*inputs))
    assert gaussian_of(loaded) is loaded.gaussian
    assert loaded.gaussian.schedule is loaded.schedule


def test_layout_of_a_pipeline_with_subfolders(folder, saved, inputs):
    layout = {"unet": ["config.json", WEIGHTS], "scheduler": ["scheduler_config.json"]}
    for name, files in layout.items():
        (folder / name).mkdir()
        for file in files:
            (folder / file).rename(folder / name / file)
    torch.testing.assert_close(
        NetworkPrior.load(str(folder))(*inputs), NetworkPrior.load(saved[1])(*inputs)
    )


def test_half_precision_weights_are_computed_in_float32(folder, saved, inputs):
    half = {name: value.half() for name, value in load_file(folder / WEIGHTS).items()}
    save_file(half, folder / WEIGHTS, metadata={"format": "pt"})
    prior = NetworkPrior.load(folder)
    assert {p.dtype for p in prior.unet.parameters()} == {torch.float32}
    expected = NetworkPrior.load(saved[1])(*inputs)
    error = (prior(*inputs) - expected).norm() / expected.norm()
    assert 0 < error < 1e-3


def test_predicted_variance_is_dropped(make_unet, inputs):
    x, t = inputs
    unet = make_unet(3, 6)
    prior = NetworkPrior(unet, linear_schedule())
    with torch.no_grad():
        torch.testing.assert_close(prior(x, t), unet(x, t).sample[:, :3])


@pytest.mark.parametrize("max_batch", [1, 2, 5, 100])
def test_chunks_give_the_same_result(saved, inputs, max_batch):
    sizes = []
    prior = NetworkPrior.load(saved[1], max_batch=max_batch)
    prior.unet.register_forward_pre_hook(lambda module, args: sizes.append(len(args[0])))
    torch.testing.assert_close(prior(*inputs), NetworkPrior.load(saved[1])(*inputs))
    assert sum(sizes) == 5
    assert max(sizes) == min(max_batch, 5)


def test_bfloat16_is_near_float32_and_keeps_the_callers_dtype(saved, inputs):
    x, t = inputs
    exact = NetworkPrior.load(saved[1])(x, t)
    prior = NetworkPrior.load(saved[1], dtype="bfloat16")
    rough = prior(x, t)
    assert rough.dtype == torch.float32
    assert {p.dtype for p in prior.unet.parameters()} == {torch.float32}
    assert 1e-5 < (rough - exact).norm() / exact.norm() < 0.03
    assert prior(x.double(), t).dtype == torch.float64


def test_float64_network(saved, inputs):
    x, t = inputs
    double = NetworkPrior.load(saved[1], dtype="float64")(x.double(), t)
    assert double.dtype == torch.float64
    assert not torch.equal(double, double.float().double())
    single = NetworkPrior.load(saved[1])(x, t)
    assert (single.double() - double).norm() / double.norm() < 1e-5


def test_clip_x0_is_passed_on(saved, inputs):
    assert not torch.allclose(
        NetworkPrior.load(saved[1], clip_x0=True)(*inputs), NetworkPrior.load(saved[1])(*inputs)
    )


@pytest.mark.parametrize("size", [(16, 18), (6, 16), (15, 15)])
def test_sizes_that_the_network_cannot_halve(saved, size):
    with pytest.raises(ValueError, match=r"^x_t: got size .* multiples of 4$"):
        NetworkPrior.load(saved[1])(torch.zeros(1, 3, *size), torch.tensor([0]))


@pytest.mark.parametrize(
    ("argument", "message"),
    [
        ({"dtype": "float16"}, "dtype: unknown value 'float16'; known: float32, float64, bfloat16"),
        ({"max_batch": 0}, "max_batch: got 0"),
    ],
)
def test_bad_settings(saved, argument, message):
    with pytest.raises(ValueError, match=message):
        NetworkPrior.load(saved[1], **argument)


def damage_weights(folder):
    path = folder / WEIGHTS
    path.write_bytes(path.read_bytes()[:-100])


def other_architecture(folder):
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "block_out_channels": [32, 32]}))


@pytest.mark.parametrize(
    ("damage", "error", "message"),
    [
        (lambda f: (f / WEIGHTS).unlink(), FileNotFoundError, f"holds no {WEIGHTS}"),
        (lambda f: (f / "config.json").unlink(), FileNotFoundError, "holds no config.json"),
        (
            lambda f: (f / "scheduler_config.json").unlink(),
            FileNotFoundError,
            "holds no scheduler_config.json",
        ),
        (shutil.rmtree, FileNotFoundError, "no folder"),
        (damage_weights, ValueError, "corrupt or of another architecture"),
        (lambda f: (f / WEIGHTS).write_bytes(b""), ValueError, "corrupt"),
        (lambda f: (f / "config.json").write_text("{"), ValueError, "corrupt"),
        (other_architecture, ValueError, "of another architecture than its config.json"),
        (lambda f: (f / "scheduler_config.json").write_text("{"), ValueError, "not valid JSON"),
        (
            lambda f: (f / "scheduler_config.json").write_bytes(b"\xff"),
            ValueError,
            "not valid JSON",
        ),
        (lambda f: (f / "scheduler_config.json").write_text("[]"), ValueError, "no JSON object"),
        (
            lambda f: (f / "scheduler_config.json").write_text('{"beta_schedule": "warp"}'),
            ValueError,
            "beta_schedule: unknown value 'warp'; known: linear",
        ),
        (
            lambda f: (f / "scheduler_config.json").write_text('{"prediction_type": "score"}'),
            ValueError,
            "prediction_type: unknown",
        ),
    ],
)
def test_damaged_folders_give_one_clear_line(folder, damage, error, message):
    damage(folder)
    with pytest.raises(error, match=message) as caught:
        NetworkPrior.load(folder)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("weights", ["safetensors", "bin"])
def test_the_architecture_of_ddpm_celebahq(tmp_path, weights, inputs):
    """google/ddpm-celebahq-256 with narrow levels: six of them, attention on the fifth only."""
    levels = ["DownBlock2D"] * 4 + ["AttnDownBlock2D", "DownBlock2D"]
    unet = UNet2DModel(
        sample_size=256,
        block_out_channels=[8, 8, 16, 16, 32, 32],
        down_block_types=levels,
        up_block_types=[name.replace("Down", "Up") for name in reversed(levels)],
        attention_head_dim=None,
        norm_num_groups=8,
        norm_eps=1e-6,
        downsample_padding=0,
        flip_sin_to_cos=False,
        freq_shift=1,
    )
    unet.save_pretrained(tmp_path, safe_serialization=weights == "safetensors")
    diffusers.DDPMScheduler(variance_type="fixed_small").save_pretrained(tmp_path)
    prior = NetworkPrior.load(tmp_path)
    assert (prior.patch, prior.size_divisor, prior.prediction_type) == (1, 32, "epsilon")
    x, t = torch.nn.functional.interpolate(inputs[0], (64, 64)), inputs[1]
    with torch.no_grad():
        torch.testing.assert_close(prior(x, t), unet.eval()(x, t).sample, rtol=1e-4, atol=1e-4)
    assert torch.equal(prior.schedule.alpha_bar, linear_schedule().alpha_bar)


def other_attention(make_unet, folder, attention):
    """The folder's config.json with the attention blocks put in, or left out."""
    config = json.loads((folder / "config.json").read_text())
    kind = "Attn" if attention else ""
    config["down_block_types"] = ["DownBlock2D", f"{kind}DownBlock2D"]
    config["up_block_types"] = [f"{kind}UpBlock2D", "UpBlock2D"]
    (folder / "config.json").write_text(json.dumps(config))


def test_layers_without_weights_are_refused(make_unet, folder, capfd):
    """They would be random, others at each load."""
    other_attention(make_unet, folder, attention=False)
    plain = UNet2DModel.from_config(UNet2DModel.load_config(folder))
    count = len(plain.state_dict())
    plain.save_pretrained(folder)
    NetworkPrior.load(folder)
    other_attention(make_unet, folder, attention=True)
    missing = len(make_unet(12).state_dict()) - count
    capfd.readouterr()
    with pytest.raises(ValueError, match="of another architecture than its config.json") as caught:
        NetworkPrior.load(folder)
    assert str(folder) in str(caught.value)
    counts = f": {missing} tensors are missing, 0 are unexpected, 0 have another shape"
    assert counts in str(caught.value)
    assert ", such as down_blocks.1.attentions.0." in str(caught.value)
    assert capfd.readouterr().err == ""  # one line, and no log of diffusers before it


def test_weights_without_a_layer_are_refused(make_unet, folder):
    """They would be dropped."""
    other_attention(make_unet, folder, attention=False)
    message = r": 0 tensors are missing, \d\d are unexpected, 0 have another shape, such as down_b"
    with pytest.raises(ValueError, match=message):
        NetworkPrior.load(folder)


def test_tensors_of_another_shape_are_refused(folder):
    weights = load_file(folder / WEIGHTS)
    weights["conv_in.weight"] = weights["conv_in.weight"][:, :3].contiguous()
    weights["conv_norm_out.bias"] = weights["conv_norm_out.bias"][:4].contiguous()
    save_file(weights, folder / WEIGHTS, metadata={"format": "pt"})
    message = ": 0 tensors are missing, 0 are unexpected, 2 have another shape, such as conv_in.wei"
    with pytest.raises(ValueError, match=message):
        NetworkPrior.load(folder)


def test_attention_weights_with_the_names_of_old_checkpoints(folder, saved, inputs):
    """As google/ddpm-celebahq-256 has them: they are renamed, neither missing nor unexpected."""
    names = {"to_q": "query", "to_k": "key", "to_v": "value", "to_out.0": "proj_attn"}

    def old(name):
        for new, earlier in names.items():
            name = name.replace(f".{new}.", f".{earlier}.")
        return name

    weights = {old(name): value for name, value in load_file(folder / WEIGHTS).items()}
    assert any(".query." in name for name in weights)
    save_file(weights, folder / WEIGHTS, metadata={"format": "pt"})
    assert torch.equal(NetworkPrior.load(folder)(*inputs), NetworkPrior.load(saved[1])(*inputs))


# --- the hub, as far as its cache on this machine goes ---


@pytest.fixture
def hub(monkeypatch, tmp_path):
    """The folder of the model owner/name in an own cache of the hub, without a network."""
    import huggingface_hub

    repository = tmp_path / "hub" / "models--owner--name"
    snapshot = repository / "snapshots" / ("0" * 40)
    snapshot.mkdir(parents=True)
    (repository / "refs").mkdir()
    (repository / "refs" / "main").write_text("0" * 40)
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    monkeypatch.chdir(tmp_path)
    return snapshot


@pytest.mark.parametrize("weights", ["safetensors", "bin"])
@pytest.mark.parametrize("unet_place", ["", "unet"])
@pytest.mark.parametrize("scheduler_place", ["", "scheduler"])
def test_layouts_on_the_hub(hub, saved, inputs, weights, unet_place, scheduler_place):
    """At the root, as google/ddpm-celebahq-256 is, or in the subfolders of a pipeline."""
    (hub / scheduler_place).mkdir(exist_ok=True)
    (hub / scheduler_place / "scheduler_config.json").write_text(json.dumps(SCHEDULER))
    saved[0].save_pretrained(hub / unet_place, safe_serialization=weights == "safetensors")
    prior = NetworkPrior.load("owner/name")
    assert prior.prediction_type == "v_prediction"
    assert torch.equal(prior(*inputs), NetworkPrior.load(saved[1])(*inputs))


def test_corrupt_files_from_the_hub(hub, saved):
    shutil.copytree(saved[1], hub, dirs_exist_ok=True)
    damage_weights(hub)
    with pytest.raises(ValueError, match="in owner/name are corrupt"):
        NetworkPrior.load("owner/name")


@pytest.mark.parametrize(("channels", "factor"), [(3, 1), (12, 2), (27, 3), (48, 4)])
def test_patch_size(channels, factor):
    assert patch_size(channels) == factor


@pytest.mark.parametrize("channels", [0, 1, 4, 6, 13])
def test_channels_that_are_no_rgb_blocks(channels):
    with pytest.raises(ValueError, match=r"^in_channels: got \d+; expected 3 f\^2"):
        patch_size(channels)


def test_schedules_of_diffusers_configs():
    assert torch.equal(schedule_from_config({}).alpha_bar, linear_schedule().alpha_bar)
    config = {"beta_schedule": "scaled_linear", "num_train_timesteps": 50, "beta_start": 1e-3,
              "beta_end": 0.01}  # fmt: skip
    assert torch.equal(
        schedule_from_config(config).alpha_bar,
        SCHEDULES["scaled_linear"](50, beta_start=1e-3, beta_end=0.01).alpha_bar,
    )
    assert schedule_from_config({"beta_schedule": "squaredcos_cap_v2"}).num_train_timesteps == 1000
