"""What every named task promises: pseudo-inverse, projectors, singular values, shapes, autograd."""

import numpy as np
import pytest
import torch

from deqir_lite.operators import TASKS, SpectralOperator, make_task


def images(case, batch=2, dtype=torch.float64, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(batch, 3, *case.size, generator=generator, dtype=dtype)


def test_pinv_is_the_moore_penrose_inverse(case, check_pinv):
    check_pinv(case)


@pytest.mark.equation("5")
def test_projectors(case):
    r, n = case.R, case.N
    identity = np.eye(len(r))
    for projector in (r, n):
        assert np.abs(projector @ projector - projector).max() <= 1e-10
        assert np.abs(projector - projector.T).max() <= 1e-10
    assert np.abs(r + n - identity).max() <= 1e-12
    scale = max(1, np.abs(case.pinv).max())
    assert np.abs(n @ case.pinv).max() <= 1e-10 * scale
    assert np.abs(case.A @ n).max() <= 1e-10


def test_singular_value_decomposition(case, check_svd):
    check_svd(case)


def test_direct_forms_equal_those_that_follow_from_the_svd(case):
    operator, x = case.operator, images(case)
    y = operator.A(x)
    for name, argument in [("A", x), ("adjoint", y), ("pinv", y), ("range_projector", x)]:
        direct = getattr(operator, name)(argument)
        from_svd = getattr(SpectralOperator, f"_{name}")(operator, argument)
        torch.testing.assert_close(direct, from_svd, rtol=1e-9, atol=1e-10)


def test_pinv_of_any_vector_ignores_what_a_cannot_reach(case):
    y = torch.randn(2, *case.measurement, dtype=torch.float64)
    operator = case.operator
    reached = operator.A(operator.pinv(y))
    torch.testing.assert_close(operator.pinv(reached), operator.pinv(y), rtol=1e-9, atol=1e-9)


def test_adjoint_dot_product(case):
    x = images(case)
    y = torch.randn(2, *case.measurement, dtype=torch.float64)
    left = (case.operator(x) * y).flatten(1).sum(1)
    right = (x * case.operator.adjoint(y)).flatten(1).sum(1)
    torch.testing.assert_close(left, right, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_dtype_is_that_of_the_input(case, dtype):
    operator, x = case.operator, images(case, dtype=dtype)
    y = operator(x)
    outputs = [y, operator.pinv(y), operator.adjoint(y), operator.range_projector(x)]
    outputs += [operator.null_projector(x), operator.vt(x), operator.v(x), operator.ut(y)]
    outputs += [operator.u(x), operator.singular_values_like(x)]
    assert {out.dtype for out in outputs} == {dtype}
    assert operator.singular_values(case.size).dtype == torch.float64


def test_float32_projectors_stay_close_to_float64(case):
    x = images(case)
    single = case.operator.range_projector(x.float()).double()
    assert (single - case.operator.range_projector(x)).abs().max() <= 1e-5


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_is_that_of_float32_rounded_once(case, dtype):
    operator, x = case.operator, images(case, dtype=dtype)
    y = operator(x)
    spectral = [("vt", x), ("v", x), ("ut", y), ("u", x)]
    plain = [("A", x), ("applied", x), ("adjoint", y), ("pinv", y)]
    for name, argument in [*plain, ("range_projector", x), ("null_projector", x), *spectral]:
        method = getattr(operator, name)
        assert torch.equal(method(argument), method(argument.float()).to(dtype)), name
    assert operator.singular_values_like(x).dtype == dtype


def test_images_of_a_batch_do_not_mix(case):
    operator, x = case.operator, images(case, batch=3)
    y = operator(x)
    for name, argument in [
        ("A", x),
        ("pinv", y),
        ("adjoint", y),
        ("null_projector", x),
        ("vt", x),
        ("ut", y),
    ]:
        function = getattr(operator, name)
        alone = torch.cat([function(argument[i : i + 1]) for i in range(3)])
        torch.testing.assert_close(function(argument), alone, rtol=1e-12, atol=1e-12)


def test_gradients_are_the_transposed_maps(case):
    operator, x = case.operator, images(case).requires_grad_()
    weights = torch.randn(2, *case.measurement, dtype=torch.float64)
    (gradient,) = torch.autograd.grad((operator(x) * weights).sum(), x)
    torch.testing.assert_close(gradient, operator.adjoint(weights), rtol=1e-10, atol=1e-12)
    direction = images(case, seed=1)
    for projector in (operator.range_projector, operator.null_projector):
        (gradient,) = torch.autograd.grad((projector(x) * direction).sum(), x)
        torch.testing.assert_close(gradient, projector(direction), rtol=1e-10, atol=1e-10)
    y = weights.requires_grad_()
    (gradient,) = torch.autograd.grad((operator.pinv(y) * direction).sum(), y)
    expected = (direction.flatten(1).numpy() @ case.pinv).reshape(gradient.shape)
    torch.testing.assert_close(gradient, torch.from_numpy(expected), rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_first_use_under_inference_mode_does_not_spoil_training(dtype):
    for name in TASKS:
        operator = make_task(name, (16, 8))
        with torch.inference_mode():
            operator.null_projector(torch.randn(1, 3, 16, 8, dtype=dtype))
            operator.pinv(operator(torch.randn(1, 3, 16, 8, dtype=dtype)))
        x = torch.randn(1, 3, 16, 8, dtype=dtype, requires_grad=True)
        operator.pinv(operator(operator.null_projector(x))).square().sum().backward()
        assert x.grad is not None


def test_shapes_lead_from_image_to_measurement_and_back(case):
    operator = case.operator
    assert tuple(operator(images(case)).shape[1:]) == case.measurement
    assert operator.image_size(case.measurement) == case.size
    s = operator.singular_values(case.size)
    assert torch.broadcast_shapes(s.shape, (1, 3, *case.size)) == (1, 3, *case.size)
    assert (s >= 0).all()


def test_results_do_not_share_memory_with_the_operator_or_the_input(case):
    operator, x = case.operator, images(case)
    before, y, s = x.clone(), operator(x), operator.singular_values(case.size)
    for out in (operator.vt(x), operator.pinv(y), operator.range_projector(x), s.clone(), s):
        out.add_(1)
    assert torch.equal(x, before)
    torch.testing.assert_close(operator(x), y)


def test_repr_says_what_it_is(case):
    assert repr(case.operator).startswith(type(case.operator).__name__ + "(")
    assert "\n" not in repr(case.operator)


@pytest.mark.parametrize(
    ("x", "message"),
    [
        (torch.zeros(3, 16, 8), "expected \\(B, 3, H, W\\)"),
        (torch.zeros(1, 1, 16, 8), "expected \\(B, 3, H, W\\)"),
        (torch.zeros(0, 3, 16, 8), "expected \\(B, 3, H, W\\)"),
        (torch.zeros(1, 3, 16, 8, dtype=torch.uint8), "floating-point"),
        (torch.zeros(1, 3, 16, 8).to(torch.float8_e4m3fn), "got dtype torch.float8_e4m3fn"),
        (torch.full((1, 3, 16, 8), float("nan")), "NaN"),
        (torch.full((1, 3, 16, 8), float("inf")), "infinity"),
        ([[1.0]], "torch.Tensor"),
    ],
)
def test_bad_images(case, x, message):
    with pytest.raises(ValueError, match=message) as error:
        case.operator.A(x)
    assert str(error.value).startswith("x: ")
    assert "\n" not in str(error.value)


def test_bad_measurements(case):
    operator = case.operator
    wrong = torch.zeros(2, *(n + 1 for n in case.measurement))
    flat = torch.zeros(5)
    integer = torch.zeros(2, *case.measurement, dtype=torch.int64)
    for function in (operator.pinv, operator.adjoint, operator.ut):
        for y in (wrong, flat, integer, None):
            with pytest.raises(ValueError, match=r"^y: [^\n]*$"):
                function(y)
    with pytest.raises(ValueError, match="y: contains NaN"):
        operator.pinv(torch.full((2, *case.measurement), float("nan")))


def test_projectors_check_shapes_but_never_look_at_values(case):
    x = torch.full((1, 3, *case.size), float("nan"))
    assert case.operator.null_projector(x).isnan().any()  # no error: no host synchronisation
    with pytest.raises(ValueError, match=r"^x: got shape"):
        case.operator.range_projector(x[0])
    with pytest.raises(ValueError, match=r"^x: got torch.int64"):
        case.operator.null_projector(torch.zeros(1, 3, *case.size, dtype=torch.int64))


@pytest.mark.parametrize("size", [(0, 8), (8,), "ab", (8.0, 8), (-8, 8), (True, True), 8])
def test_bad_sizes(case, size):
    with pytest.raises(ValueError, match=r"^image_size: "):
        case.operator.measurement_shape(size)
    with pytest.raises(ValueError, match=r"^image_size: "):
        case.operator.singular_values(size)


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("side", [8, 13, 31])
def test_the_longest_side_that_a_task_takes(task, side):
    fits = TASKS[task].fits(side)
    make_task(task, (fits, fits))
    assert fits <= side
    assert TASKS[task].fits(fits) == fits
    for longer in range(fits + 1, side + 1):
        with pytest.raises(ValueError, match="multiples of|power of two"):
            make_task(task, (longer, longer))
