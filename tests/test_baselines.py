"""The simple methods against known answers."""

import numpy as np
import pytest
import torch
from PIL import Image

from deqir_lite import load_gaussian
from deqir_lite.baselines import (
    baseline_of,
    baselines_of,
    bicubic,
    biharmonic,
    gaussian_mean,
    linear,
    nearest,
    simple_answer,
)
from deqir_lite.operators import TASKS, Inpainting, make_task, random_mask
from deqir_lite.priors.gaussian_posterior import GaussianPosterior

FILLS = [biharmonic, linear, nearest]

RAMP = torch.linspace(-0.5, 0.5, 16, dtype=torch.float64)


@pytest.fixture
def photo(gaussian_prior):
    return gaussian_prior.sample((2, 16, 16), torch.Generator().manual_seed(1)) / 4


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
@pytest.mark.parametrize("task", ["sr2", "inpaint-box", "old-photo-sr2", "deblur-motion"])
def test_half_precision_is_that_of_float32_rounded_once(photo, task, dtype):
    operator = make_task(task, (16, 16))
    y = operator.A(photo.to(dtype))
    for answer in (lambda y: simple_answer(operator, y)[1], lambda y: gaussian_mean(operator, y)):
        assert torch.equal(answer(y), answer(y.float()).to(dtype))


def test_bicubic_continues_a_ramp():
    coarse = RAMP.expand(1, 3, 16, 16)
    fine = bicubic(coarse, 2)
    pixel = RAMP[1] - RAMP[0]
    expected = RAMP[0] + pixel * (torch.arange(32).double() / 2 - 0.25)
    inside = slice(4, -4)  # the kernel reaches over the border elsewhere
    assert torch.allclose(fine[0, 0, 0, inside], expected[inside], atol=1e-12)
    assert torch.allclose(fine, fine[:, :, :1].expand_as(fine), atol=1e-12)


@pytest.mark.parametrize("factor", [2, 4])
def test_bicubic_is_that_of_pillow(photo, factor):
    plane = photo[0, 0].float()
    picture = Image.fromarray(plane.numpy())
    theirs = picture.resize((16 * factor, 16 * factor), Image.Resampling.BICUBIC)
    ours = bicubic(plane[None, None], factor)[0, 0]
    assert np.allclose(ours.numpy(), np.asarray(theirs), atol=1e-5)


def test_biharmonic_finds_a_harmonic_polynomial():
    """x, y, xy and x^2 - y^2 have no Laplacian: holes inside come back exactly."""
    i, j = torch.meshgrid(torch.arange(16.0), torch.arange(16.0), indexing="ij")
    i, j = i.double() / 16, j.double() / 16
    photo = torch.stack([i + 2 * j, i * j, i**2 - j**2])[None]
    mask = torch.ones(16, 16)
    mask[4:9, 5:12] = 0
    mask[12, 3] = 0
    filled = biharmonic(photo * mask, mask)
    assert torch.allclose(filled, photo, atol=1e-10)


@pytest.mark.parametrize("fill", FILLS)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_fills_keep_what_is_there(photo, fill, dtype):
    photo = photo.to(dtype)
    mask = random_mask((16, 16), seed=3)
    filled = fill(photo * mask, mask)
    kept = mask.bool()
    assert filled.dtype == dtype
    assert torch.equal(filled[..., kept], photo[..., kept])
    assert (filled[..., ~kept] != 0).all()
    assert torch.equal(fill(photo, torch.ones(16, 16)), photo)
    assert torch.equal(fill(photo, torch.zeros(16, 16)), photo)


@pytest.mark.parametrize("fill", FILLS)
def test_every_image_can_have_its_own_mask(photo, fill):
    masks = torch.stack([random_mask((16, 16), seed=seed) for seed in (1, 2)])[:, None]
    twice = torch.cat([photo, -photo])
    filled = fill(twice, masks)
    for k, image in enumerate(twice):
        assert torch.equal(filled[k], fill(image[None], masks[k % 2, 0])[0])


def test_linear_continues_a_ramp_inside_the_hull():
    i, j = torch.meshgrid(RAMP, RAMP, indexing="ij")
    ramp = torch.stack([i, j, 1 - i + 2 * j])[None]
    mask = random_mask((16, 16), seed=4)
    mask[0, 0] = mask[0, -1] = mask[-1, 0] = mask[-1, -1] = 1
    assert torch.allclose(linear(ramp * mask, mask), ramp, atol=1e-12)


def test_linear_copies_where_there_is_no_triangle(photo):
    outside = torch.ones(16, 16)
    outside[:, 12:] = 0
    line = torch.zeros(16, 16)
    line[:, 3] = 1
    pair = torch.zeros(16, 16)
    pair[2, 3] = pair[9, 9] = 1
    for mask in (outside, line, pair):
        assert torch.equal(linear(photo * mask, mask), nearest(photo * mask, mask))


def test_nearest_copies_the_nearest(photo):
    mask = torch.zeros(16, 16)
    mask[2, 3] = mask[12, 11] = 1
    i, j = torch.meshgrid(torch.arange(16), torch.arange(16), indexing="ij")
    first, second = ((i - a).square() + (j - b).square() for a, b in ((2, 3), (12, 11)))
    filled = nearest(photo * mask, mask)
    assert (filled == photo[..., 2, 3, None, None])[..., first < second].all()
    assert (filled == photo[..., 12, 11, None, None])[..., first > second].all()


@pytest.mark.parametrize(
    ("task", "name"),
    [
        ("sr4", "bicubic"),
        ("pool2", "bicubic"),
        ("deblur-gaussian", "y"),
        ("deblur-motion", "y"),
        ("inpaint-box", "biharmonic"),
        ("colorization", "grey"),
        ("sensing", "A⁺y"),
        ("old-photo", "biharmonic"),
        ("old-photo-sr2", "biharm., bicubic"),
    ],
)
def test_names(task, name):
    operator = make_task(task, (16, 16))
    assert baseline_of(operator).name == baselines_of(operator)[0].name == name


def test_holes_have_more_than_one():
    names = {
        task: [baseline.name for baseline in baselines_of(make_task(task, (16, 16)))]
        for task in ("inpaint-text", "old-photo", "old-photo-sr2", "sr2")
    }
    assert names["inpaint-text"] == names["old-photo"] == ["biharmonic", "linear", "nearest"]
    assert names["old-photo-sr2"] == ["biharm., bicubic", "linear, bicubic", "nearest, bicubic"]
    assert names["sr2"] == ["bicubic"]


@pytest.mark.parametrize("task", TASKS)
def test_a_constant_grey_photo_comes_back(task):
    """Every baseline is right where there is nothing to guess."""
    operator = make_task(task, (32, 32))
    photo = torch.full((1, 3, 32, 32), 0.3, dtype=torch.float64)
    inside = (..., slice(8, -8), slice(8, -8))  # some blurs change the border
    for baseline in baselines_of(operator):
        restored = baseline.restore(operator, operator.A(photo))
        assert restored.shape == photo.shape
        assert torch.allclose(restored[inside], photo[inside], atol=1e-3)


def test_grey_photos_become_grey_pictures(photo):
    operator = make_task("old-photo", (16, 16))
    name, restored = simple_answer(operator, operator.A(photo))
    assert name == "biharmonic"
    kept = operator.mask[0, 0].bool()
    grey = photo.mean(dim=1, keepdim=True).expand(-1, 3, -1, -1)
    assert torch.equal(restored[..., kept], grey[..., kept])
    assert torch.equal(restored, restored[:, :1].expand(-1, 3, -1, -1))


def test_small_old_photo_uses_the_mean_of_kept_pixels():
    """Where a block kept 3 of its 4 pixels, y is 3/4 of their grey, not a darker photo."""
    operator = make_task("old-photo-sr2", (16, 16))
    photo = torch.full((1, 3, 16, 16), 0.3, dtype=torch.float64)
    y = operator.A(photo)
    assert float(y.std()) > 0.05
    assert torch.allclose(simple_answer(operator, y)[1], photo, atol=1e-9)


def test_gaussian_mean_is_that_of_the_posterior(photo, gaussian_prior):
    operator = Inpainting(random_mask((16, 16), seed=5))
    y = operator.A(photo)
    mean = gaussian_mean(operator, y, prior=gaussian_prior, tolerance=1e-12)
    assert torch.equal(mean, GaussianPosterior(gaussian_prior, operator, y).mean())
    assert torch.allclose(operator.A(mean), y, atol=1e-12)
    bundled = gaussian_mean(operator, y)
    assert torch.equal(bundled, gaussian_mean(operator, y, prior=load_gaussian()))
    assert not torch.allclose(bundled, mean, atol=1e-3)


def test_gaussian_mean_of_float32_is_computed_in_float64(photo, gaussian_prior):
    operator = make_task("deblur-gaussian", (16, 16))
    y = operator.A(photo).float()
    mean = gaussian_mean(operator, y, prior=gaussian_prior)
    assert mean.dtype == torch.float32
    assert torch.equal(mean, gaussian_mean(operator, y.double(), prior=gaussian_prior).float())
