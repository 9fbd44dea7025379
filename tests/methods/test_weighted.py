"""The step in the prior's norm: against dense matrices, exact draws, oblique projectors."""

import warnings
from functools import partial

import pytest
import torch

from deqir_lite.chain import make_chain
from deqir_lite.fixedpoint import FORMS
from deqir_lite.measurement import Measurement
from deqir_lite.methods import (
    METHODS,
    DDNMNoise,
    DDPMNoise,
    ExactNoise,
    Method,
    RangeNullConsistency,
    WeightedConsistency,
)
from deqir_lite.operators import TASKS, Inpainting, LinearOperator, make_task
from deqir_lite.priors import GaussianPosterior, GaussianPrior, ModelPrior, conditioning
from deqir_lite.priors.conditioning import Conditioning
from deqir_lite.restoration import restore_parallel
from deqir_lite.schedule import cosine_schedule

SIZE = (8, 8)
TIGHT = Method(partial(WeightedConsistency, tolerance=1e-13), DDNMNoise())


def randn(*shape, seed=0):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def dense(linear, shape):
    """The matrix of a linear map of images (1, *shape)."""
    size = int(torch.tensor(shape).prod())
    eye = torch.eye(size, dtype=torch.float64).reshape(size, *shape)
    return linear(eye).flatten(1).T


@pytest.fixture
def problem(gaussian_prior):
    def make(task, sigma_y=0.0, batch=2, **options):
        operator = make_task(task, SIZE)
        photos = gaussian_prior.sample((batch, *SIZE), torch.Generator().manual_seed(3))
        y = operator.A(photos)
        level = torch.as_tensor(sigma_y).reshape(-1, *[1] * (y.ndim - 1))
        y = y + level * randn(*y.shape, seed=4)
        options = {"num_steps": 5, "seed": list(range(batch)), "method": TIGHT, **options}
        return make_chain(gaussian_prior, operator, y, sigma_y=sigma_y, **options)

    return make


def exact_step(chain, gaussian, x, k):
    """E[x_0 | x_t, y] of step k by dense linear algebra, (B, 3, H, W)."""
    abar, operator = float(chain.coefficients.source[k]), chain.measurement.operator
    lam = dense(gaussian.covariance, (3, *SIZE))
    eye = torch.eye(len(lam)).double()
    A = dense(operator.A, (3, *SIZE))
    mean = gaussian.mean(x).expand(1, 3, *SIZE).flatten()
    seen = torch.cat([abar**0.5 * eye, A])
    sigma_y = float(chain.measurement.sigma_y[0])
    noise = torch.block_diag((1 - abar) * eye, sigma_y**2 * torch.eye(len(A)).double())
    values = torch.cat([x.flatten(1), chain.measurement.y.flatten(1)], dim=1)
    spread = seen @ lam @ seen.T + noise
    # singular where y is exact, and then singular values are nearer to 0 than eigenvalues
    inverse = torch.linalg.pinv(spread, rtol=1e-13, hermitian=sigma_y > 0)
    change = inverse @ (values - seen @ mean).T
    return (mean + (lam @ seen.T @ change).T).view_as(x)


@pytest.mark.parametrize("sigma_y", [0.0, 0.05, 0.3])
@pytest.mark.parametrize("task", list(TASKS))
def test_x0_is_the_conditional_mean(problem, gaussian_prior, task, sigma_y):
    chain = problem(task, sigma_y)
    for k in (0, 3):
        x = randn(2, 3, *SIZE, seed=k)
        got = chain.consistent_x0(x[None], k)[0]
        expected = exact_step(chain, gaussian_prior, x, k)
        torch.testing.assert_close(got, expected, rtol=0, atol=1e-8)


@pytest.mark.parametrize("task", list(TASKS))
@pytest.mark.equation("5")
def test_without_noise_the_measurement_is_met_and_projectors_collapse(problem, task):
    """A x0^ = y, and (I - K_s A)(I - K_t A) = I - K_t A: products are the one applied first."""
    chain = problem(task)
    operator = chain.measurement.operator
    x0 = chain.consistent_x0(randn(5, 2, 3, *SIZE))
    flat, y = x0.flatten(0, 1), chain.measurement.y
    repeated = y.repeat(5, *[1] * (y.ndim - 1))
    torch.testing.assert_close(operator.A(flat), repeated, rtol=0, atol=1e-9)
    step = chain.method.consistency(chain.measurement, chain.coefficients, chain.prior)
    one, two = (step._conditioning.of_groups(slice(k, k + 1)) for k in (0, 3))
    v = randn(2, 3, *SIZE, seed=8)
    torch.testing.assert_close(one.project(two.project(v)), two.project(v), rtol=0, atol=1e-9)
    if task.startswith("inpaint"):  # where A and Lam share no basis, K_t changes with t
        assert (one.project(v) - two.project(v)).abs().max() > 1e-3


def test_white_photos_make_it_ddnm(problem, gaussian_prior):
    """C = I: the weighted pseudo-inverse is the pseudo-inverse."""
    chain = problem("inpaint-random")
    m, v = chain.measurement, randn(2, 3, *SIZE)
    ones = torch.ones_like(gaussian_prior.eigenvalues(v))[None]
    flat = Conditioning(gaussian_prior, m.operator, ones, like=v, sigma_y=0.0, tolerance=1e-13)
    torch.testing.assert_close(flat.project(v), m.null(v), rtol=0, atol=1e-10)


@pytest.mark.parametrize("sigma_y", [0.0, 0.1])
@pytest.mark.parametrize("task", ["sr2", "inpaint-random", "deblur-gaussian"])
def test_gradients_are_solves_with_the_transpose(problem, gaussian_prior, task, sigma_y):
    chain = problem(task, sigma_y)
    v, u = randn(5, 2, 3, *SIZE), randn(5, 2, 3, *SIZE, seed=1)
    x = chain.sequential()[:-1].requires_grad_()
    (pulled,) = torch.autograd.grad(chain.steps(x), x, u)
    h = 1e-4
    moved = (chain.steps(x + h * v) - chain.steps(x - h * v)) / (2 * h)
    left, right = (moved * u).sum(), (pulled * v).sum()
    torch.testing.assert_close(left, right, rtol=1e-7, atol=1e-7)


RULES = [DDNMNoise(), DDPMNoise(), ExactNoise(), ExactNoise(0.5)]


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("sigma_y", [0.0, 0.1])
@pytest.mark.filterwarnings("ignore:not converged")
def test_parallel_is_sequential(problem, nonlinear_prior, gaussian_prior, rule, sigma_y):
    """Each form with each rule and with each level, the forms of a rule half and half."""
    half = (RULES.index(rule) + (sigma_y > 0)) % 2
    chain = problem("inpaint-random", sigma_y, rule=rule, num_steps=4)
    chain = chain.with_prior(nonlinear_prior)
    expected = chain.sequential()
    for form in FORMS[half::2]:
        got = restore_parallel(chain, form=form, start="x_T", gaussian=gaussian_prior, tolerance=0)
        assert (got.states - expected).abs().max() <= 1e-8 * expected.abs().max()


@pytest.mark.parametrize("sigma_y", [0.0, 0.1])
def test_an_image_alone_and_in_a_batch_give_the_same(problem, sigma_y):
    chain = problem("inpaint-random", sigma_y, batch=3)
    x = randn(5, 3, 3, *SIZE)
    together = chain.consistent_x0(x)
    loose = Method(partial(WeightedConsistency, tolerance=1e-2), DDNMNoise())
    for method in (TIGHT, loose):
        whole = problem("inpaint-random", sigma_y, batch=3, method=method)
        together = whole.consistent_x0(x)
        single = torch.stack([whole.consistent_x0(x[k : k + 1], k)[0] for k in range(5)])
        torch.testing.assert_close(together, single, rtol=0, atol=1e-12)


def posterior_of(chain, gaussian):
    """Mean (N) and covariance (N, N) of p(x_0 | y), by dense linear algebra."""
    m = chain.measurement
    sigma_y = float(m.sigma_y[0])
    mean = GaussianPosterior(gaussian, m.operator, m.y[:1], sigma_y=sigma_y).mean()
    lam = dense(gaussian.covariance, (3, *SIZE))
    A = dense(m.operator.A, (3, *SIZE))
    seen = A @ lam @ A.T + sigma_y**2 * torch.eye(len(A)).double()
    return mean.flatten(), lam - lam @ A.T @ torch.linalg.pinv(
        seen, rtol=1e-12, hermitian=True
    ) @ A @ lam


@pytest.mark.parametrize(
    ("num_steps", "sigma_y", "task"),
    [
        # all pairs of two of them
        *[(1, 0.0, "inpaint-random"), (3, 0.1, "inpaint-random")],
        *[(1, 0.1, "deblur-gaussian"), (3, 0.0, "deblur-gaussian")],
        *[(1, 0.0, "sr2"), (3, 0.1, "sr2")],
        (10, 0.1, "inpaint-random"),
    ],
)
def test_exact_draws_have_the_mean_and_covariance_of_the_posterior(
    problem, gaussian_prior, task, sigma_y, num_steps
):
    """At any T. The chain is affine in its noise, so that each step's matrices say what mean and
    covariance it makes of those before it, beginning with those of x_T."""
    one = problem(task, sigma_y, batch=1, num_steps=num_steps)
    # nothing, and each pixel of each channel alone
    inputs = torch.cat([torch.zeros(1, 192), torch.eye(192)]).double().view(-1, 3, *SIZE)
    everywhere = inputs.expand(num_steps, -1, -1, -1, -1)
    rule, m = ExactNoise(), one.measurement
    chain = make_chain(
        gaussian_prior, m.operator, m.y, sigma_y=sigma_y, num_steps=num_steps,
        method=Method(partial(WeightedConsistency, tolerance=1e-8), rule),
        samples=len(inputs), noise=torch.zeros_like(everywhere),
    )  # fmt: skip
    shifts, *others = chain.steps(everywhere).flatten(2).unbind(1)
    maps = torch.stack(others, dim=-1) - shifts[..., None]
    added = []
    for which in range(rule.draws):
        draws = torch.zeros(num_steps, rule.draws, *inputs.shape).double()
        draws[:, which] = inputs
        c = chain.coefficients
        added.append(rule.fresh_noise(draws, c.source, c.target, chain.consistency).flatten(2))
    mean, covariance = torch.zeros(192).double(), torch.eye(192).double()
    for k in range(num_steps):
        mean = maps[k] @ mean + shifts[k]
        covariance = maps[k] @ covariance @ maps[k].T + sum(xi[k].T @ xi[k] for xi in added)
    right_mean, right_covariance = posterior_of(chain, gaussian_prior)
    deviation = right_covariance.diagonal().clamp(min=0).sqrt()
    # x_T is standard normal, and not quite what the photo's noisiest state is
    assert ((mean - right_mean).abs() <= 1e-3 * deviation + 1e-6).all()
    allowed = 1e-3 * deviation[:, None] * deviation + 1e-8
    assert ((covariance - right_covariance).abs() <= allowed).all()


def test_draws_are_as_many_as_asked_for_and_independent(problem, gaussian_prior):
    """Within the statistical error of 1,024 draws."""
    count = 1024
    one = problem("sr2", 0.1, batch=1).measurement
    chain = make_chain(
        gaussian_prior, one.operator, one.y.float(), num_steps=3, sigma_y=0.1, samples=count,
        method=Method(partial(WeightedConsistency, tolerance=1e-3), ExactNoise()),
    )  # fmt: skip
    draws = chain.sequential()[-1].double().flatten(1)
    assert len(draws) == count
    mean, covariance = posterior_of(chain, gaussian_prior)
    deviation = covariance.diagonal().clamp(min=0).sqrt()
    assert ((draws.mean(0) - mean).abs() <= 5 * deviation / count**0.5 + 1e-3).all()
    # an entry's statistical error is at most sqrt(2 / n) times the product of the deviations
    allowed = 6 * (2 / count) ** 0.5 * deviation[:, None] * deviation + 1e-6
    assert ((torch.cov(draws.T) - covariance).abs() <= allowed).all()


@pytest.mark.parametrize("rule", [DDNMNoise(), ExactNoise()])
@pytest.mark.parametrize("task", ["inpaint-random", "sr2", "colorization"])
def test_each_image_of_a_batch_has_its_own_noise_level(gaussian_prior, nonlinear_prior, task, rule):
    """Exact and noisy y side by side, sampled together, give what each gives alone."""
    levels, samples = [0.0, 0.05, 0.3], 2
    operator = make_task(task, SIZE)
    photos = gaussian_prior.sample((3, *SIZE), torch.Generator().manual_seed(3))
    y = operator.A(photos)
    y = y + torch.tensor(levels).reshape(-1, 1, 1, 1) * randn(*y.shape, seed=4)
    options = {"method": TIGHT, "num_steps": 4, "rule": rule, "samples": samples, "seed": 5}
    together = make_chain(nonlinear_prior, operator, y, sigma_y=levels, **options)
    states = together.sequential()
    for k, level in enumerate(levels):
        alone = make_chain(nonlinear_prior, operator, y[k : k + 1], sigma_y=level, **options)
        expected = alone.sequential()
        got = states[:, samples * k : samples * (k + 1)]
        torch.testing.assert_close(got, expected, rtol=0, atol=1e-12)
    same = make_chain(nonlinear_prior, operator, y, sigma_y=torch.tensor(levels), **options)
    torch.testing.assert_close(same.measurement.sigma_y, together.measurement.sigma_y)


def test_each_image_has_its_own_mask_and_noise_level(gaussian_prior):
    masks = (randn(3, 1, *SIZE, seed=2) > 0).double()
    levels, x = [0.1, 0.0, 0.3], randn(4, 3, 3, *SIZE)
    y = masks * gaussian_prior.sample((3, *SIZE), torch.Generator().manual_seed(3))
    options = {"method": TIGHT, "num_steps": 4}
    together = make_chain(gaussian_prior, Inpainting(masks), y, sigma_y=levels, **options)
    got = together.consistent_x0(x)
    for k, level in enumerate(levels):
        one = Inpainting(masks[k : k + 1])
        alone = make_chain(gaussian_prior, one, y[k : k + 1], sigma_y=level, **options)
        expected = alone.consistent_x0(x[:, k : k + 1])
        torch.testing.assert_close(got[:, k : k + 1], expected, rtol=0, atol=1e-12)


def test_gradients_of_exact_and_noisy_images_side_by_side(problem):
    chain = problem("inpaint-random", [0.0, 0.1])
    x, u = randn(5, 2, 3, *SIZE).requires_grad_(), randn(5, 2, 3, *SIZE, seed=1)
    (together,) = torch.autograd.grad(chain.steps(x), x, u)
    for k, level in enumerate((0.0, 0.1)):
        alone = problem("inpaint-random", level)
        (expected,) = torch.autograd.grad(alone.steps(x), x, u)
        torch.testing.assert_close(together[:, k], expected[:, k], rtol=0, atol=1e-12)


def test_steps_that_know_no_spread_have_no_exact_draws(problem):
    with pytest.raises(ValueError, match=r"^rule: it draws around x0\^, but RangeNullConsistency"):
        problem("sr2", method=METHODS["ddnm"], rule=ExactNoise())
    assert METHODS["ddnm"].consistency is RangeNullConsistency


def test_another_schedule_than_that_of_the_covariance(problem, gaussian_prior):
    other = GaussianPrior(gaussian_prior.spectrum, schedule=cosine_schedule())
    method = Method(partial(WeightedConsistency, gaussian=other), DDNMNoise())
    with pytest.raises(ValueError, match=r"^gaussian: its noise schedule differs"):
        problem("sr2", method=method).sequential()


class Cropped(LinearOperator):
    """A plain operator that keeps the left half; ``adjoint`` puts it back, or something else."""

    _channels = 3

    def __init__(self, adjoint):
        self._back = adjoint

    def _A(self, x):
        return x[..., : x.shape[-1] // 2]

    def _adjoint(self, y):
        return self._back(y)

    def _measurement_shape(self, size):
        return (3, size[0], size[1] // 2)

    def _image_size(self, shape):
        return (shape[1], 2 * shape[2])


def padded(y):
    return torch.nn.functional.pad(y, (0, y.shape[-1]))


def no_adjoint(y):
    raise NotImplementedError


@pytest.mark.parametrize(
    ("adjoint", "message"),
    [
        (lambda y: 2 * padded(y), "operator: its adjoint is not that of A: <A x, u> = "),
        (lambda y: padded(y).flip(-1), "operator: its adjoint is not that of A"),
        (lambda y: padded(y) * torch.nan, "operator: its adjoint is not that of A"),
        (lambda y: y, r"operator: its adjoint gives \(1, 3, 8, 4\) for images \(1, 3, 8, 8\)"),
        (no_adjoint, "operator: has no adjoint"),
    ],
)
def test_operators_without_an_adjoint(problem, adjoint, message):
    chain = problem("sr2", batch=1)
    good = Cropped(padded)
    measurement = Measurement(good, good.A(randn(1, 3, *SIZE)))
    WeightedConsistency(measurement, chain.coefficients, chain.prior)
    measurement.operator = Cropped(adjoint)
    with pytest.raises(ValueError, match=f"^{message}"):
        WeightedConsistency(measurement, chain.coefficients, chain.prior)


@pytest.mark.parametrize("sigma_y", [0.0, 0.1])
def test_a_solve_that_does_not_converge_says_where(problem, monkeypatch, sigma_y):
    monkeypatch.setattr(conditioning, "_MOST_ITERATIONS", 2)
    chain = problem("inpaint-random", sigma_y)
    timestep = int(chain.coefficients.timesteps[3])
    with pytest.raises(
        ValueError,
        match=r"^measurement: its weighted pseudo-inverse did not converge \(conjugate gradients: "
        r"relative residual .* after 2 iterations; wanted 1\.0e-13\); a looser tolerance, float64 "
        rf"or a larger sigma_y would help \(in the step from timestep {timestep}\)$",
    ):
        chain.step(randn(2, 3, *SIZE), 3)


def test_a_foreign_network_is_told_whose_covariance_it_gets(problem, gaussian_prior):
    """Once, whatever the number of chains; priors with a Gaussian part hear nothing."""
    foreign = ModelPrior(gaussian_prior, gaussian_prior.schedule)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("default")
        chain = problem("sr2")
        operator, y = chain.measurement.operator, chain.measurement.y
        for _ in range(2):
            make_chain(foreign, operator, y, method="weighted", num_steps=2).sequential()
        foreign.gaussian = gaussian_prior
        own = make_chain(foreign, operator, y, method="weighted", num_steps=2)
        step = own.method.consistency(own.measurement, own.coefficients, foreign)
    assert step.gaussian is gaussian_prior
    assert [str(w.message) for w in caught] == [
        "prior: ModelPrior has no Gaussian part; the weighted step takes the covariance of "
        f"the {which}"
        for which in ("bundled Gaussian prior", "Gaussian prior in its folder")
    ]


@pytest.mark.parametrize("sigma_y", [-0.1, float("nan"), [0.1, 0.2, 0.3], "0.1"])
def test_noise_levels_that_a_conditioning_refuses(gaussian_prior, sigma_y):
    variances, like = torch.ones(2, 3, 8, 5).double(), torch.zeros(2, 3, *SIZE).double()
    options = {"like": like, "sigma_y": sigma_y, "tolerance": 1e-9}
    with pytest.raises(ValueError, match=r"^sigma_y: got .*; expected a finite number >= 0, or"):
        Conditioning(gaussian_prior, make_task("sr2", SIZE), variances, **options)


@pytest.mark.parametrize("sigma_y", [0.0, 0.1])
def test_an_image_that_is_not_finite_stays_so_and_harms_no_other(problem, sigma_y):
    chain, x = problem("inpaint-random", sigma_y), randn(1, 2, 3, *SIZE)
    expected = chain.consistent_x0(x)[0, 1]
    x[0, 0, 0, 0, 0] = float("nan")
    got = chain.consistent_x0(x)[0]
    assert got[0].isnan().any()
    torch.testing.assert_close(got[1], expected)
