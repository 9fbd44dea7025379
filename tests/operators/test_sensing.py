"""Walsh-Hadamard compressed sensing."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from deqir_lite.operators import WalshHadamard, hadamard_matrix


def fast_transform(x):
    """The fast transform: log2(n) rounds of sums and differences along the last axis."""
    n = x.shape[-1]
    step = 1
    while step < n:
        pairs = x.reshape(*x.shape[:-1], n // (2 * step), 2, step)
        a, b = pairs[..., 0, :], pairs[..., 1, :]
        x = np.stack([a + b, a - b], axis=-2).reshape(x.shape)
        step *= 2
    return x / np.sqrt(n)


@pytest.mark.parametrize("size", [(1, 1), (2, 4), (8, 8), (16, 2)])
def test_transform_is_the_fast_walsh_hadamard_transform(size):
    x = torch.randn(2, 3, *size, dtype=torch.float64)
    operator = WalshHadamard(size, ratio=1)
    expected = fast_transform(x.flatten(2).numpy())
    np.testing.assert_allclose(operator(x).numpy(), expected, atol=1e-12)
    np.testing.assert_allclose(operator.vt(x).flatten(2).numpy(), expected, atol=1e-12)


def test_hadamard_matrix():
    expected = torch.tensor([[1, 1, 1, 1], [1, -1, 1, -1], [1, 1, -1, -1], [1, -1, -1, 1]])
    torch.testing.assert_close(hadamard_matrix(4), expected.double() / 2)
    for n in (6, 0, 2.0):
        with pytest.raises(ValueError, match=r"^n: got"):
            hadamard_matrix(n)


@settings(max_examples=10, deadline=None)
@given(
    size=st.sampled_from([(1, 1), (2, 4), (8, 4), (1, 16)]),
    ratio=st.floats(0.01, 1),
    seed=st.integers(0, 99),
)
def test_any_subset(size, ratio, seed, make_case, check_pinv, check_svd):
    case = make_case(WalshHadamard(size, ratio=ratio, seed=seed), size)
    check_pinv(case)
    check_svd(case)


def test_one_subset_for_all_channels_with_the_constant():
    operator = WalshHadamard((8, 8), ratio=0.25, seed=1)
    assert operator.measurement_shape((8, 8)) == (3, 16)
    x = torch.randn(1, 1, 8, 8, dtype=torch.float64).expand(2, 3, 8, 8)
    y = operator(x)
    assert torch.equal(y[0, 0], y[1, 2])
    for seed in range(8):
        y = WalshHadamard((8, 8), ratio=0.25, seed=seed)(x)
        torch.testing.assert_close(y[..., 0], x.sum(dim=(2, 3)) / 8)


def test_everything_measured_is_everything_known():
    operator = WalshHadamard((4, 4), ratio=1)
    x = torch.randn(1, 3, 4, 4, dtype=torch.float64)
    torch.testing.assert_close(operator.pinv(operator(x)), x)


@pytest.mark.parametrize("size", [(6, 8), (3, 3), (256, 255)])
def test_sizes_that_are_no_power_of_two(size):
    with pytest.raises(ValueError, match=r"^image_size: got .* must be a power of two"):
        WalshHadamard(size)


@pytest.mark.parametrize("ratio", [0, -0.5, 1.01, float("nan"), "half", True])
def test_bad_ratio(ratio):
    with pytest.raises(ValueError, match="ratio: got .* expected a number in \\(0, 1\\]"):
        WalshHadamard((4, 4), ratio=ratio)


def test_images_of_another_size():
    with pytest.raises(ValueError, match="x: got size 8x4; expected 4x8"):
        WalshHadamard((4, 8))(torch.zeros(1, 3, 8, 4))
