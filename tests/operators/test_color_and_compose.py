"""Grey images, grey images with holes, and small grey images with holes."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from deqir_lite.operators import (
    AveragePooling,
    Grayscale,
    Inpainting,
    MaskedGrayscale,
    PooledMaskedGrayscale,
    random_mask,
)


def images(h=6, w=4):
    return torch.randn(2, 3, h, w, dtype=torch.float64)


def test_grey_is_the_mean_and_its_pinv_repeats():
    x = images()
    y = Grayscale()(x)
    torch.testing.assert_close(y, x.mean(dim=1, keepdim=True))
    torch.testing.assert_close(Grayscale().pinv(y), y.expand(-1, 3, -1, -1))


def test_published_weights(make_case, check_pinv, check_svd):
    operator = Grayscale(weights="paper")
    x = images()
    torch.testing.assert_close(
        operator(x)[:, 0], 0.3333 * x[:, 0] + 0.3334 * x[:, 1] + 0.3333 * x[:, 2]
    )
    case = make_case(operator, (3, 2))
    check_pinv(case)
    check_svd(case)


def test_unknown_weights():
    with pytest.raises(ValueError, match="weights: unknown value 'rec601'; known: equal, paper"):
        Grayscale(weights="rec601")


def test_compositions_are_what_their_names_say():
    x, mask = images(), random_mask((6, 4), ratio=0.6)
    masked_grey = Grayscale()(Inpainting(mask)(x))
    torch.testing.assert_close(MaskedGrayscale(mask)(x), masked_grey)
    pooled = AveragePooling(2)(masked_grey.expand(-1, 3, -1, -1))[:, :1]
    torch.testing.assert_close(PooledMaskedGrayscale(mask, 2)(x), pooled)


def test_pooled_pinv_by_its_formula():
    mask = torch.tensor([[1, 0, 0, 0], [1, 1, 0, 0]])
    operator = PooledMaskedGrayscale(mask, 2)
    y = torch.tensor([[[[3.0, 5.0]]]])
    expected = torch.tensor([[4.0, 0, 0, 0], [4.0, 4.0, 0, 0]]).expand(1, 3, 2, 4)
    assert torch.equal(operator.pinv(y), expected)  # y r^2 / n_kept = 3 * 4 / 3; nothing from 5


@settings(max_examples=15, deadline=None)
@given(
    factor=st.integers(2, 3),
    h=st.integers(1, 3),
    w=st.integers(1, 3),
    ratio=st.floats(0.05, 1),
    seed=st.integers(0, 99),
)
def test_any_pooled_mask(factor, h, w, ratio, seed, make_case, check_pinv, check_svd):
    size = (factor * h, factor * w)
    case = make_case(PooledMaskedGrayscale(random_mask(size, ratio=ratio, seed=seed), factor), size)
    check_pinv(case)
    check_svd(case)


@pytest.mark.parametrize("factor", [1, 0, 2.5])
def test_bad_factor(factor):
    with pytest.raises(ValueError, match=r"^factor: "):
        PooledMaskedGrayscale(torch.ones(4, 4), factor)


def test_mask_that_the_factor_does_not_divide():
    with pytest.raises(ValueError, match="mask: got size 4x6; both sides must be multiples of 4"):
        PooledMaskedGrayscale(torch.ones(4, 6), 4)


def test_grey_measurements_have_one_channel():
    for operator in (Grayscale(), MaskedGrayscale(torch.ones(4, 4))):
        with pytest.raises(ValueError, match="y: got shape \\(B, 3, 4, 4\\); expected \\(B, 1, 4"):
            operator.pinv(torch.zeros(1, 3, 4, 4))
