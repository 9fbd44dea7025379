"""Several kinds of damage at once: the parts in their order, the border, the adjoint, A^+."""

import itertools

import pytest
import torch
import torch.nn.functional as F

from deqir_lite.operators import (
    BicubicDownsampling,
    DamagedPhoto,
    FFTBlur,
    named_kernel,
    random_mask,
)
from deqir_lite.operators.base import check_adjoint
from deqir_lite.operators.named_kernels import NAMED_KERNELS

SIZE = (8, 10)
ALL = [
    (mask, kernel, factor, grey)
    for mask, kernel, factor, grey in itertools.product((0, 1), (0, 1), (1, 2, 3), (0, 1))
    if mask + kernel + (factor > 1) + grey > 1
]


def image(operator, batch=2):
    size = operator.image_size(operator.measurement_shape(operator._images))
    generator = torch.Generator().manual_seed(0)
    return torch.randn(batch, 3, *size, generator=generator, dtype=torch.float64)


def damaged(mask, kernel, factor, grey, **options):
    return DamagedPhoto(
        SIZE,
        mask=random_mask(SIZE, seed=3) if mask else None,
        kernel=named_kernel("motion:3:20") if kernel else None,
        factor=factor,
        grey=bool(grey),
        **options,
    )


@pytest.mark.parametrize("parts", ALL)
def test_adjoint_and_pseudo_inverse(parts):
    """<A x, u> = <x, A^T u>, and the four equations of Penrose."""
    operator = damaged(*parts)
    x = image(operator)
    check_adjoint("operator", operator.A, operator.adjoint, x)
    y = operator.A(x)
    assert y.shape[1:] == (1 if parts[3] else 3, *SIZE)
    back = operator.pinv(y)
    torch.testing.assert_close(operator.A(back), y, rtol=0, atol=1e-9)
    torch.testing.assert_close(operator.pinv(operator.A(back)), back, rtol=0, atol=1e-7)
    other = image(operator).flip(0, -1)
    projected, second = operator.range_projector(x), operator.range_projector(other)
    torch.testing.assert_close((projected * other).sum(), (x * second).sum(), rtol=1e-8, atol=1e-8)


def test_the_parts_act_in_their_order():
    kernel, mask = named_kernel("gaussian:0.8"), random_mask(SIZE, seed=1)
    operator = DamagedPhoto(SIZE, mask=mask, kernel=kernel, factor=2, grey=True)
    x = image(operator)
    rows, columns = operator.crop
    assert x[..., rows, columns].shape[-2:] == operator.photo_size == (16, 20)
    # a plain convolution without any border: F.conv2d is a correlation
    blurred = F.conv2d(x.flatten(0, 1)[:, None], kernel.flip(0, 1)[None, None])
    blurred = blurred.reshape(2, 3, *blurred.shape[-2:])[..., :16, :20]
    expected = mask * BicubicDownsampling(2).A(blurred).mean(dim=1, keepdim=True)
    torch.testing.assert_close(operator.A(x), expected, rtol=0, atol=1e-12)


def test_nothing_wraps_around():
    """What lies at one border does not reach the other, as it does in a periodic blur."""
    kernel = named_kernel("box:5")
    operator = DamagedPhoto(SIZE, kernel=kernel)
    x = torch.zeros(1, 3, *operator._images, dtype=torch.float64)
    x[..., operator.crop[0], operator.crop[1]][..., 0, :] = 1
    assert operator.A(x)[..., -2:, :].abs().max() < 1e-12
    photo = torch.zeros(1, 3, *SIZE, dtype=torch.float64)
    photo[..., 0, :] = 1
    assert FFTBlur(kernel).A(photo)[..., -2:, :].abs().max() > 0.1


def test_bad_arguments():
    with pytest.raises(ValueError, match="mask: got size 4x4; expected 8x10, the size of the phot"):
        DamagedPhoto(SIZE, mask=torch.ones(4, 4))
    with pytest.raises(ValueError, match="factor: got 0; expected an integer"):
        DamagedPhoto(SIZE, factor=0)


# --- kernels by name ---


@pytest.mark.parametrize("text", ["gaussian:1.5", "box:3", "box:4", "disk:2.5", "motion:7:30"])
def test_a_named_kernel_keeps_light_in_place(text):
    kernel = named_kernel(text)
    rows, columns = kernel.shape
    assert rows % 2 == columns % 2 == 1
    assert float(kernel.min()) >= 0
    assert float(kernel.sum()) == pytest.approx(1, abs=1e-12)
    torch.testing.assert_close(kernel, kernel.flip(0, 1), rtol=0, atol=1e-12)


def test_their_numbers_are_pixels():
    def spread(kernel):
        i = torch.arange(len(kernel)) - len(kernel) // 2
        return float((kernel.sum(dim=1) * i.square()).sum())

    assert spread(named_kernel("gaussian:2")) == pytest.approx(4, rel=0.03)
    assert spread(named_kernel("disk:4")) == pytest.approx(4**2 / 4, rel=0.05)
    torch.testing.assert_close(named_kernel("box:3"), torch.full((3, 3), 1 / 9).double())
    assert named_kernel("box:4")[0, 2] == pytest.approx(1 / 32)  # half of a tap of 1/16


@pytest.mark.parametrize(
    "text",
    ["bogus:1", "gaussian", "gaussian:1:2", "box:x", "disk:", "motion:3", "box:nan", "box:0"],
)
def test_what_is_no_kernel(text):
    with pytest.raises(ValueError, match="^kernel: "):
        named_kernel(text)
    assert all(kind.numbers for kind in NAMED_KERNELS.values())
