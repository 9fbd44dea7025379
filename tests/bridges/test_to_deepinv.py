"""Our operators pass deepinv's own tests of a physics, our priors its samplers."""

import copy

import pytest
import torch

from deqir_lite.operators import (
    TASKS,
    Inpainting,
    MatrixOperator,
    NoMeasurement,
    as_operator,
    make_task,
    measurement_from_unit_range,
    measurement_to_unit_range,
    random_mask,
)
from deqir_lite.priors import GaussianPrior, ModelPrior

dinv = pytest.importorskip(
    "deepinv", reason="deepinv is not installed (extra 'compare')", exc_type=ImportError
)

from deqir_lite.bridges.to_deepinv import PriorDenoiser, to_physics  # noqa: E402

SIZE = (16, 16)


def images(size=SIZE, batch=2, dtype=torch.float64):
    generator = torch.Generator().manual_seed(0)
    return torch.rand(batch, 3, *size, generator=generator, dtype=dtype)


@pytest.fixture(scope="module", params=[*TASKS, "matrix", "nothing", "masks"])
def operator(request):
    if request.param == "matrix":
        return MatrixOperator(torch.randn(40, 768).double(), image_size=SIZE)
    if request.param == "nothing":
        return NoMeasurement(SIZE)
    if request.param == "masks":
        return Inpainting(torch.stack([random_mask(SIZE, seed=seed)[None] for seed in (0, 1)]))
    return make_task(request.param, SIZE)


@pytest.fixture(scope="module")
def physics(operator):
    return to_physics(operator, SIZE, dtype=torch.float64)


def test_same_maps(operator, physics):
    x = images()
    y = operator.A(x)
    torch.testing.assert_close(physics.A(x), y, rtol=1e-10, atol=1e-11)
    torch.testing.assert_close(physics(x), y, rtol=1e-10, atol=1e-11)
    torch.testing.assert_close(physics.A_adjoint(y), operator.adjoint(y), rtol=1e-9, atol=1e-10)
    torch.testing.assert_close(physics.A_dagger(y), operator.pinv(y), rtol=1e-8, atol=1e-9)


def test_adjointness(operator, physics):
    """deepinv's test_operators_adjointness, with the tolerance of float64."""
    if operator.measurement_shape(SIZE) == (0,):
        pytest.skip("0 / 0")
    assert physics.adjointness_test(images(), num_samples=2) < 1e-12
    x = images()
    y = physics.A(x)
    backwards = dinv.physics.adjoint_function(physics.A, x.shape, x.device, x.dtype)
    torch.testing.assert_close(backwards(y), physics.A_adjoint(y), rtol=1e-9, atol=1e-10)


def test_pseudo_inverse(physics):
    """deepinv's test_pseudo_inverse: A^+ A is the identity on the range of A^T."""
    r = physics.A_adjoint(physics.A(images()))
    error = (physics.A_dagger(physics.A(r)) - r).norm()
    assert error <= 1e-9 * r.norm()


def test_decomposable(operator, physics):
    """deepinv's test_decomposable; and, what DDRM needs, singular values of the images' shape."""
    assert isinstance(physics, dinv.physics.DecomposablePhysics)
    x = images()
    masks = operator._batch
    assert physics.mask.shape == (masks, 3, *SIZE)
    torch.testing.assert_close(physics.V(physics.V_adjoint(x)), x)
    seen = physics.mask != 0
    c = torch.randn_like(x) * seen
    torch.testing.assert_close(physics.U_adjoint(physics.U(c)), c, rtol=1e-9, atol=1e-10)
    y = physics.A(x)
    torch.testing.assert_close(physics.U(physics.U_adjoint(y)), y, rtol=1e-9, atol=1e-10)


@pytest.mark.parametrize("gamma", [0.1, 10.0])
def test_proximal_operator(physics, gamma):
    """prox_l2 minimises gamma / 2 |A x - y|^2 + 1/2 |x - z|^2: its gradient vanishes."""
    z = images()
    y = physics.A(images().flip(-1))
    x = physics.prox_l2(z, y, gamma)
    slope = gamma * physics.A_adjoint(physics.A(x) - y) + x - z
    assert slope.abs().max() < 1e-9 * (1 + gamma)


def test_an_operator_without_a_decomposition_is_a_linear_physics():
    blur = dinv.physics.Blur(filter=torch.tensor([[[[0.2, 0.7, 0.1]]]]).double()).to(torch.float64)
    operator = as_operator(blur, SIZE)
    physics = to_physics(operator, SIZE)
    assert not isinstance(physics, dinv.physics.DecomposablePhysics)
    x = images()
    torch.testing.assert_close(physics.A(x), blur.A(x))
    assert physics.adjointness_test(x, num_samples=2) < 1e-12
    torch.testing.assert_close(physics.A_dagger(physics.A(x)), operator.pinv(operator.A(x)))


@pytest.mark.parametrize("task", ["sr2", "sensing", "old-photo", "deblur-motion"])
def test_there_and_back(task):
    """A physics made of an operator is an operator again, and the same one."""
    operator = make_task(task, SIZE)
    back = as_operator(to_physics(operator, SIZE, dtype=torch.float64), SIZE)
    x = images()
    y = operator.A(x)
    torch.testing.assert_close(back.A(x), y, rtol=1e-10, atol=1e-11)
    torch.testing.assert_close(back.pinv(y), operator.pinv(y), rtol=1e-8, atol=1e-9)
    assert back.pinv_error < 1e-9
    unit = measurement_to_unit_range(operator, operator.A(2 * x - 1))
    torch.testing.assert_close(unit, y, rtol=1e-10, atol=1e-11)
    torch.testing.assert_close(measurement_from_unit_range(operator, y), operator.A(2 * x - 1))


def test_physics_in_float32_and_with_noise():
    physics = to_physics(
        make_task("sr2", SIZE), SIZE, noise_model=dinv.physics.GaussianNoise(sigma=0.1)
    )
    x = images(dtype=torch.float32)
    y = physics(x)
    assert y.dtype == physics.A_dagger(y).dtype == torch.float32
    assert 0.08 < float((y - physics.A(x)).std()) < 0.12
    copy.deepcopy(physics)


def test_wrong_arguments_of_to_physics():
    with pytest.raises(
        ValueError, match=r"^operator: got 'sr2' \(str\); expected a LinearOperator"
    ):
        to_physics("sr2", SIZE)
    with pytest.raises(ValueError, match=r"^image_size: got size 5x4; both sides must be multip"):
        to_physics(make_task("sr2", SIZE), (5, 4))


# --- denoisers ---


@pytest.fixture(scope="module")
def gaussian(make_fitted_prior):
    return make_fitted_prior(16)


def closed_form(gaussian, x, sigma):
    """E[u | u + sigma n] for (2 u - 1) ~ N(mean, Lam)."""
    z = 2 * x - 1
    eigenvalues = gaussian.eigenvalues(z)
    gain = eigenvalues / (eigenvalues + 4 * sigma**2)
    return (gaussian.mean(z) + gaussian.filter(z - gaussian.mean(z), gain) + 1) / 2


def level(gaussian, t):
    abar = float(gaussian.schedule.alpha_bar[t])
    return ((1 - abar) / abar) ** 0.5 / 2


@pytest.mark.parametrize("timestep", ["nearest", "interpolated"])
@pytest.mark.parametrize("t", [0, 1, 40, 500, 999])
def test_a_denoiser_is_exact_at_the_levels_of_the_table(gaussian, timestep, t):
    x, sigma = images(), level(gaussian, t)
    denoised = PriorDenoiser(gaussian, timestep=timestep)(x, sigma)
    torch.testing.assert_close(denoised, closed_form(gaussian, x, sigma), rtol=1e-9, atol=1e-10)


@pytest.mark.parametrize(
    ("sigma", "nearest", "interpolated"),
    [(0.003, 0.8, 0.3), (0.006, 0.2, 0.02), (0.02, 4e-3, 3e-4), (0.1, 4e-3, 3e-5)],
)
def test_between_levels_interpolation_is_closer(gaussian, sigma, nearest, interpolated):
    """Relative to what a denoiser takes away; at the lowest levels that is very little."""
    x = images()
    exact = closed_form(gaussian, x, sigma)
    for timestep, near in (("nearest", nearest), ("interpolated", interpolated)):
        denoised = PriorDenoiser(gaussian, timestep=timestep)(x, sigma)
        assert (denoised - exact).norm() < near * (x - exact).norm()


def test_each_image_has_its_own_level(gaussian):
    x, sigmas = images(batch=3), torch.tensor([0.0, 0.05, 2.0])
    for timestep in ("nearest", "interpolated"):
        denoiser = PriorDenoiser(gaussian, timestep=timestep)
        together = denoiser(x, sigmas.view(3, 1, 1, 1))
        alone = torch.cat([denoiser(x[i : i + 1], float(sigmas[i])) for i in range(3)])
        torch.testing.assert_close(together, alone)
        assert torch.equal(together[0], x[0])


def test_denoisers_can_be_differentiated(gaussian):
    x = images().requires_grad_()
    v = torch.randn_like(x)
    (slope,) = torch.autograd.grad((PriorDenoiser(gaussian)(x, level(gaussian, 300)) * v).sum(), x)
    shifted = closed_form(gaussian, v, level(gaussian, 300))
    shifted = shifted - closed_form(gaussian, torch.zeros_like(v), level(gaussian, 300))
    torch.testing.assert_close(slope, shifted, rtol=1e-8, atol=1e-9)


@pytest.mark.parametrize("sigma", [-0.1, float("nan"), "x", [0.1], 79.0, None])
def test_levels_that_a_prior_does_not_know(gaussian, sigma):
    with pytest.raises(ValueError, match="^sigma: got "):
        PriorDenoiser(gaussian)(images(), sigma)


def test_wrong_arguments_of_a_denoiser(gaussian):
    with pytest.raises(ValueError, match="^timestep: unknown value 'exact'; known: nearest, inter"):
        PriorDenoiser(gaussian, timestep="exact")
    with pytest.raises(ValueError, match=r"^prior: got 'photo64' \(str\); expected a Prior"):
        PriorDenoiser("photo64")


# --- samplers ---


@pytest.fixture(scope="module")
def photo(gaussian):
    """A draw of the prior, in [0, 1] but for its tails."""
    return (gaussian.sample((1, *SIZE), torch.Generator().manual_seed(3)).float() + 1) / 2


def bent(gaussian):
    def model(x, t):
        return gaussian(x, t) + 0.05 * torch.tanh(gaussian(x, t).roll(1, -1))

    return ModelPrior(model, gaussian.schedule)


@pytest.mark.parametrize("task", ["inpaint-random", "sr2", "sensing", "colorization"])
@pytest.mark.parametrize("kind", [lambda gaussian: gaussian, bent])
def test_ddrm_restores_with_our_operator_and_prior(gaussian, photo, task, kind):
    noise = 0.01
    model = dinv.physics.GaussianNoise(sigma=noise, rng=torch.Generator().manual_seed(0))
    physics = to_physics(make_task(task, SIZE), SIZE, noise_model=model)
    y = physics(photo)
    sampler = dinv.sampling.DDRM(
        PriorDenoiser(kind(gaussian)), sigmas=torch.linspace(1, 0, 30).numpy()
    )
    x = sampler(y, physics, seed=1)
    assert x.shape == photo.shape
    assert bool(x.isfinite().all())
    assert float((physics.A(x) - y).square().mean().sqrt()) < 3 * noise
    # two draws from the exact posterior of the Gaussian prior are this far apart
    eye = torch.eye(768).double().view(768, 3, *SIZE)
    a, prior = physics.operator.A(eye).flatten(1).T, gaussian.covariance(eye).flatten(1) / 4
    gain = torch.linalg.solve(a @ prior @ a.T + noise**2 * torch.eye(len(a)).double(), a @ prior)
    spread = (prior - prior @ a.T @ gain).trace()
    assert (x - photo).norm() < 1.1 * (2 * spread).sqrt()


def test_diffpir_restores_with_our_operator_and_prior(gaussian, photo):
    physics = to_physics(make_task("inpaint-random", SIZE), SIZE)
    photo = photo.clamp(0, 1)
    y = physics(photo)
    torch.manual_seed(0)
    sampler = dinv.sampling.DiffPIR(
        PriorDenoiser(gaussian), dinv.optim.data_fidelity.L2(), sigma=0.01, max_iter=30
    )
    x = sampler(y, physics)
    assert bool(x.isfinite().all())
    assert float((physics.A(x) - y).abs().mean()) < 0.03
    assert (x - photo).norm() < (y - photo).norm()


def test_dps_restores_with_our_operator_and_prior(gaussian, photo):
    physics = to_physics(make_task("inpaint-random", SIZE), SIZE)
    y = physics(photo)
    sampler = dinv.sampling.DPS(
        PriorDenoiser(gaussian), num_steps=60, rng=torch.Generator().manual_seed(0)
    )
    x = sampler(y, physics).float()
    assert bool(x.isfinite().all())
    assert float((physics.A(x) - y).abs().mean()) < 0.05
    assert (x - photo).norm() < (y - photo).norm()


@pytest.mark.parametrize("task", ["sr2", "inpaint-box", "colorization"])
def test_moment_matching_is_exact_for_the_gaussian_prior(make_fitted_prior, task):
    """-grad log p(y | x_t) = J^T A^T (A C A^T + s^2)^-1 (A D(x_t) - y), C the covariance of x_0
    given x_t and J = dD/dx_t = C / sigma^2: deepinv's solve against dense matrices."""
    gaussian, size, noise = make_fitted_prior(8), (8, 8), 0.1
    sigma = level(gaussian, 300)
    operator = make_task(task, size)
    physics = to_physics(operator, size, noise_model=dinv.physics.GaussianNoise(sigma=noise))
    x = images(size, batch=1)
    y = physics.A(images(size, batch=1).flip(-1).float())
    eye = torch.eye(192).double().view(192, 3, 8, 8)
    a = operator.A(eye).flatten(1).T
    zero = closed_form(gaussian, torch.zeros_like(eye), sigma)
    jacobian = (closed_form(gaussian, eye, sigma) - zero).flatten(1).T
    covariance = sigma**2 * jacobian
    misfit = (a @ closed_form(gaussian, x, sigma).flatten()) - y.double().flatten()
    inner = a @ covariance @ a.T + noise**2 * torch.eye(len(a)).double()
    expected = jacobian.T @ a.T @ torch.linalg.solve(inner, misfit)
    fidelity = dinv.sampling.MomentMatchingDataFidelity(
        PriorDenoiser(gaussian), cg_max_iter=200, cg_tol=1e-7
    )
    got = fidelity.grad(x.float(), y, physics, sigma)
    error = (got.double().flatten() - expected).norm() / expected.norm()
    assert error < 1e-3


def test_a_prior_of_another_table(make_fitted_prior):
    from deqir_lite.schedule import cosine_schedule

    cosine = GaussianPrior(make_fitted_prior(16).spectrum, schedule=cosine_schedule(50))
    x, sigma = images(), level(cosine, 20)
    torch.testing.assert_close(PriorDenoiser(cosine)(x, sigma), closed_form(cosine, x, sigma))
