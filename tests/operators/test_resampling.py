"""Average pooling and antialiased bicubic downsampling."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from deqir_lite.operators import AveragePooling, BicubicDownsampling


def test_pooling_is_the_block_mean():
    x = torch.randn(2, 3, 6, 9, dtype=torch.float64)
    blocks = x.reshape(2, 3, 2, 3, 3, 3)
    y = AveragePooling(3)(x)
    torch.testing.assert_close(y, blocks.mean(dim=(3, 5)))
    assert torch.equal(AveragePooling(3).pinv(y)[..., 1, 4], y[..., 0, 1])


@settings(max_examples=10, deadline=None)
@given(factor=st.integers(2, 4), h=st.integers(1, 2), w=st.integers(1, 2))
def test_any_factor_and_size(factor, h, w, make_case, check_pinv, check_svd):
    size = (factor * h, factor * w)
    for operator in (AveragePooling(factor), BicubicDownsampling(factor)):
        case = make_case(operator, size)
        check_pinv(case)
        check_svd(case)


def loop_bicubic(n, factor):
    """The definition, one tap at a time: Keys' cubic, stretched, reflected, normalised."""
    matrix = np.zeros((n // factor, n))
    for i in range(n // factor):
        centre = (i + 0.5) * factor - 0.5
        for j in range(math.floor(centre) - 2 * factor, math.ceil(centre) + 2 * factor + 1):
            t = abs(j - centre) / factor
            if t <= 1:
                weight = 1.5 * t**3 - 2.5 * t**2 + 1
            elif t < 2:
                weight = -0.5 * t**3 + 2.5 * t**2 - 4 * t + 2
            else:
                weight = 0
            k = j
            while not 0 <= k < n:  # mirror at the edges until inside
                k = -1 - k if k < 0 else 2 * n - 1 - k
            matrix[i, k] += weight
    return matrix / matrix.sum(axis=1, keepdims=True)


@pytest.mark.parametrize(("n", "factor"), [(16, 2), (12, 3), (4, 4), (2, 2), (10, 5), (7, 7)])
def test_bicubic_follows_its_definition(n, factor, dense):
    rows = dense(BicubicDownsampling(factor).A, (3, n, factor))[: n // factor, : n * factor]
    # constant along the width: the vertical matrix alone remains
    vertical = rows.reshape(n // factor, n, factor).sum(axis=2)
    np.testing.assert_allclose(vertical, loop_bicubic(n, factor), atol=1e-13)


def test_bicubic_keeps_constants_and_is_well_conditioned():
    operator = BicubicDownsampling(4)
    x = torch.full((1, 3, 64, 64), 0.3, dtype=torch.float64)
    torch.testing.assert_close(operator(x), x[..., :16, :16])
    s = operator.singular_values((64, 64))
    assert (s > 0).sum() == 16 * 16
    assert s.max() / s[s > 0].min() < 2.2**2


def test_bicubic_interior_taps_are_those_of_matlab():
    """4 s taps; for s = 2 the half taps of MATLAB's imresize, to be read off its kernel."""
    taps = loop_bicubic(16, 2)[3]
    expected = np.array([-0.0117, -0.0352, 0.1133, 0.4336, 0.4336, 0.1133, -0.0352, -0.0117])
    np.testing.assert_allclose(taps[3:11], expected, atol=1e-4)
    assert np.count_nonzero(taps) == 8


@pytest.mark.parametrize("build", [AveragePooling, BicubicDownsampling])
@pytest.mark.parametrize("factor", [1, 0, -2, 2.0, "2", True, None])
def test_bad_factors(build, factor):
    with pytest.raises(ValueError, match="factor: got .* expected an integer >= 2"):
        build(factor)


@pytest.mark.parametrize("build", [AveragePooling, BicubicDownsampling])
def test_sizes_that_are_not_divisible(build):
    with pytest.raises(ValueError, match="x: got size 9x8; both sides must be multiples of 4"):
        build(4)(torch.zeros(1, 3, 9, 8))
    with pytest.raises(ValueError, match="image_size: got size 8x9; both sides"):
        build(4).measurement_shape((8, 9))
