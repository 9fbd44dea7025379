"""Schedules and grids against diffusers, and the coefficients of Proposition 1."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from deqir_lite.methods import DDNMNoise, step_coefficients
from deqir_lite.schedule import (
    NoiseSchedule,
    cosine_schedule,
    linear_schedule,
    timestep_grid,
)

LINEAR = linear_schedule()


@pytest.fixture(scope="module")
def diffusers():
    import diffusers

    return diffusers


@pytest.mark.parametrize(
    ("name", "make", "betas"),
    [
        ("linear", linear_schedule, {}),
        ("linear", linear_schedule, {"beta_start": 1e-3, "beta_end": 0.03}),
        ("squaredcos_cap_v2", cosine_schedule, {}),
    ],
)
@pytest.mark.parametrize("steps", [1000, 37])
def test_tables_are_those_of_diffusers(diffusers, name, make, betas, steps):
    for scheduler in (diffusers.DDPMScheduler, diffusers.DDIMScheduler):
        reference = scheduler(num_train_timesteps=steps, beta_schedule=name, **betas)
        table = make(steps, **betas).alpha_bar
        assert table.dtype == torch.float64
        torch.testing.assert_close(table, reference.alphas_cumprod.double(), rtol=2e-5, atol=1e-9)


@pytest.mark.equation("2")
def test_linear_table_is_the_product_of_one_minus_beta():
    product = 1.0
    for t in range(1000):
        product *= 1 - (1e-4 + (0.02 - 1e-4) * t / 999)
        assert math.isclose(LINEAR.alpha_bar[t], product, rel_tol=1e-12)


def test_cosine_betas_are_capped():
    table = cosine_schedule(1000).alpha_bar
    assert table[-1] > 0
    assert math.isclose(float(1 - table[-1] / table[-2]), 0.999, rel_tol=1e-12)


def test_signal_and_noise_level_keep_float32_precision_at_low_noise():
    like = torch.zeros(2, 3, 4, 4)
    signal, noise = LINEAR.at(torch.tensor([0, 999]), like)
    assert signal.shape == noise.shape == (2, 1, 1, 1)
    assert signal.dtype == noise.dtype == torch.float32
    assert math.isclose(noise[0], 0.01, rel_tol=1e-6)  # sqrt(1 - (1 - 1e-4))
    torch.testing.assert_close(signal.square() + noise.square(), torch.ones(2, 1, 1, 1))
    signal, noise = LINEAR.at(torch.tensor([7]), like.double()[:1])
    assert signal.item() == LINEAR.alpha_bar[7].sqrt()
    assert noise.item() == (1 - LINEAR.alpha_bar[7]).sqrt()


def test_first_use_under_inference_mode_does_not_spoil_training():
    schedule, t = linear_schedule(), torch.tensor([3])
    with torch.inference_mode():
        schedule.at(t, torch.zeros(1, 2))
    weight = torch.ones(1, 2, requires_grad=True)
    (schedule.at(t, weight)[0] * weight).sum().backward()
    assert weight.grad is not None


@pytest.mark.parametrize(
    "table",
    [
        torch.tensor([0.9, 0.5]),
        torch.tensor([[0.9, 0.5]]).double(),
        torch.tensor([]).double(),
        torch.tensor([0.9, 0.9]).double(),
        torch.tensor([0.5, 0.9]).double(),
        torch.tensor([1.0, 0.5]).double(),
        torch.tensor([0.5, 0.0]).double(),
        torch.tensor([0.5, math.nan]).double(),
    ],
)
def test_impossible_tables(table):
    with pytest.raises(ValueError, match=r"^alpha_bar: [^\n]*$"):
        NoiseSchedule(table)


@pytest.mark.parametrize("make", [linear_schedule, cosine_schedule])
@pytest.mark.parametrize("steps", [0, -1, 2.5, True])
def test_bad_number_of_training_timesteps(make, steps):
    with pytest.raises(ValueError, match=r"^num_train_timesteps: got .* integer >= 1$"):
        make(steps)


@given(st.integers(2, 300), st.integers(0, 900))
def test_uniform_grid_is_multiples_of_the_stride(num_steps, more):
    available = num_steps + more
    grid = timestep_grid(num_steps, num_train_timesteps=available, spacing="uniform")
    stride = available // num_steps
    assert grid.dtype == torch.int64
    assert grid.tolist() == [k * stride for k in reversed(range(num_steps))]


@pytest.mark.parametrize("num_steps", [2, 7, 20, 100, 1000])
def test_uniform_grid_is_that_of_ddim(diffusers, num_steps):
    scheduler = diffusers.DDIMScheduler(timestep_spacing="leading", steps_offset=0)
    scheduler.set_timesteps(num_steps)
    assert timestep_grid(num_steps, spacing="uniform").tolist() == scheduler.timesteps.tolist()


@pytest.mark.parametrize(("spacing", "power"), [("quadratic", 2), ("cubic", 3), (2.5, 2.5)])
def test_power_law_grids(spacing, power):
    grid = timestep_grid(10, spacing=spacing)
    assert grid.tolist() == [round(999 * (k / 9) ** power) for k in reversed(range(10))]


def test_cubic_is_the_default_and_numbers_are_as_good_as_names():
    assert timestep_grid(12).tolist() == timestep_grid(12, spacing=3).tolist()
    assert timestep_grid(12, spacing=1.0).tolist() == timestep_grid(12, spacing="uniform").tolist()


@given(
    st.integers(1, 1000),
    st.one_of(st.sampled_from(["uniform", "quadratic", "cubic"]), st.floats(1, 8)),
    st.one_of(st.none(), st.integers(0, 999)),
)
def test_every_grid_has_t_different_timesteps_and_its_noisiest_is_the_last(
    num_steps, spacing, start
):
    if start is not None:
        num_steps = min(num_steps, start + 1)
    grid = timestep_grid(num_steps, spacing=spacing, first_timestep=start)
    assert len(grid) == num_steps
    assert (grid.diff() < 0).all()
    power = {"uniform": 1, "quadratic": 2, "cubic": 3}.get(spacing, spacing)
    last = 999 if start is None else start
    if start is None and power == 1 and num_steps > 1:
        last = 1000 // num_steps * (num_steps - 1)
    assert grid[0] == last
    if num_steps > 1:
        assert grid[-1] == 0
        index = torch.arange(num_steps - 1, -1, -1)
        law = last * (index.double() / (num_steps - 1)) ** power
        assert (grid >= law - 0.5).all()
        # a step above the power law is there because the one before is one below it
        pushed = grid > law + 0.5
        assert (grid[:-1] - grid[1:])[pushed[:-1]].eq(1).all()


def test_a_single_step_begins_in_noise():
    assert timestep_grid(1).tolist() == timestep_grid(1, spacing="uniform").tolist() == [999]
    assert timestep_grid(1, num_train_timesteps=50).tolist() == [49]
    assert timestep_grid(1, first_timestep=300).tolist() == [300]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"num_steps": 0}, "num_steps: got 0"),
        ({"num_steps": -3}, "num_steps: got -3"),
        ({"num_steps": 2.0}, "num_steps: got 2.0"),
        ({"num_steps": 1001}, "num_steps: got 1001; expected at most 1000"),
        ({"num_steps": 12, "first_timestep": 10}, "num_steps: got 12; expected at most 11"),
        ({"num_steps": 5, "spacing": "quartic"}, "spacing: .*known: uniform, quadratic, cubic"),
        *[
            ({"num_steps": 5, "spacing": bad}, "spacing: got .*expected an exponent >= 1, or unif")
            for bad in (0.99, 0, -1, math.nan, math.inf, True, None)
        ],
        ({"num_steps": 5, "first_timestep": -1}, "first_timestep: got -1"),
        ({"num_steps": 5, "first_timestep": 1000}, "first_timestep: got 1000; expected one below"),
    ],
)
def test_bad_grids(arguments, message):
    with pytest.raises(ValueError, match=message):
        timestep_grid(**arguments)


@given(st.integers(1, 60), st.floats(0, 1))
def test_coefficients_belong_to_the_target_of_each_step(num_steps, eta):
    grid = timestep_grid(num_steps)
    c = step_coefficients(LINEAR, grid, DDNMNoise(eta))
    assert c.num_steps == len(c.c1) == len(c.c2) == num_steps
    assert len(c.alpha_bar) == num_steps + 1
    for k in range(num_steps):
        reached = LINEAR.alpha_bar[grid[k + 1]] if k + 1 < num_steps else torch.tensor(1.0).double()
        assert c.source[k] == LINEAR.alpha_bar[grid[k]]
        assert c.target[k] == reached
        assert math.isclose(c.c1[k], eta * math.sqrt(1 - reached), abs_tol=1e-15)
        assert math.isclose(c.c1[k] ** 2 + c.c2[k] ** 2, 1 - reached, rel_tol=1e-13, abs_tol=1e-15)
    assert c.alpha_bar[-1] == 1
    assert c.c1[-1] == c.c2[-1] == 0


@pytest.mark.parametrize("eta", [-0.01, 1.01, math.nan, math.inf, "0.5", None, True])
def test_bad_eta(eta):
    with pytest.raises(ValueError, match=r"^eta: got .*expected a number in \[0, 1\]$"):
        DDNMNoise(eta)


@pytest.mark.parametrize(
    "timesteps",
    [
        torch.tensor([0, 500]),
        torch.tensor([500, 500]),
        torch.tensor([1000, 0]),
        torch.tensor([5, -1]),
        torch.tensor([5.0, 1.0]),
        torch.tensor([True]),
        torch.tensor([[5], [1]]),
        torch.tensor([], dtype=torch.int64),
    ],
)
def test_bad_timesteps(timesteps):
    with pytest.raises(ValueError, match=r"^timesteps: [^\n]*$"):
        step_coefficients(LINEAR, timesteps, DDNMNoise(0.0))
