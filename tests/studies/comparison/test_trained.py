"""Folders of the trainer as rows of a comparison."""

from functools import partial

import pytest
import torch

from deqir_lite._files import write_together
from deqir_lite.gan import Generator, PhotoGAN, photo_gan
from deqir_lite.operators import make_task
from deqir_lite.priors.load import load_gaussian
from deqir_lite.priors.unet import ResidualUNet
from deqir_lite.restoration import pose_problem
from deqir_lite.studies.comparison.measure import measure
from deqir_lite.studies.comparison.networks import load_network, plan_networks
from deqir_lite.supervised import Palette, RegressionNetwork


def make(kind):
    torch.manual_seed(0)
    if kind == "gan":
        return PhotoGAN(Generator((8, 8), latent=4))
    network = ResidualUNet((8, 16), blocks=1, inputs=3 if kind == "regression" else 6)
    torch.nn.init.normal_(network.output.weight, std=0.05)
    if kind == "regression":
        return RegressionNetwork("sr4", network, torch.tensor([0.2]))
    return Palette("inpaint-random", load_gaussian(), network, torch.linspace(0.02, 0.6, 1000))


@pytest.fixture
def load(tmp_path):
    """kind -> the network of its folder."""

    def load(kind):
        (tmp_path / kind).mkdir(exist_ok=True)
        write_together(tmp_path / kind, make(kind).files())
        return load_network(str(tmp_path / kind))

    return load


@pytest.mark.parametrize(
    ("kind", "name", "steps"),
    [
        ("regression", "regression-sr4", 0),
        ("palette", "palette-inpaint-random", 20),
        ("gan", "gan", 0),
    ],
)
def test_a_row_is_what_the_network_restores(
    load, photos, gaussian_prior, monkeypatch, kind, name, steps
):
    """On any task, whatever it was trained for; a Palette has a chain, and so seeds."""
    few = partial(photo_gan.invert, latent_steps=10, weight_steps=10)
    monkeypatch.setattr(photo_gan, "invert", few)
    network = load(kind)
    assert network.name.startswith(f"{name} (")
    assert load(kind).name == network.name
    wanted, left_out = plan_networks([network], ["sr4", "inpaint-random"], [16])
    assert [setting.timesteps for setting in wanted] == [steps, steps]
    assert left_out == []
    truth = photos[0].load(16)
    problem = pose_problem(truth, "sr4")
    options = {"photo": "a.png", "net": None, "networks": {network.name: network}}
    rows = [measure(wanted[0], truth, gaussian_prior, seed=seed, **options) for seed in (0, 1)]
    for seed, row in enumerate(rows):
        mse = (network.solve(problem, seed).clamp(-1, 1) - truth).square().mean()
        assert row.psnr == pytest.approx(float(10 * (4 / mse).log10()), rel=1e-5)
        assert (row.nfe, row.failed) == (steps or None, None)
    assert (rows[0].psnr == rows[1].psnr) == (kind == "regression")


def test_a_gan_makes_no_photos_of_other_sizes(load):
    wanted, left_out = plan_networks([load("gan")], ["inpaint-random"], [18])
    assert wanted == []
    assert left_out[0].endswith("it makes photos whose sides are multiples of 4")


def test_a_damaged_folder_is_refused(load, tmp_path):
    load("regression")
    (tmp_path / "regression" / "residual.safetensors").unlink()
    with pytest.raises(FileNotFoundError, match=r"^networks: \S+ holds no residual"):
        load_network(str(tmp_path / "regression"))


def test_a_regression_sees_any_measurement_through_its_pseudo_inverse(load, photos):
    network, truth = load("regression"), photos[0].load(16)
    problem = pose_problem(truth, "deblur-gaussian")
    operator = make_task("deblur-gaussian", (16, 16))
    expected = network.made.restore(operator, operator.A(truth))
    torch.testing.assert_close(network.solve(problem, 0), expected)
