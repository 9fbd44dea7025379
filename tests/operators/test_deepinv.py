"""Independent cross-checks: deepinv's operators equal ours, and the adapter makes them ours."""

import re

import numpy as np
import pytest
import torch

from deqir_lite.operators import (
    BicubicDownsampling,
    DeepinvOperator,
    FFTBlur,
    Grayscale,
    Inpainting,
    LinearOperator,
    SeparableBlur,
    SpectralOperator,
    gaussian_kernel,
    measurement_from_unit_range,
    random_mask,
)

physics = pytest.importorskip(
    "deepinv.physics", reason="deepinv is not installed (extra 'compare')", exc_type=ImportError
)

SIZE = (12, 8)
# Neither symmetric nor nearly singular: a flipped kernel shows, and CG converges.
ROW = torch.tensor([0.2, 0.7, 0.1], dtype=torch.float64)
COLUMN = gaussian_kernel(3, 0.6)
KERNEL = torch.outer(COLUMN, ROW)


def images(size=SIZE, dtype=torch.float64):
    generator = torch.Generator().manual_seed(0)
    return torch.randn(2, 3, *size, generator=generator, dtype=dtype)


@pytest.fixture
def pairs():
    """Name -> our operator and deepinv's, in float64."""
    mask = random_mask(SIZE, ratio=0.6)
    blur = physics.Blur(filter=KERNEL[None, None], padding="constant")
    fft = physics.BlurFFT((3, *SIZE), filter=KERNEL[None, None])
    inpainting = physics.Inpainting((3, *SIZE), mask=mask)
    return {
        "inpainting": (Inpainting(mask), inpainting.to(torch.float64)),
        "grey": (Grayscale(), physics.Decolorize(srf="flat").to(torch.float64)),
        "blur": (SeparableBlur(ROW, COLUMN, threshold=0), blur.to(torch.float64)),
        # float64 by its kernel; Module.to would drop the imaginary part of its filter
        "fft": (FFTBlur(KERNEL, threshold=0), fft),
    }


NAMES = ["inpainting", "grey", "blur", "fft"]


@pytest.mark.parametrize("name", NAMES)
def test_same_operator(pairs, name):
    ours, theirs = pairs[name]
    x = images()
    y = ours(x)
    torch.testing.assert_close(theirs.A(x), y, rtol=1e-6, atol=1e-6)
    torch.testing.assert_close(theirs.A_adjoint(y), ours.adjoint(y), rtol=1e-6, atol=1e-6)


def test_fft_pinv_equals_deepinvs(pairs):
    ours, theirs = pairs["fft"]
    y = images()
    torch.testing.assert_close(theirs.A_dagger(y), ours.pinv(y), rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("factor", [2, 4])
def test_bicubic_equals_matlabs(factor):
    x = images((32, 24))
    theirs = physics.DownsamplingMatlab(factor=factor).A(x)
    torch.testing.assert_close(theirs, BicubicDownsampling(factor)(x), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", ["inpainting", "blur", "fft"])
def test_adapter_has_the_exact_pinv(pairs, name):
    ours, theirs = pairs[name]
    operator = DeepinvOperator(theirs, SIZE)
    x = images()
    y = torch.randn(2, *ours.measurement_shape(SIZE), dtype=torch.float64)  # not in range(A)
    torch.testing.assert_close(operator.A(x), ours.A(x))
    torch.testing.assert_close(operator.adjoint(y), ours.adjoint(y))
    torch.testing.assert_close(operator.pinv(y), ours.pinv(y), rtol=1e-9, atol=1e-9)
    torch.testing.assert_close(
        operator.null_projector(x), ours.null_projector(x), atol=1e-9, rtol=0
    )


@pytest.mark.filterwarnings("ignore:At least one input physics is a DecomposablePhysics")
def test_adapter_pinv_where_no_formula_is_at_hand(dense):
    """A composition that is neither of full rank nor a projector, against numpy."""
    size = (6, 4)
    blur = physics.Blur(filter=KERNEL[None, None], padding="circular")
    mask = physics.Inpainting((3, *size), mask=random_mask(size, ratio=0.6))
    operator = DeepinvOperator((mask * blur).to(torch.float64), size)
    a = dense(operator.A, (3, *size))
    reference = np.linalg.pinv(a, rcond=1e-8)
    assert np.linalg.matrix_rank(a) < len(a)
    y, x = torch.randn(2, 2, 3, *size, dtype=torch.float64)
    got = [operator.pinv(y).flatten(1).numpy(), operator.range_projector(x).flatten(1).numpy()]
    np.testing.assert_allclose(got[0], y.flatten(1).numpy() @ reference.T, atol=1e-9)
    np.testing.assert_allclose(got[1], x.flatten(1).numpy() @ (reference @ a).T, atol=1e-9)


@pytest.mark.parametrize("name", ["inpainting", "blur"])
def test_adapter_gradient_is_the_transposed_pinv(pairs, name):
    ours, theirs = pairs[name]
    y = torch.randn(2, *ours.measurement_shape(SIZE), dtype=torch.float64, requires_grad=True)
    gradients = []
    for operator in (ours, DeepinvOperator(theirs, SIZE)):
        loss = (operator.pinv(y) * images()).sum() + operator.pinv(y).square().sum()
        gradients.append(torch.autograd.grad(loss, y)[0])
    torch.testing.assert_close(*gradients, rtol=1e-8, atol=1e-8)


def test_adapter_in_float32_and_per_image_convergence(pairs):
    ours, theirs = pairs["inpainting"]
    operator = DeepinvOperator(theirs.to(torch.float32), SIZE)
    y = ours(images(dtype=torch.float32))
    y[1] = 0  # converged from the start, beside one that is not
    x = operator.pinv(y)
    assert x.dtype == torch.float32
    torch.testing.assert_close(x, y)


class WithoutPinv:
    """A physics that knows A and A^T alone."""

    def __init__(self, inner):
        self.A, self.A_adjoint = inner.A, inner.A_adjoint


def test_a_pseudo_inverse_out_of_reach_is_refused_with_the_number(pairs):
    blur = WithoutPinv(pairs["blur"][1])
    with pytest.raises(
        ValueError,
        match=r"^physics: no pseudo-inverse was found: conjugate gradients \(2\) are off by "
        r"\d\.\de-01; expected at most 0\.01$",
    ):
        DeepinvOperator(blur, SIZE, max_iterations=2)
    with pytest.warns(UserWarning, match=r"^physics: its pseudo-inverse is inexact: conjugate"):
        operator = DeepinvOperator(blur, SIZE, max_iterations=2, tolerance=0.5)
    assert 0.2 < operator.pinv_error < 0.4
    with pytest.warns(RuntimeWarning, match="CGLS stopped after 2 iterations"):
        operator.pinv(operator(images()))
    assert DeepinvOperator(blur, SIZE).pinv_error < 1e-9


def test_an_exact_pseudo_inverse_of_the_physics_is_taken(pairs, monkeypatch):
    from deqir_lite.operators import probing

    asked = []
    monkeypatch.setattr(probing, "least_squares", lambda *a, **k: asked.append(a))
    theirs = pairs["fft"][1]
    operator = DeepinvOperator(theirs, SIZE)
    y = images()
    torch.testing.assert_close(operator.pinv(y), theirs.A_dagger(y), rtol=0, atol=0)
    assert not asked
    assert operator.pinv_error < 1e-9


def test_an_inexact_pseudo_inverse_of_the_physics_is_refined(pairs):
    """deepinv's own least squares stop at 1e-4, and mix the images of a batch."""
    ours, theirs = pairs["blur"]
    y = images()
    assert (theirs.A_dagger(y) - ours.pinv(y)).abs().max() > 1e-6
    torch.testing.assert_close(
        DeepinvOperator(theirs, SIZE).pinv(y), ours.pinv(y), atol=1e-9, rtol=0
    )


class Wrong(WithoutPinv):
    """A physics with a pseudo-inverse that is none: A^T."""

    def A_dagger(self, y):
        return self.A_adjoint(y)


class Cut(WithoutPinv):
    """A pseudo-inverse of the right value, without a gradient."""

    def __init__(self, inner):
        super().__init__(inner)
        self.pinv = inner.A_dagger

    def A_dagger(self, y):
        return self.pinv(y.detach())


@pytest.mark.parametrize(("kind", "name"), [(Wrong, "blur"), (Cut, "fft")])
def test_a_wrong_pseudo_inverse_is_not_taken(pairs, kind, name):
    ours, theirs = pairs[name]
    operator = DeepinvOperator(kind(theirs), SIZE)
    y = images().requires_grad_()
    torch.testing.assert_close(operator.pinv(y), ours.pinv(y), atol=1e-8, rtol=0)
    (slope,) = torch.autograd.grad(operator.pinv(y), y, images())
    (expected,) = torch.autograd.grad(ours.pinv(y), y, images())
    torch.testing.assert_close(slope, expected, atol=1e-8, rtol=0)


def test_adapter_is_a_plain_operator(pairs):
    operator = DeepinvOperator(pairs["grey"][1], SIZE)
    assert isinstance(operator, LinearOperator)
    assert not isinstance(operator, SpectralOperator)


def test_measurements_of_images_in_the_unit_range(pairs):
    unit = torch.rand(2, 3, *SIZE, dtype=torch.float64)
    for ours, theirs in pairs.values():
        y = theirs.A(unit)
        torch.testing.assert_close(
            measurement_from_unit_range(ours, y), ours(2 * unit - 1), rtol=1e-6, atol=1e-6
        )


def test_adapter_errors(pairs):
    with pytest.raises(ValueError, match="physics: got int; expected a deepinv LinearPhysics"):
        DeepinvOperator(3, SIZE)
    with pytest.raises(ValueError, match=r"^image_size: "):
        DeepinvOperator(pairs["grey"][1], (0, 3))
    with pytest.raises(ValueError, match=r"^max_iterations: "):
        DeepinvOperator(pairs["grey"][1], SIZE, max_iterations=0)
    operator = DeepinvOperator(pairs["grey"][1], SIZE)
    assert re.fullmatch(
        r"DeepinvOperator\(Decolorize, size=12x8, pinv_error=\de-\d\d\)", repr(operator)
    )
    with pytest.raises(ValueError, match="x: got size 8x8; expected 12x8"):
        operator(torch.zeros(1, 3, 8, 8))
    with pytest.raises(ValueError, match="y: got shape"):
        operator.pinv(torch.zeros(1, 3, *SIZE))


def test_adapter_wants_an_adjoint():
    class Shifted:
        def A(self, x):
            return x.roll(1, -1)

        def A_adjoint(self, y):
            return y

    with pytest.raises(ValueError, match=r"^physics: its adjoint is not that of A: <A x, u> = "):
        DeepinvOperator(Shifted(), SIZE)


def test_adapter_wants_a_single_tensor(pairs):
    class Several:
        def A(self, x):
            return [x, x]

        def A_adjoint(self, y):
            return y[0]

    with pytest.raises(
        ValueError, match="physics: A of Several returns a list; expected a single real torch.Tens"
    ):
        DeepinvOperator(Several(), SIZE)


def test_adapter_wants_real_numbers():
    class Complex:
        def A(self, x):
            return torch.fft.fft2(x)

        def A_adjoint(self, y):
            return torch.fft.ifft2(y)

    with pytest.raises(ValueError, match="physics: A of Complex returns torch.complex64; expected"):
        DeepinvOperator(Complex(), SIZE)


@pytest.mark.parametrize("shape", [lambda x: x + 1, torch.tanh, lambda x: x * x.abs()])
def test_adapter_wants_a_linear_map(shape):
    class Nonlinear:
        def A(self, x):
            return shape(x)

        def A_adjoint(self, y):
            return y

    with pytest.raises(ValueError, match=r"^physics: A is not linear: A\(2 u - 3 v\) is off "):
        DeepinvOperator(Nonlinear(), SIZE)


def test_a_physics_that_fails_says_so_in_one_line():
    theirs = physics.Inpainting((3, 8, 8), mask=0.5)
    with pytest.raises(ValueError, match=r"^physics: A of Inpainting raised RuntimeError for") as e:
        DeepinvOperator(theirs, SIZE)
    assert "\n" not in str(e.value)
