"""Separable and Fourier blurs, and their kernels."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from deqir_lite.operators import (
    FFTBlur,
    SeparableBlur,
    anisotropic_blur,
    gaussian_blur,
    gaussian_kernel,
    motion_kernel,
    uniform_blur,
)

taps = st.lists(st.floats(-1, 1), min_size=1, max_size=7).filter(
    lambda k: len(k) % 2 == 1 and max(map(abs, k)) > 0.1
)


def test_separable_blur_is_a_convolution_with_zero_padding():
    row, column = [0.5, 0.3, 0.2], [0.1, 0.2, 0.3, 0.3, 0.1]
    x = torch.randn(1, 3, 7, 6, dtype=torch.float64)
    y = SeparableBlur(row, column, threshold=0)(x)
    expected = np.zeros((7, 6))
    for i in range(7):
        for j in range(6):
            for a, ca in enumerate(column):
                for b, rb in enumerate(row):
                    k, m = i - (a - 2), j - (b - 1)
                    if 0 <= k < 7 and 0 <= m < 6:
                        expected[i, j] += ca * rb * x[0, 1, k, m].item()
    np.testing.assert_allclose(y[0, 1].numpy(), expected, atol=1e-12)


def test_fft_blur_is_a_circular_convolution():
    kernel = torch.randn(3, 5, dtype=torch.float64)
    x = torch.randn(1, 3, 6, 7, dtype=torch.float64)
    expected = torch.zeros_like(x)
    for a in range(3):
        for b in range(5):
            expected += kernel[a, b] * x.roll((a - 1, b - 2), (2, 3))
    torch.testing.assert_close(FFTBlur(kernel, threshold=0)(x), expected)


@settings(max_examples=12, deadline=None)
@given(row=taps, column=taps, h=st.integers(1, 5), w=st.integers(1, 5))
def test_any_separable_kernel(row, column, h, w, make_case, check_pinv, check_svd):
    operator = SeparableBlur(row, column, threshold=0.05)
    case = make_case(operator, (h, w))
    check_pinv(case)
    check_svd(case)


@settings(max_examples=12, deadline=None)
@given(
    rows=st.sampled_from([1, 3, 5]),
    columns=st.sampled_from([1, 3, 7]),
    h=st.integers(1, 6),
    w=st.integers(1, 6),
    seed=st.integers(0, 99),
)
def test_any_fft_kernel(rows, columns, h, w, seed, make_case, check_pinv, check_svd):
    generator = torch.Generator().manual_seed(seed)
    kernel = torch.randn(rows, columns, generator=generator, dtype=torch.float64)
    case = make_case(FFTBlur(kernel, threshold=0.1), (h, w))
    check_pinv(case)
    check_svd(case)


def test_truncation_drops_singular_values_from_a_itself():
    operator, whole = anisotropic_blur(), anisotropic_blur(threshold=0)
    s, full = operator.singular_values((32, 32)), whole.singular_values((32, 32))
    assert s[s > 0].min() >= 3e-2**2
    assert (s > 0).sum() < (full > 0).sum()
    x = torch.randn(1, 3, 32, 32, dtype=torch.float64)
    assert (operator(x) - whole(x)).abs().max() > 1e-3
    y = operator(x)
    torch.testing.assert_close(operator(operator.pinv(y)), y)
    fft, whole_fft = FFTBlur(motion_kernel(9, 0)), FFTBlur(motion_kernel(9, 0), threshold=0)
    s = fft.singular_values((32, 32))
    assert s[s > 0].min() >= 3e-2
    assert (s == 0).sum() > (whole_fft.singular_values((32, 32)) == 0).sum()


def test_exact_zeros_are_not_inverted_without_a_threshold(make_case, check_pinv, check_svd):
    operator = uniform_blur(threshold=0)  # singular for this size
    case = make_case(operator, (8, 16))
    assert (operator.singular_values((8, 16)) == 0).any()
    check_pinv(case)
    check_svd(case)
    fft = FFTBlur([[1.0, 2.0, 1.0]], threshold=0)  # no response at the highest frequency
    case = make_case(fft, (2, 6))
    assert (fft.singular_values((2, 6)) == 0).any()
    check_pinv(case)
    check_svd(case)


def test_threshold_never_separates_a_frequency_from_its_conjugate():
    """|h(f)| and |h(-f)| differ by rounding; a threshold between them must not drop only one."""

    def at_minus_f(h):
        return h.flip(-2, -1).roll((1, 1), (-2, -1))

    size, kernel = (64, 48), torch.randn(3, 3, dtype=torch.float64)
    wrapped = torch.zeros(size, dtype=torch.float64)
    wrapped[:3, :3] = kernel
    h = torch.fft.fft2(wrapped.roll((-1, -1), (0, 1))).abs()
    between = h[h > at_minus_f(h)]
    assert len(between) > 5
    for threshold in between[:: len(between) // 5].tolist():
        kept = FFTBlur(kernel, threshold=threshold).singular_values(size) > 0
        assert torch.equal(kept, at_minus_f(kept))


def published_matrix(kernel, n):
    """The published loop over the taps, whose range ends one too early."""
    matrix = np.zeros((n, n))
    half = len(kernel) // 2
    for i in range(n):
        for j in range(i - half, i + half):
            if 0 <= j < n:
                matrix[i, j] = kernel[j - i + half]
    return matrix


@pytest.mark.parametrize(
    ("build", "row", "column", "sums"),
    [
        (gaussian_blur, (5, 10), (5, 10), (0.80, 0.80)),
        (anisotropic_blur, (9, 20), (9, 1), (0.89, 1.0)),
        (uniform_blur, (9, 1e3), (9, 1e3), (0.89, 0.89)),
    ],
)
def test_paper_kernels_lose_their_last_tap(build, row, column, sums):
    n = 24
    operator = build(kernel="paper", threshold=0)
    for axis, (size, sigma), row_sum in [(1, row, sums[0]), (0, column, sums[1])]:
        matrix = operator._matrix(axis, n).numpy()
        expected = published_matrix(gaussian_kernel(size, sigma).numpy(), n)
        np.testing.assert_allclose(matrix, expected, atol=1e-6)
        assert np.count_nonzero(matrix[n // 2]) == size - 1
        assert matrix[n // 2].sum() == pytest.approx(row_sum, abs=0.005)
        assert not np.allclose(matrix, matrix.T)
        correct = build(threshold=0)._matrix(axis, n).numpy()
        assert correct[n // 2].sum() == pytest.approx(1)
        np.testing.assert_allclose(correct, correct.T)


@pytest.mark.parametrize("build", [gaussian_blur, anisotropic_blur, uniform_blur])
def test_paper_kernels_have_their_exact_pinv(build, make_case, check_pinv, check_svd):
    case = make_case(build(kernel="paper"), (9, 6))
    check_pinv(case)
    check_svd(case)


def released(left, right, x, threshold, inverse=False):
    """The published operator, or its pseudo-inverse, on one image (3, n, n): coefficients in one
    list, all channels of a pair of singular vectors side by side; singular values in another, where
    each channel has a list of its own."""
    n = len(left)
    # torch's, as in the package: of equal singular values the vectors are a matter of the library
    (u1, s1, v1), (u2, s2, v2) = (
        [part.numpy() for part in torch.linalg.svd(torch.from_numpy(m))] for m in (left, right)
    )
    s1, s2 = (np.where(s < threshold, 0, s) for s in (s1, s2))
    products = np.outer(s1, s2).ravel()
    order = np.argsort(-products, kind="stable")
    before, after = ((u1.T, u2), (v1.T, v2)) if inverse else ((v1, v2.T), (u1, u2.T))
    coefficients = []
    for place in order:
        for channel in range(3):
            turned = before[0] @ x[channel] @ before[1]
            coefficients.append(turned[place // n, place % n])
    values = np.tile(products[order], 3)
    factors = np.array([0 if s == 0 else (1 / s if inverse else s) for s in values])
    weighted = factors * np.array(coefficients)
    out = np.zeros((3, n * n))
    for rank, place in enumerate(order):
        out[:, place] = weighted[3 * rank : 3 * rank + 3]
    return np.stack([after[0] @ c.reshape(n, n) @ after[1] for c in out])


@pytest.mark.parametrize(
    ("build", "row", "column"),
    [
        (gaussian_blur, gaussian_kernel(5, 10), gaussian_kernel(5, 10)),
        (anisotropic_blur, gaussian_kernel(9, 20), gaussian_kernel(9, 1)),
        (uniform_blur, torch.ones(9).double() / 9, torch.ones(9).double() / 9),
    ],
)
def test_released_blurs_are_the_published_ones(
    build, row, column, make_case, check_pinv, check_svd
):
    n = 10
    matrices = [published_matrix(taps.numpy(), n) for taps in (column, row)]
    operator = build(kernel="released")
    x = torch.randn(1, 3, n, n, generator=torch.Generator().manual_seed(0)).double()
    expected = released(*matrices, x[0].numpy(), 3e-2)
    np.testing.assert_allclose(operator.A(x)[0].numpy(), expected, atol=1e-9)
    expected = released(*matrices, x[0].numpy(), 3e-2, inverse=True)
    got = operator.pinv(x)[0].numpy()
    assert np.abs(got - expected).max() <= 1e-8 * np.abs(expected).max()
    paper = build(kernel="paper")
    assert (operator.A(x) - paper.A(x)).abs().max() > 0.1
    case = make_case(operator, (9, 6))
    check_pinv(case)
    check_svd(case)


def test_motion_kernel():
    horizontal = motion_kernel(5, 0)
    assert horizontal.shape == (5, 5)
    assert horizontal.sum() == pytest.approx(1)
    assert horizontal[2].sum() == pytest.approx(1)
    torch.testing.assert_close(motion_kernel(5, 90), horizontal.T)
    diagonal = motion_kernel(7, 45)
    torch.testing.assert_close(diagonal, diagonal.flip(0).T.flip(0))
    assert diagonal[6, 6] == 0
    assert diagonal[1, 5] > 0  # upwards to the right
    assert (motion_kernel(1, 30) == 1).all()
    torch.testing.assert_close(motion_kernel(6.5, 20), motion_kernel(6.5, 200))


@pytest.mark.parametrize(
    "kernel", [[], [0.5, 0.5], [[1.0]], [float("nan")], [float("inf"), 1, 1], [0.0], "abc", None]
)
def test_bad_row_kernels(kernel):
    with pytest.raises(ValueError, match=r"^row_kernel: [^\n]*$"):
        SeparableBlur(kernel)


def test_bad_column_kernel():
    with pytest.raises(
        ValueError, match="column_kernel: got shape \\(2,\\); expected 1-D with odd"
    ):
        SeparableBlur([1.0], [0.5, 0.5])


@pytest.mark.parametrize(
    "kernel", [[1.0], [[0.5, 0.5]], [[]], [[float("nan")]], [[0.0]], [[1], [2, 3]]]
)
def test_bad_fft_kernels(kernel):
    with pytest.raises(ValueError, match=r"^kernel: [^\n]*$"):
        FFTBlur(kernel)


@pytest.mark.parametrize(
    ("call", "name"),
    [
        (lambda: SeparableBlur([1.0], threshold=-1), "threshold"),
        (lambda: FFTBlur([[1.0]], threshold=float("nan")), "threshold"),
        (lambda: gaussian_blur(kernel="published"), "kernel"),
        (lambda: gaussian_blur(size=4), "size"),
        (lambda: uniform_blur(size=0), "size"),
        (lambda: gaussian_blur(sigma=0), "sigma"),
        (lambda: motion_kernel(0.5, 0), "length"),
        (lambda: motion_kernel(5, float("inf")), "angle"),
    ],
)
def test_bad_blur_arguments(call, name):
    with pytest.raises(ValueError, match=rf"^{name}: "):
        call()
