"""The two networks of the GAN, and the inversion of its generator."""

import copy

import pytest
import torch

from deqir_lite._files import write_together
from deqir_lite.gan import Discriminator, Generator, PhotoGAN, invert
from deqir_lite.operators import make_task
from deqir_lite.priors.load import load_prior


@pytest.fixture(scope="module")
def generator():
    torch.manual_seed(0)
    return Generator((12, 8), latent=4).requires_grad_(False)


def latents(generator, side, batch=2, seed=0):
    random = torch.Generator().manual_seed(seed)
    return torch.randn(batch, generator.latent, side, side, generator=random)


def test_a_generator_of_crops_is_one_of_larger_photos(generator):
    assert generator.factor == 4
    assert generator(latents(generator, 2)).shape == (2, 3, 8, 8)
    wide = latents(generator, 12)
    whole = generator(wide)
    assert whole.shape == (2, 3, 48, 48)
    part = generator(wide[..., 1:11, 1:11])  # of the same latents, without what is at the border
    torch.testing.assert_close(whole[..., 20:28, 20:28], part[..., 16:24, 16:24])


def test_a_discriminator_gives_a_number_for_each_crop():
    torch.manual_seed(0)
    judge = Discriminator((12, 8), side=16)
    x = torch.rand(5, 3, 16, 16)
    assert judge(x).shape == (5,)
    same = x[:1].repeat(5, 1, 1, 1)
    assert not torch.allclose(judge(same)[0], judge(x)[0]), "it sees whether all are the same"


def test_each_stage_of_an_inversion_explains_y_better(generator):
    operator = make_task("sr2", (16, 16))
    y = operator.A(generator(latents(generator, 4, batch=1, seed=5)) + 0.05)
    before = copy.deepcopy(generator.state_dict())
    steps = {"draws": 4, "latent_steps": 60, "weight_steps": 60}
    found = invert(generator, operator, y, **steps)
    drawn, latent, weights = found.errors.values()
    assert list(found.errors) == ["drawn", "latent", "weights"]
    assert drawn > 2 * latent > 4 * weights > 0
    assert found.x0.shape == (1, 3, 16, 16)
    assert float((operator.A(found.x0) - y).square().mean()) == pytest.approx(weights, rel=1e-4)
    assert all(torch.equal(v, before[k]) for k, v in generator.state_dict().items())
    assert not any(p.requires_grad for p in generator.parameters())
    again = invert(generator, operator, y, **steps)
    assert torch.equal(again.x0, found.x0)
    with torch.no_grad():
        assert torch.equal(invert(generator, operator, y, **steps).x0, found.x0)


def test_of_no_steps_the_best_of_the_draws_is_left(generator):
    operator = make_task("sr2", (16, 16))
    y = operator.A(torch.zeros(2, 3, 16, 16))
    none = {"latent_steps": 0, "weight_steps": 0}
    errors = [invert(generator, operator, y, draws=n, **none).errors for n in (1, 8, 32)]
    assert errors[0]["drawn"] > errors[1]["drawn"] > errors[2]["drawn"]
    assert all(e["drawn"] == e["latent"] == e["weights"] for e in errors)


def test_refusals_of_an_inversion(generator):
    operator = make_task("inpaint-random", (18, 16))
    y = operator.A(torch.zeros(1, 3, 18, 16))
    with pytest.raises(ValueError, match=r"^y: of photos of 18x16 pixels; .* multiples of 4$"):
        invert(generator, operator, y)
    with pytest.raises(ValueError, match=r"^draws: got 0; expected an integer >= 1"):
        invert(generator, operator, y, draws=0)
    with pytest.raises(ValueError, match=r"^widths: got none"):
        Generator(())


def test_a_folder_is_read_back(generator, tmp_path):
    made = PhotoGAN(generator)
    write_together(tmp_path, made.files())
    loaded = PhotoGAN.load(tmp_path).generator
    z = latents(generator, 4)
    torch.testing.assert_close(loaded(z), generator(z), rtol=0, atol=1e-2)
    with pytest.raises(ValueError, match=r"^prior: \S+ holds a GAN, which predicts no noise; "):
        load_prior(tmp_path)
    (tmp_path / "residual.safetensors").write_bytes(b"cut")
    with pytest.raises(ValueError, match=r"^networks: \S+ is corrupt"):
        PhotoGAN.load(tmp_path)
