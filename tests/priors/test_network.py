"""A UNet2DModel as a prior: files, layouts, precision, batches."""

import json
import shutil

import diffusers
import pytest
import torch
from safetensors.torch import load_file, save_file

from deqir_lite.priors import Prior, power_law_spectrum
from deqir_lite.priors.identity import prior_digest
from deqir_lite.priors.load import gaussian_of, load_prior
from deqir_lite.priors.network import NetworkPrior, UNet2DModel, patch_size
from deqir_lite.schedule import linear_schedule

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
        (lambda f: (f / "config.json").write_text("{"), ValueError, "not valid JSON"),
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
            "beta_schedule: unknown value 'warp' for DDPMScheduler; known: linear",
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
    assert torch.equal(prior.schedule.alpha_bar, diffusers.DDPMScheduler().alphas_cumprod.double())


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


@pytest.mark.parametrize(("channels", "factor"), [(1, 1), (3, 1), (12, 2), (27, 3), (48, 4)])
def test_patch_size(channels, factor):
    assert patch_size(channels) == factor


@pytest.mark.parametrize("channels", [0, 4, 6, 13])
def test_channels_that_are_no_rgb_blocks(channels):
    with pytest.raises(ValueError, match=r"^in_channels: got \d+; expected 3 f\^2"):
        patch_size(channels)


# --- other forms of the weights ---


@pytest.mark.parametrize("variant", ["fp16", "non_ema"])
@pytest.mark.parametrize("safe", [True, False])
@pytest.mark.parametrize("place", ["", "unet"])
def test_variants(make_unet, tmp_path, inputs, variant, safe, place):
    make_unet(3).save_pretrained(tmp_path / place, variant=variant, safe_serialization=safe)
    diffusers.DDPMScheduler().save_pretrained(tmp_path / place.replace("unet", "scheduler"))
    x, t = inputs
    with torch.no_grad():
        expected = make_unet(3).eval()(x, t).sample
    torch.testing.assert_close(NetworkPrior.load(tmp_path)(x, t), expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("variant", [None, "fp16"])
@pytest.mark.parametrize("place", ["", "unet"])
def test_sharded_weights(make_unet, tmp_path, inputs, variant, place):
    make_unet(3).save_pretrained(tmp_path / place, variant=variant, max_shard_size="100KB")
    assert len(list((tmp_path / place).glob("*-of-*.safetensors"))) > 2
    diffusers.DDPMScheduler().save_pretrained(tmp_path)
    x, t = inputs
    with torch.no_grad():
        expected = make_unet(3).eval()(x, t).sample
    torch.testing.assert_close(NetworkPrior.load(tmp_path)(x, t), expected, rtol=1e-4, atol=1e-4)


# --- classes ---


@pytest.fixture
def class_unet():
    """A tiny class-conditional network, by the kind of its classes."""

    def make(**options):
        torch.manual_seed(0)
        return UNet2DModel(
            sample_size=8,
            block_out_channels=(8, 16),
            layers_per_block=1,
            down_block_types=("DownBlock2D",) * 2,
            up_block_types=("UpBlock2D",) * 2,
            norm_num_groups=8,
            **options,
        )

    return make


@pytest.mark.parametrize("options", [{"num_class_embeds": 5}, {"class_embed_type": "timestep"}])
@pytest.mark.parametrize("label", [0, 4])
def test_a_class_conditional_network_is_asked_for_its_label(
    class_unet, tmp_path, inputs, options, label
):
    unet = class_unet(**options).eval()
    unet.save_pretrained(tmp_path)
    diffusers.DDPMScheduler().save_pretrained(tmp_path)
    x, t = inputs
    with torch.no_grad():
        expected = unet(x, t, class_labels=torch.full((5,), label)).sample
    prior = load_prior(tmp_path, label=label, max_batch=2)
    torch.testing.assert_close(prior(x, t), expected, rtol=1e-4, atol=1e-4)
    assert not torch.allclose(load_prior(tmp_path, label=2)(x, t), expected, atol=1e-3)
    digests = {prior_digest(load_prior(tmp_path, label=k), "") for k in (0, 1, 2)}
    assert len(digests) == 3


@pytest.mark.parametrize(
    ("options", "label", "message"),
    [
        (
            {"num_class_embeds": 5},
            None,
            r"got None, but .* class-conditional; .* in \[0, 4\] \(--",
        ),
        ({"num_class_embeds": 5}, 5, r"label: got 5, .* expected an integer in \[0, 4\]"),
        ({"num_class_embeds": 5}, -1, r"label: got -1, .* expected an integer in \[0, 4\]"),
        ({"num_class_embeds": 5}, 1.0, r"label: got 1\.0, .* expected an integer"),
        ({"num_class_embeds": 5}, True, "label: got True, .* expected an integer in"),
        ({"class_embed_type": "timestep"}, None, "label: got None, .* expected an integer >= 0"),
        (
            {"class_embed_type": "identity"},
            1,
            "class_embed_type: got 'identity', an embedding",
        ),
        ({}, 1, "label: got 1, but the network has no classes; leave it out"),
    ],
)
def test_labels_that_do_not_fit(class_unet, options, label, message):
    with pytest.raises(ValueError, match=message):
        NetworkPrior(class_unet(**options), linear_schedule(), label=label)
    with pytest.raises(ValueError, match=message):
        load_prior(class_unet(**options), label=label)


def test_a_label_for_a_prior_without_classes():
    for name in ("gaussian", "photo64", lambda x, t: x):
        with pytest.raises(ValueError, match="^label: got 3, but the prior has no classes; leave"):
            load_prior(name, label=3)


# --- grey networks ---


def test_a_grey_network_on_grey_images_is_the_network(make_unet, inputs):
    unet = make_unet(1).eval()
    prior = NetworkPrior(unet, linear_schedule(), prediction_type="v_prediction")
    x, t = inputs[0][:, :1], inputs[1]
    signal, noise = prior.schedule.at(t, x)
    with torch.no_grad():
        expected = signal * unet(x, t).sample + noise * x
    torch.testing.assert_close(prior(x, t), expected)


class ExactGrey(UNet2DModel):
    """The noise that the best network would see in grey images of independent normal pixels."""

    @classmethod
    def make(cls, schedule):
        net = cls(
            in_channels=1,
            out_channels=1,
            block_out_channels=(8,),
            layers_per_block=1,
            down_block_types=("DownBlock2D",),
            up_block_types=("UpBlock2D",),
            norm_num_groups=8,
        )
        net.schedule, net.asked = schedule, []
        return net

    def forward(self, sample, timestep, class_labels=None):
        self.asked.append(timestep)
        signal, noise = self.schedule.at(timestep, sample)
        return diffusers.models.unets.unet_2d.UNet2DOutput(noise * sample / (signal**2 + noise**2))


@pytest.mark.parametrize("t", [30, 200, 500, 900])
def test_a_grey_network_knows_that_three_channels_tell_more_than_one(t):
    """x_0 of three noisy copies of a grey photo: grey, and of their mean, E[x_0 | x_t]."""
    schedule = linear_schedule()
    prior = NetworkPrior(ExactGrey.make(schedule), schedule, dtype="float64")
    generator = torch.Generator().manual_seed(0)
    grey, white = (torch.randn(4, c, 8, 8, generator=generator).double() for c in (1, 3))
    steps = torch.full((4,), t)
    signal, noise = schedule.at(steps, grey)
    x_t = signal * grey + noise * white
    x0 = (x_t - noise * prior(x_t, steps)) / signal
    torch.testing.assert_close(x0, x0.mean(dim=1, keepdim=True).expand_as(x0))
    variance = noise**2 / 3
    expected = signal * x_t.mean(dim=1, keepdim=True) / (signal**2 + variance)
    torch.testing.assert_close(x0[:, :1], expected, rtol=0, atol=0.02)
    own_signal, own_noise = schedule.at(prior.unet.asked[0], grey)
    ratio = (own_noise / own_signal) / (noise / signal)
    torch.testing.assert_close(ratio, torch.full_like(ratio, 3**-0.5), rtol=0.05, atol=0)


def test_the_gaussian_prior_beside_a_grey_network_is_grey(make_unet):
    prior = load_prior(make_unet(1))
    found = gaussian_of(prior)
    sample = found.sample((1, 8, 8), torch.Generator().manual_seed(0))
    torch.testing.assert_close(sample, sample[:, :1].expand_as(sample))
    assert found.schedule is prior.schedule


@pytest.mark.parametrize("task", ["inpaint-random", "sr2"])
def test_a_grey_network_restores_grey_photos(make_unet, task):
    from deqir_lite.restoration import SolveOptions, pose_problem, restore_problem

    prior = load_prior(make_unet(1))
    ramp = torch.linspace(-0.8, 0.8, 16).expand(1, 3, 16, 16)
    problem = pose_problem(ramp, task)
    settings = {"num_steps": 4, "eta": 1.0, "spacing": "cubic"}
    found = [
        restore_problem(
            problem,
            prior,
            method="ddnm",
            settings=settings,
            sampler=sampler,
            solve=SolveOptions(tolerance=1e-6),
        ).restored
        for sampler in ("parallel", "sequential")
    ]
    torch.testing.assert_close(found[0], found[1], rtol=0, atol=1e-3)
    torch.testing.assert_close(found[0], found[0][:, :1].expand(1, 3, 16, 16), rtol=0, atol=1e-4)


@pytest.mark.parametrize("channels", [2, 4])
def test_images_of_other_channels_than_the_networks(make_unet, channels):
    for count, expected in ((1, r"\(B, 1, H, W\) or \(B, 3, H, W\)"), (3, r"\(B, 3, H, W\)")):
        prior = NetworkPrior(make_unet(count), linear_schedule())
        with pytest.raises(ValueError, match=f"^x_t: got shape .*; expected {expected}$"):
            prior(torch.zeros(1, channels, 8, 8), torch.tensor([3]))


# --- in memory ---


def test_a_network_in_memory(make_unet, inputs):
    x, t = inputs
    unet = make_unet(3).eval()
    prior = load_prior(unet, max_batch=2, dtype="float64")
    assert (prior.max_batch, prior.compute_dtype) == (2, torch.float64)
    assert torch.equal(prior.schedule.alpha_bar, linear_schedule().alpha_bar)
    with torch.no_grad():
        expected = unet.double()(x.double(), t).sample
    torch.testing.assert_close(prior(x.double(), t), expected)


def test_a_pipeline_in_memory(make_unet, inputs):
    scheduler = diffusers.DDIMScheduler(
        beta_schedule="squaredcos_cap_v2", prediction_type="v_prediction"
    )
    prior = load_prior(diffusers.DDIMPipeline(make_unet(3), scheduler))
    assert prior.prediction_type == "v_prediction"
    table = diffusers.DDIMScheduler(beta_schedule="squaredcos_cap_v2").alphas_cumprod
    assert torch.equal(prior.schedule.alpha_bar, table.double())
    assert prior(*inputs).isfinite().all()


def test_a_readers_own_class_on_top_of_diffusers_is_a_function(inputs):
    class Own(diffusers.ModelMixin):
        def forward(self, x, t):
            return 2 * x

    assert torch.equal(load_prior(Own())(*inputs), 2 * inputs[0])


def other_networks():
    small = {"block_out_channels": (8, 8), "norm_num_groups": 8, "layers_per_block": 1}
    down, up = ("DownBlock2D",) * 2, ("UpBlock2D",) * 2
    plain = {**small, "down_block_types": down, "up_block_types": up}
    return [
        (
            lambda: diffusers.UNet2DConditionModel(**plain, cross_attention_dim=8),
            "prior: got a UNet2DConditionModel of diffusers; expected a UNet2DModel on pixels",
        ),
        (lambda: diffusers.VQModel(), "prior: got a VQModel of diffusers; expected a UNet2DM"),
        (
            lambda: UNet2DModel(**plain, in_channels=4, out_channels=4),
            "in_channels: got 4; exp",
        ),
        (lambda: UNet2DModel(**plain, out_channels=4), "out_channels: got 4; expected 3, as"),
        (
            lambda: UNet2DModel(**plain, time_embedding_type="fourier"),
            "time_embedding_type: got 'fourier', noise levels of a variance-exploding",
        ),
        (
            lambda: UNet2DModel(**plain, time_embedding_type="learned", num_train_timesteps=10),
            "num_train_timesteps: got 10 for a schedule of 1000; expected as many",
        ),
        (
            lambda: diffusers.LDMPipeline(
                diffusers.VQModel(), UNet2DModel(**plain), diffusers.DDIMScheduler()
            ),
            r"the LDMPipeline works on the latents of its vqvae \(VQModel\); expected a UNet2D",
        ),
        (
            lambda: diffusers.DDPMPipeline(UNet2DModel(**plain), diffusers.ScoreSdeVeScheduler()),
            "the DDPMPipeline: ScoreSdeVeScheduler is no schedule of a variance-preserving",
        ),
    ]


@pytest.mark.parametrize(("make", "message"), other_networks())
def test_networks_in_memory_that_will_not_do_are_refused_at_once(make, message):
    with pytest.raises(ValueError, match=message) as caught:
        load_prior(make())
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_weights_that_are_not_finite(make_unet, folder, value):
    unet = make_unet(3)
    unet.conv_in.bias.data[2:4] = value
    with pytest.raises(ValueError, match=r"conv_in\.bias: 2 of 16 weights are NaN or infinite"):
        load_prior(unet)
    weights = load_file(folder / WEIGHTS)
    weights["conv_out.weight"][0, 0, 0, 0] = value
    save_file(weights, folder / WEIGHTS, metadata={"format": "pt"})
    with pytest.raises(ValueError, match=r"^prior: .*prior: conv_out\.weight: 1 of \d+ weights"):
        NetworkPrior.load(folder)
