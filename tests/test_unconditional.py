"""The empty measurement: a chain that has seen nothing samples the prior, as diffusers does."""

import warnings

import pytest
import torch
from diffusers import DDIMScheduler

from deqir_lite import baselines
from deqir_lite.chain import make_chain
from deqir_lite.fixedpoint import FORMS, STARTS
from deqir_lite.methods import (
    DDIMNoise,
    DDNMNoise,
    DDNMPlusNoise,
    DDPMNoise,
    DDRMNoise,
    ExactNoise,
)
from deqir_lite.metrics import measurement_consistency
from deqir_lite.operators import NoMeasurement
from deqir_lite.priors import GaussianPosterior
from deqir_lite.restoration import (
    Problem,
    SolveOptions,
    estimate_sigma_y,
    restore_parallel,
    restore_problem,
    restore_sequential,
)
from deqir_lite.solvers import SOLVERS

SIZE, STEPS = (8, 8), 8
NOTHING = NoMeasurement(SIZE)


def empty(batch=2, dtype=torch.float64):
    return torch.empty(batch, 0, dtype=dtype)


def diffusers_ddim(chain, eta):
    """All states of diffusers' sampler, from the chain's x_T, with the chain's noise."""
    scheduler = DDIMScheduler(clip_sample=False)
    scheduler.alphas_cumprod = chain.prior.schedule.alpha_bar  # in float64
    scheduler.final_alpha_cumprod = torch.tensor(1.0, dtype=torch.float64)
    scheduler.set_timesteps(chain.num_steps)
    states = [chain.x_T]
    for k, t in enumerate(scheduler.timesteps):
        eps = chain.prior(states[-1], t.expand(len(chain.x_T)))
        noise = chain.noise[k] if eta else None
        step = scheduler.step(eps, t, states[-1], eta=eta, variance_noise=noise)
        states.append(step.prev_sample)
    return torch.stack(states)


@pytest.fixture(scope="module")
def unconditional(nonlinear_prior):
    def make(eta=0.0, **options):
        rule = {"rule": DDIMNoise(eta)} | options
        return make_chain(
            nonlinear_prior, NOTHING, empty(), num_steps=STEPS, spacing="uniform", **rule
        )

    return make


@pytest.fixture
def quietly():
    """The stand-in prior has no Gaussian part, which the weighted step remarks on."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="prior: .* has no Gaussian part")
        yield


@pytest.mark.usefixtures("quietly")
@pytest.mark.parametrize("method", ["ddnm", "mmps", "pigdm", "weighted"])
@pytest.mark.parametrize("eta", [0.0, 0.3, 1.0])
def test_sequential_is_ddim_of_diffusers(unconditional, method, eta):
    chain = unconditional(eta, method=method)
    expected = diffusers_ddim(chain, eta)
    states = restore_sequential(chain).states
    torch.testing.assert_close(states, expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize(
    ("method", "rule"), [("ddnm+", DDNMPlusNoise(0.4)), ("ddrm", DDRMNoise(0.4))]
)
def test_steps_with_a_rule_of_their_own_are_ddnm_where_nothing_is_seen(unconditional, method, rule):
    plain = unconditional(rule=DDNMNoise(0.4), method="ddnm")
    chain = unconditional(rule=rule, method=method).with_x_T(plain.x_T)
    states, expected = (restore_sequential(c).states for c in (chain, plain))
    torch.testing.assert_close(states, expected, rtol=1e-12, atol=1e-12)


@pytest.mark.usefixtures("quietly")
@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("eta", [0.0, 0.6])
def test_parallel_is_ddim_of_diffusers(unconditional, gaussian_prior, form, solver, eta):
    """To the exact end: T sweeps where the staircase is kept, and as many as it takes elsewhere."""
    chain = unconditional(eta)
    solution = restore_parallel(
        chain,
        form=form,
        solver=solver,
        gaussian=gaussian_prior,
        tolerance=1e-14,
        max_sweeps=20 * STEPS,
    )
    expected = diffusers_ddim(chain, eta)
    # a solver that mixes stops where the residuals, not the errors, are that small
    near = 1e-12 if solver in ("picard", "anderson-triangular") else 1e-10
    torch.testing.assert_close(solution.states, expected, rtol=near, atol=near)


@pytest.mark.usefixtures("quietly")
@pytest.mark.parametrize("start", STARTS)
def test_every_start_leads_there(unconditional, gaussian_prior, start):
    chain = unconditional(0.5, method="weighted")
    solution = restore_parallel(chain, start=start, gaussian=gaussian_prior, tolerance=1e-14)
    torch.testing.assert_close(solution.states, diffusers_ddim(chain, 0.5), rtol=1e-12, atol=1e-12)


@pytest.mark.usefixtures("quietly")
@pytest.mark.parametrize("rule", [DDNMNoise(0.4), DDPMNoise(), ExactNoise()])
@pytest.mark.parametrize("sigma_y", [0.0, 0.2])
def test_every_rule_samples_in_parallel_as_step_by_step(unconditional, rule, sigma_y):
    """And of a level of noise in nothing, nothing comes."""
    chain = unconditional(rule=rule, method="weighted", sigma_y=sigma_y)
    states = restore_sequential(chain).states
    assert bool(states.isfinite().all())
    parallel = restore_parallel(chain, tolerance=1e-14).states
    torch.testing.assert_close(parallel, states, rtol=1e-11, atol=1e-11)
    without = restore_sequential(unconditional(rule=rule, method="weighted")).states
    torch.testing.assert_close(states, without, rtol=1e-12, atol=1e-12)


def test_draws_of_the_gaussian_prior_have_its_mean_and_covariance(make_fitted_prior):
    """The exact rule with the weighted step draws from the prior itself, whatever T."""
    prior, count = make_fitted_prior(4), 6000
    chain = make_chain(
        prior,
        NoMeasurement((4, 4)),
        empty(count),
        method="weighted",
        rule=ExactNoise(),
        num_steps=3,
    )
    x = restore_sequential(chain).x0.flatten(1)
    like = x.new_zeros(48, 3, 4, 4)
    eye = torch.eye(48, dtype=torch.float64).view(48, 3, 4, 4)
    covariance = prior.covariance(eye).flatten(1)
    deviation = covariance.diagonal().sqrt()
    assert ((x.mean(0) - prior.mean(like).expand(3, 4, 4).flatten()).abs() / deviation).max() < 0.06
    error = (x.T.cov() - covariance) / (deviation[:, None] * deviation)
    assert error.abs().max() < 0.08


def test_all_that_takes_an_operator_takes_this_one(gaussian_prior):
    x = gaussian_prior.sample((2, *SIZE), torch.Generator().manual_seed(0))
    y = NOTHING.A(x)
    assert y.shape == (2, 0)
    assert NOTHING.measurement_shape(SIZE) == (0,)
    assert torch.equal(NOTHING.null_projector(x), x)
    assert not NOTHING.pinv(y).any()
    assert not NOTHING.adjoint(y).any()
    assert torch.equal(NOTHING.v(NOTHING.vt(x)), x)
    assert torch.equal(measurement_consistency(NOTHING, x, y), torch.zeros(2).double())
    mean = gaussian_prior.mean(x).expand_as(x)
    torch.testing.assert_close(GaussianPosterior(gaussian_prior, NOTHING, y).mean(), mean)
    torch.testing.assert_close(baselines.gaussian_mean(NOTHING, y, prior=gaussian_prior), mean)
    assert not baselines.simple_answer(NOTHING, y)[1].any()
    with pytest.raises(ValueError, match="an estimate needs 64 measured values, but there are on"):
        estimate_sigma_y(NOTHING, y)
    report = restore_problem(
        Problem("nothing", NOTHING, y, None), gaussian_prior, solve=SolveOptions(tolerance=1e-6)
    )
    assert report.restored.shape == x.shape
    assert report.numbers()["consistency"] == 0


@pytest.mark.parametrize(
    ("y", "message"),
    [
        (torch.zeros(2, 3, 8, 8), r"y: got shape \(2, 3, 8, 8\); expected \(B, 0\), nothing"),
        (torch.zeros(0), r"y: got shape \(0,\); expected \(B, 0\)"),
        (torch.zeros(0, 0), r"y: got shape \(0, 0\); expected \(B, 0\)"),
    ],
)
def test_refuses_what_measures_something(gaussian_prior, y, message):
    with pytest.raises(ValueError, match=message):
        make_chain(gaussian_prior, NOTHING, y)
