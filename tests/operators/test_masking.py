"""Inpainting and the mask generators."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from deqir_lite.operators import (
    Inpainting,
    MaskedGrayscale,
    PooledMaskedGrayscale,
    box_mask,
    random_mask,
    scratch_mask,
    stripe_mask,
    text_mask,
)
from deqir_lite.operators.mask_files import load_mask

GENERATORS = [text_mask, stripe_mask, box_mask, random_mask, scratch_mask]
MASKED = [Inpainting, MaskedGrayscale, lambda mask: PooledMaskedGrayscale(mask, 2)]


@pytest.mark.parametrize("shape", [(4, 6), (1, 4, 6), (1, 1, 4, 6)])
@pytest.mark.parametrize("dtype", [torch.bool, torch.uint8, torch.float32])
def test_mask_forms(shape, dtype):
    mask = random_mask((4, 6)).reshape(shape).to(dtype)
    x = torch.randn(2, 3, 4, 6)
    expected = torch.where(mask.reshape(4, 6) == 1, x, 0)
    assert torch.equal(Inpainting(mask)(x), expected)


@pytest.mark.parametrize("build", MASKED)
def test_per_image_masks_repeat_with_the_image_index_fastest(build):
    masks = torch.stack([random_mask((4, 6), seed=s)[None] for s in range(2)])
    together, alone = build(masks), [build(masks[b]) for b in range(2)]
    steps = torch.randn(5, 2, 3, 4, 6, dtype=torch.float64)
    flat = steps.flatten(0, 1)
    y = together.A(flat)
    expected = torch.stack([alone[b].A(steps[:, b]) for b in range(2)], dim=1)
    torch.testing.assert_close(y.unflatten(0, (5, 2)), expected)
    for name, argument in [("pinv", y), ("adjoint", y), ("ut", y)]:
        out = getattr(together, name)(argument).unflatten(0, (5, 2))
        for b in range(2):
            part = getattr(alone[b], name)(argument.unflatten(0, (5, 2))[:, b])
            torch.testing.assert_close(out[:, b], part)
    for name in ("range_projector", "null_projector", "vt", "v", "u"):
        out = getattr(together, name)(flat).unflatten(0, (5, 2))
        for b in range(2):
            torch.testing.assert_close(out[:, b], getattr(alone[b], name)(steps[:, b]))
    assert together.singular_values((4, 6)).shape[0] == 2
    assert together.singular_values_like(flat).shape[0] == 10
    c = together.singular_values_like(flat) * together.vt(flat)
    torch.testing.assert_close(together.u(c), y)
    with pytest.raises(ValueError, match="x: got a batch of 3; expected a multiple of 2"):
        together.A(torch.zeros(3, 3, 4, 6))


def test_holes_of_a_measurement_are_ignored():
    operator = Inpainting(box_mask((8, 8)))
    x = torch.randn(1, 3, 8, 8)
    spoiled = operator(x) + 7 * (1 - operator.mask).float()
    assert torch.equal(operator.pinv(spoiled), operator.pinv(operator(x)))


@settings(max_examples=12, deadline=None)
@given(
    size=st.tuples(st.integers(1, 5), st.integers(1, 5)),
    ratio=st.floats(0.05, 1),
    seed=st.integers(0, 99),
)
def test_any_mask_has_its_exact_pinv(size, ratio, seed, make_case, check_pinv, check_svd):
    mask = random_mask(size, ratio=ratio, seed=seed)
    for operator in (Inpainting(mask), MaskedGrayscale(mask)):
        case = make_case(operator, size)
        check_pinv(case)
        check_svd(case)


@pytest.mark.parametrize("kept", [0, 1])
def test_masks_that_keep_nothing_or_everything(kept, make_case, check_pinv, check_svd):
    mask = torch.full((4, 4), kept)
    for build in MASKED:
        case = make_case(build(mask), (4, 4))
        check_pinv(case)
        check_svd(case)


@pytest.mark.parametrize(
    ("mask", "message"),
    [
        (torch.ones(4), "mask: got shape \\(4,\\)"),
        (torch.ones(3, 4, 4), "mask: got shape \\(3, 4, 4\\)"),
        (torch.ones(1, 3, 4, 4), "mask: got shape \\(1, 3, 4, 4\\)"),
        (torch.ones(0, 4), "mask: got shape \\(0, 4\\)"),
        (torch.full((4, 4), 0.5), "mask: holds values other than 0 and 1"),
        (torch.full((4, 4), 255), "mask: holds values other than 0 and 1"),
        (torch.full((4, 4), float("nan")), "mask: holds values other than 0 and 1"),
        ([[1, 0]], "mask: got list; expected a torch.Tensor"),
    ],
)
def test_bad_masks(mask, message):
    for build in MASKED:
        with pytest.raises(ValueError, match=message):
            build(mask)


def test_images_of_another_size_than_the_mask():
    with pytest.raises(ValueError, match="x: got size 8x4; expected 4x8, the size of the mask"):
        Inpainting(torch.ones(4, 8))(torch.zeros(1, 3, 8, 4))
    with pytest.raises(ValueError, match="y: got size 8x4; expected 4x8, the size of the mask"):
        Inpainting(torch.ones(4, 8)).pinv(torch.zeros(1, 3, 8, 4))


@pytest.mark.parametrize("generator", GENERATORS)
@pytest.mark.parametrize("size", [(16, 16), (64, 48), (40, 128)])
def test_generators(generator, size):
    mask = generator(size, seed=1)
    assert mask.shape == size
    assert mask.dtype == torch.float32
    assert set(mask.unique().tolist()) == {0.0, 1.0}
    assert 0.02 <= 1 - mask.mean().item() <= 0.6
    assert torch.equal(mask, generator(size, seed=1))
    assert any(not torch.equal(mask, generator(size, seed=s)) for s in range(2, 6))
    Inpainting(mask)


@pytest.mark.parametrize("generator", GENERATORS)
def test_generators_do_not_touch_the_global_seed(generator):
    torch.manual_seed(0)
    before = torch.get_rng_state()
    generator((16, 16), seed=5)
    assert torch.equal(before, torch.get_rng_state())


def test_what_the_generators_count():
    assert random_mask((10, 10), ratio=0.3).sum() == 30
    assert random_mask((2, 2), ratio=0.01).sum() == 1
    lost = 1 - stripe_mask((4, 64), period=8, width=3)
    assert (lost.sum(dim=1) == 24).all()
    assert (lost.unfold(1, 8, 8).sum(dim=2) == 3).all()
    assert (1 - box_mask((20, 10), fraction=0.5)).sum() == 10 * 5


@pytest.mark.parametrize(
    ("call", "name"),
    [
        (lambda: random_mask((4, 4), ratio=0), "ratio"),
        (lambda: random_mask((4, 4), ratio=1.1), "ratio"),
        (lambda: random_mask((4, 4), ratio=float("nan")), "ratio"),
        (lambda: stripe_mask((4, 4), period=1), "period"),
        (lambda: stripe_mask((4, 4), width=0), "width"),
        (lambda: stripe_mask((4, 4), period=3, width=3), "width"),
        (lambda: box_mask((4, 4), fraction=1.5), "fraction"),
        (lambda: scratch_mask((4, 4), count=0), "count"),
        (lambda: text_mask((0, 4)), "image_size"),
        (lambda: text_mask(4), "image_size"),
        (lambda: text_mask((4, 4), seed=-1), "seed"),
    ],
)
def test_bad_generator_arguments(call, name):
    with pytest.raises(ValueError, match=rf"^{name}: "):
        call()


def test_a_mask_from_a_picture(tmp_path):
    levels = np.full((8, 12), 255, dtype=np.uint8)
    levels[2, 3], levels[4, 5], levels[6, 7] = 0, 127, 128
    Image.fromarray(levels).save(tmp_path / "mask.png")
    mask = load_mask(tmp_path / "mask.png")
    assert mask.shape == (8, 12)
    assert mask.unique().tolist() == [0, 1]
    assert mask[2, 3] == mask[4, 5] == 0
    assert int(mask.sum()) == 8 * 12 - 2
    assert load_mask(tmp_path / "mask.png", size=16).shape == (16, 16)


def test_a_mask_that_keeps_nothing(tmp_path):
    Image.fromarray(np.zeros((8, 8), dtype=np.uint8)).save(tmp_path / "mask.png")
    with pytest.raises(ValueError, match=r"mask: .*mask\.png' is black: it keeps no pixel"):
        load_mask(tmp_path / "mask.png")
