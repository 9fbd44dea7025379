"""x_{0|t} = xG_{0|t} + e(t) f: the sum itself, precisions, batches and files."""

import json
import os
import shutil

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from deqir_lite.priors import GaussianPrior, Prior, power_law_spectrum, predict_x0
from deqir_lite.priors.identity import prior_digest
from deqir_lite.priors.residual import ResidualPrior, is_residual_prior
from deqir_lite.priors.unet import ResidualUNet
from deqir_lite.schedule import cosine_schedule, linear_schedule

WEIGHTS = "residual.safetensors"
TIMES = torch.tensor([0, 50, 300, 700, 999])


@pytest.fixture(scope="module")
def x_t():
    return torch.randn(5, 3, 16, 16, generator=torch.Generator().manual_seed(0)).double()


def write(prior, folder):
    folder.mkdir(exist_ok=True)
    for name, content in prior.files().items():
        (folder / name).write_bytes(content)
    return folder


@pytest.fixture
def folder(make_residual, tmp_path):
    return write(make_residual(), tmp_path / "prior")


def test_the_denoiser_is_the_gaussian_one_and_the_network(make_residual, x_t):
    prior = make_residual(dtype="float64")
    assert isinstance(prior, Prior)
    assert prior.size_divisor == 4
    alpha_bar = linear_schedule().alpha_bar[TIMES]
    output = prior.network(x_t, ((1 - alpha_bar) / alpha_bar).log() / 2)
    assert output.std() > 0.1
    scale = torch.linspace(0.02, 0.6, 1000)[TIMES].double()
    expected = prior.gaussian.denoise(x_t, TIMES) + scale[:, None, None, None] * output
    got = prior.denoise(x_t, TIMES)
    torch.testing.assert_close(got, expected, rtol=1e-12, atol=1e-12)
    signal, noise = prior.schedule.at(TIMES, x_t)
    eps = prior(x_t, TIMES)
    torch.testing.assert_close(predict_x0(x_t, eps, signal, noise), got, rtol=1e-10, atol=1e-10)


def test_a_network_that_begins_is_the_gaussian_prior(x_t):
    gaussian = GaussianPrior(power_law_spectrum(size=8))
    prior = ResidualPrior(
        gaussian, ResidualUNet((8, 16), blocks=1), torch.ones(1000), dtype="float64"
    )
    got, expected = prior(x_t, TIMES), gaussian(x_t, TIMES)
    torch.testing.assert_close(got, expected, rtol=1e-9, atol=1e-9)


def test_other_sizes_and_other_schedules(make_residual, x_t):
    prior = make_residual()
    assert prior(x_t[:1, :, :8, :12], TIMES[:1]).shape == (1, 3, 8, 12)
    gaussian = GaussianPrior(prior.gaussian.spectrum, schedule=cosine_schedule(40))
    other = ResidualPrior(gaussian, prior.network, torch.ones(40))
    assert other.schedule is gaussian.schedule
    assert other(x_t, torch.arange(5) * 9).isfinite().all()


@pytest.mark.parametrize("max_batch", [1, 2, 5, 100])
def test_chunks_give_the_same_result(make_residual, x_t, max_batch):
    sizes = []
    # in float64, since processors round float32 in another order for another batch
    prior = make_residual(max_batch=max_batch, dtype="float64")
    prior.network.register_forward_pre_hook(lambda module, args: sizes.append(len(args[0])))
    torch.testing.assert_close(prior(x_t, TIMES), make_residual(dtype="float64")(x_t, TIMES))
    assert sum(sizes) == 5
    assert max(sizes) == min(max_batch, 5)


def test_precisions_inside_the_network_keep_the_callers_outside(make_residual, x_t):
    exact = make_residual(dtype="float64").denoise(x_t, TIMES)
    gaussian = make_residual().gaussian.denoise(x_t, TIMES)
    for dtype, low, high in [("float32", 1e-9, 1e-6), ("bfloat16", 1e-5, 0.03)]:
        prior = make_residual(dtype=dtype)
        assert {p.dtype for p in prior.network.parameters()} == {torch.float32}
        assert prior(x_t.float(), TIMES).dtype == torch.float32
        # the Gaussian part is computed in the caller's precision: only F is rough
        error = (prior.denoise(x_t, TIMES) - exact).norm() / (exact - gaussian).norm()
        assert low < error < high
        assert prior.denoise(x_t, TIMES).dtype == torch.float64


def test_products_with_the_jacobian(make_residual, x_t):
    prior = make_residual(dtype="float64", max_batch=2)
    v, step = torch.randn(x_t.shape, generator=torch.Generator().manual_seed(1)).double(), 1e-6
    _, forward = torch.func.jvp(lambda x: prior(x, TIMES), (x_t,), (v,))
    expected = (prior(x_t + step * v, TIMES) - prior(x_t - step * v, TIMES)) / (2 * step)
    torch.testing.assert_close(forward, expected, rtol=1e-5, atol=1e-5)
    _, backward = torch.func.vjp(lambda x: prior(x, TIMES), x_t)
    torch.testing.assert_close((backward(v)[0] * v).sum(), (forward * v).sum())
    assert not any(p.requires_grad for p in prior.network.parameters())


@pytest.mark.parametrize(
    ("argument", "message"),
    [
        ({"dtype": "float16"}, "dtype: unknown value 'float16'; known: float32, float64, bfloat16"),
        ({"max_batch": 0}, "max_batch: got 0"),
    ],
)
def test_bad_settings(make_residual, folder, argument, message):
    for make in (make_residual, lambda **options: ResidualPrior.load(folder, **options)):
        with pytest.raises(ValueError, match=message):
            make(**argument)


@pytest.mark.parametrize(
    "scale", [torch.ones(999), torch.zeros(1000), torch.full((1000,), torch.nan)]
)
def test_bad_scales(make_residual, scale):
    prior = make_residual()
    with pytest.raises(
        ValueError, match=r"^scale: got shape .*; expected \(1000,\) positive numbers"
    ):
        ResidualPrior(prior.gaussian, prior.network, scale)


# --- files ---


def test_saved_and_loaded_it_is_the_same_up_to_half_precision(make_residual, folder, x_t):
    saved, loaded = make_residual(), ResidualPrior.load(str(folder))
    assert sorted(os.listdir(folder)) == ["config.json", WEIGHTS, "spectrum.safetensors"]
    assert prior_digest(loaded, "") == prior_digest(saved, "")
    assert torch.equal(loaded.scale, saved.scale)
    assert torch.equal(loaded.schedule.alpha_bar, saved.schedule.alpha_bar)
    error = (loaded(x_t, TIMES) - saved(x_t, TIMES)).norm() / saved(x_t, TIMES).norm()
    assert 0 < error < 1e-3
    with safe_open(folder / WEIGHTS, "pt") as file:
        dtypes = {name: file.get_tensor(name).dtype for name in file.keys()}  # noqa: SIM118
    assert dtypes.pop("scale") == torch.float32
    assert set(dtypes.values()) == {torch.float16}
    again = ResidualPrior.load(folder, dtype="float64", max_batch=2)
    assert (again.compute_dtype, again.max_batch) == (torch.float64, 2)
    assert (
        again.files()
        == loaded.files()
        == {path.name: path.read_bytes() for path in folder.iterdir()}
    )


def test_another_number_of_timesteps_is_stored(make_residual, tmp_path):
    prior = make_residual()
    gaussian = GaussianPrior(prior.gaussian.spectrum, schedule=linear_schedule(1200))
    longer = ResidualPrior(gaussian, prior.network, torch.ones(1200))
    loaded = ResidualPrior.load(write(longer, tmp_path))
    assert torch.equal(loaded.schedule.alpha_bar, longer.schedule.alpha_bar)


def test_what_a_folder_says_it_holds(folder, tmp_path):
    assert is_residual_prior(folder)
    assert not is_residual_prior(tmp_path)
    assert not is_residual_prior(tmp_path / "gone")
    (tmp_path / "config.json").write_text('{"_class_name": "UNet2DModel"}')
    assert not is_residual_prior(tmp_path)


def change_config(**changes):
    def damage(folder):
        config = json.loads((folder / "config.json").read_text())
        (folder / "config.json").write_text(json.dumps(config | changes))

    return damage


def change_weights(change):
    def damage(folder):
        weights = load_file(folder / WEIGHTS)
        change(weights)
        save_file(weights, folder / WEIGHTS)

    return damage


def cut(name):
    def damage(folder):
        (folder / name).write_bytes((folder / name).read_bytes()[:-100])

    return damage


OTHER = "of another architecture than its config.json"


@pytest.mark.parametrize(
    ("damage", "error", "message"),
    [
        (shutil.rmtree, FileNotFoundError, r"^prior: no folder \S+$"),
        (lambda f: (f / WEIGHTS).unlink(), FileNotFoundError, f"holds no {WEIGHTS}$"),
        (lambda f: (f / "config.json").unlink(), FileNotFoundError, "holds no config.json$"),
        (lambda f: (f / "spectrum.safetensors").unlink(), FileNotFoundError, "no file .*spectrum"),
        (cut(WEIGHTS), ValueError, f"{WEIGHTS} is corrupt"),
        (lambda f: (f / WEIGHTS).write_bytes(b""), ValueError, f"{WEIGHTS} is corrupt"),
        (cut("spectrum.safetensors"), ValueError, "spectrum.safetensors is corrupt"),
        (lambda f: (f / "config.json").write_text("{"), ValueError, "not valid JSON"),
        (lambda f: (f / "config.json").write_bytes(b"\xff"), ValueError, "not valid JSON"),
        (lambda f: (f / "config.json").write_text("[]"), ValueError, "no JSON object"),
        (lambda f: (f / "config.json").write_text("{}"), ValueError, "network of unknown kind"),
        (change_config(_class_name="UNet2DModel"), ValueError,
         "holds a UNet2DModel, not a ResidualPrior; train one with `deqir-lite train`"),
        (change_config(channels=[8, 24]), ValueError, OTHER),
        (change_config(blocks=2), ValueError, OTHER),
        (change_config(patch=1), ValueError, OTHER),
        (change_config(channels=7), ValueError, r"config\.json: channels: got 7; .* list$"),
        (change_config(blocks=0), ValueError, r"config\.json: blocks: got 0; .* equal to 1$"),
        (change_config(num_train_timesteps="many"), ValueError, r"num_train_timesteps: got 'many'"),
        (change_config(num_train_timesteps=900), ValueError, r"scale: got shape \(1000,\)"),
        (change_weights(lambda w: w["input.bias"].fill_(torch.nan)), ValueError,
         r"residual\.safetensors: input\.bias: 8 of 8 weights are NaN or infinite"),
        (change_weights(lambda w: w.pop("scale")), ValueError,
         r"lacks e\(t\), the tensor 'scale', which .* train it anew with `deqir-lite train`"),
        (change_weights(lambda w: w.pop("input.weight")), ValueError, OTHER),
        (change_weights(lambda w: w.update(more=torch.ones(1))), ValueError, OTHER),
    ],
)  # fmt: skip
def test_damaged_folders_give_one_clear_line(folder, damage, error, message):
    damage(folder)
    with pytest.raises(error, match=message) as caught:
        ResidualPrior.load(folder)
    assert "\n" not in str(caught.value)


def test_the_folder_of_a_gaussian_prior(tmp_path):
    power_law_spectrum(size=8).save(tmp_path / "spectrum.safetensors")
    with pytest.raises(ValueError, match="holds a Gaussian photo prior, not a ResidualPrior"):
        ResidualPrior.load(tmp_path)


def test_too_little_memory_is_no_corrupt_file(folder, monkeypatch):
    def full(path):
        raise MemoryError

    monkeypatch.setattr("deqir_lite.priors.weights.load_file", full)
    with pytest.raises(MemoryError):
        ResidualPrior.load(folder)
