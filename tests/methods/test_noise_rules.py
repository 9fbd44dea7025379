"""Noise rules: against diffusers' schedulers, and what the four weights must add up to."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from deqir_lite.methods import (
    DDIMNoise,
    DDNMNoise,
    DDPMNoise,
    ReleasedNoise,
    step_coefficients,
)
from deqir_lite.schedule import linear_schedule, timestep_grid

SCHEDULE = linear_schedule()
GRID = timestep_grid(10, spacing="uniform")


@pytest.fixture(scope="module")
def diffusers():
    import diffusers

    return diffusers


def placed(scheduler):
    """A scheduler of diffusers with the float64 table of ours."""
    scheduler.alphas_cumprod = SCHEDULE.alpha_bar
    scheduler.one = torch.tensor(1.0).double()
    scheduler.final_alpha_cumprod = scheduler.one
    scheduler.set_timesteps(len(GRID))
    assert scheduler.timesteps.tolist() == GRID.tolist()
    return scheduler


def step(rule, k, x, eps, xi):
    """One step of a chain without a measurement."""
    c = step_coefficients(SCHEDULE, GRID, rule)
    x0 = (x - (1 - c.source[k]).sqrt() * eps) / c.source[k].sqrt()
    a, b, c2, c1 = (weight[k] for weight in c.weights)
    return a * x0 + b * x + c2 * eps + c1 * xi


def draws(seed):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(3, 2, 3, 4, 4, generator=generator, dtype=torch.float64)


@pytest.mark.parametrize("eta", [0.0, 0.3, 1.0])
def test_ddim_is_diffusers_ddim(diffusers, eta):
    options = {"clip_sample": False, "timestep_spacing": "leading", "steps_offset": 0}
    scheduler = placed(diffusers.DDIMScheduler(set_alpha_to_one=True, **options))
    for k, t in enumerate(scheduler.timesteps):
        x, eps, xi = draws(k)
        expected = scheduler.step(eps, t, x, eta=eta, variance_noise=xi).prev_sample
        got = step(DDIMNoise(eta), k, x, eps, xi)
        torch.testing.assert_close(got, expected, rtol=1e-12, atol=1e-12)


@pytest.mark.equation("3", "4")
def test_ddpm_is_diffusers_ddpm(diffusers, monkeypatch):
    options = {"clip_sample": False, "timestep_spacing": "leading", "steps_offset": 0}
    scheduler = placed(diffusers.DDPMScheduler(variance_type="fixed_small", **options))
    module = "diffusers.schedulers.scheduling_ddpm.randn_tensor"
    for k, t in enumerate(scheduler.timesteps[:-1]):  # its last step clamps the variance at 1e-20
        x, eps, xi = draws(k)
        monkeypatch.setattr(module, lambda *args, xi=xi, **kwargs: xi)
        expected = scheduler.step(eps, t, x).prev_sample
        got = step(DDPMNoise(), k, x, eps, xi)
        torch.testing.assert_close(got, expected, rtol=1e-12, atol=1e-12)


@given(st.integers(1, 40), st.floats(0, 1))
def test_a_state_has_the_noise_of_its_level(num_steps, eta):
    """With the true x_0 and eps, x_s = sqrt(abar_s) x_0 + noise of variance 1 - abar_s."""
    grid = timestep_grid(num_steps)
    for rule in (DDNMNoise(eta), ReleasedNoise(eta, eta), DDIMNoise(eta), DDPMNoise()):
        c = step_coefficients(SCHEDULE, grid, rule)
        a, b, c2, c1 = c.weights
        signal = a + b * c.source.sqrt()
        noise = (c2 + b * (1 - c.source).sqrt()).square() + c1.square()
        torch.testing.assert_close(signal, c.target.sqrt(), rtol=1e-11, atol=1e-13)
        torch.testing.assert_close(noise, 1 - c.target, rtol=1e-9, atol=1e-13)
        assert a[-1] == 1
        assert b[-1] == c2[-1] == c1[-1] == 0


def test_ddims_own_eta_of_one_is_ddpms_law(nonlinear_prior):
    """The same mean and variance given x_{s+1}, though b x_{s+1} is written as eps and x0."""
    ddim, ddpm = (step_coefficients(SCHEDULE, GRID, rule) for rule in (DDIMNoise(1), DDPMNoise()))
    torch.testing.assert_close(ddim.c1, ddpm.c1, rtol=1e-10, atol=1e-14)
    x, eps, none = draws(0)
    for k in range(len(GRID)):
        one, two = (step(rule, k, x, eps, 0 * none) for rule in (DDIMNoise(1), DDPMNoise()))
        torch.testing.assert_close(one, two, rtol=1e-10, atol=1e-12)


def test_the_released_options_stand_for_one_eta():
    same = step_coefficients(SCHEDULE, GRID, ReleasedNoise(0.3, 0.3)).weights
    assert all(
        torch.equal(a, b)
        for a, b in zip(
            same, step_coefficients(SCHEDULE, GRID, DDNMNoise(0.3)).weights, strict=True
        )
    )
    c = step_coefficients(SCHEDULE, GRID, ReleasedNoise(0.1, 0.6))
    assert math.isclose(c.c1[0], 0.1 * math.sqrt(1 - c.target[0]))
    assert math.isclose(c.c2[0], 0.8 * math.sqrt(1 - c.target[0]))


def test_a_rise_returns_to_more_noise_whatever_the_rule():
    path = torch.tensor([900, 500, 700, 500, 0])
    for rule in (DDNMNoise(0.5), DDIMNoise(0.5), DDPMNoise()):
        c = step_coefficients(SCHEDULE, path, rule)
        assert c.asks.tolist() == [True, False, True, True, True]
        ratio = SCHEDULE.alpha_bar[700] / SCHEDULE.alpha_bar[500]
        a, b, c2, c1 = (float(weight[1]) for weight in c.weights)
        assert (a, c2) == (0, 0)
        assert math.isclose(b, math.sqrt(ratio))
        assert math.isclose(c1, math.sqrt(1 - ratio))
        plain = step_coefficients(SCHEDULE, path[[0, 1]], rule)
        assert float(plain.c1[0]) == float(c.c1[0])


@pytest.mark.parametrize("bad", [-0.1, 1.1, math.nan, "0.5", None, True])
@pytest.mark.parametrize(
    ("name", "make"),
    [
        ("eta", DDNMNoise),
        ("ddim_eta", DDIMNoise),
        ("nw", lambda bad: ReleasedNoise(bad, 0.5)),
        ("etw", lambda bad: ReleasedNoise(0.5, bad)),
    ],
)
def test_shares_outside_of_zero_to_one(name, make, bad):
    with pytest.raises(ValueError, match=rf"^{name}: got .*expected a number in \[0, 1\]$"):
        make(bad)
