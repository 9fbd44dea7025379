"""The sequential chain against diffusers' DDIM and against a literal DDNM."""

import itertools
import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from deqir_lite.chain import PAPER, PICTURE, make_chain, part_of_chain
from deqir_lite.chain.noise import Stream
from deqir_lite.measurement import Measurement
from deqir_lite.methods import DDPMNoise
from deqir_lite.operators import TASKS, Inpainting, NoMeasurement, make_task
from deqir_lite.priors import GaussianPrior
from deqir_lite.schedule import cosine_schedule


def rows(chain, i):
    """The chain of the i-th image of a batch alone, with its own noise."""
    measurement = Measurement(chain.measurement.operator, chain.measurement.y[i : i + 1])
    step = chain.method.consistency(measurement, chain.coefficients, chain.prior)
    noise = {"x_T": chain.x_T[i : i + 1], "noise": chain.noise[:, i : i + 1]}
    return replace(chain, measurement=measurement, consistency=step, **noise)


def test_a_consistency_step_belongs_to_its_chain(chain_for):
    chain = chain_for()
    with pytest.raises(ValueError, match="consistency: it is that of another chain"):
        replace(chain, measurement=chain_for().measurement)


@pytest.fixture(scope="module")
def ddim():
    """A scheduler of diffusers with the float64 table of ours, so that 1e-12 can be asked for."""
    from diffusers import DDIMScheduler

    def make(schedule, num_steps):
        scheduler = DDIMScheduler(
            clip_sample=False, set_alpha_to_one=True, timestep_spacing="leading", steps_offset=0
        )
        scheduler.alphas_cumprod = schedule.alpha_bar
        scheduler.final_alpha_cumprod = torch.tensor(1.0).double()
        scheduler.set_timesteps(num_steps)
        return scheduler

    return make


@pytest.mark.parametrize("eta", [0.0, 0.15, 0.85, 0.999])
def test_without_a_measurement_the_chain_is_ddim_of_diffusers(nonlinear_prior, ddim, eta):
    """DDIM's own eta scales the posterior's deviation; ours is eta sqrt(1 - abar) (Prop. 1)."""
    nothing, y = NoMeasurement((8, 8)), torch.empty(2, 0, dtype=torch.float64)
    chain = make_chain(
        nonlinear_prior, nothing, y, num_steps=10, eta=eta, seed=3, spacing="uniform"
    )
    scheduler = ddim(nonlinear_prior.schedule, 10)
    expected = [chain.x_T]
    for k, t in enumerate(scheduler.timesteps):
        eps = nonlinear_prior(expected[-1], t.expand(2))
        previous = int(t) - 100
        deviation = float(scheduler._get_variance(int(t), previous)) ** 0.5
        reached = float(scheduler.alphas_cumprod[previous]) if previous >= 0 else 1.0
        ratio = eta * math.sqrt(1 - reached) / deviation if deviation > 0 else 0.0
        step = scheduler.step(eps, t, expected[-1], eta=ratio, variance_noise=chain.noise[k])
        expected.append(step.prev_sample)
    got = chain.sequential()
    assert got.shape == (11, 2, 3, 8, 8)
    torch.testing.assert_close(got, torch.stack(expected), rtol=1e-12, atol=1e-12)
    single = make_chain(
        nonlinear_prior,
        nothing,
        y.float(),
        num_steps=10,
        eta=eta,
        seed=3,
        spacing="uniform",
    )
    assert (single.sequential().double() - got).abs().max() < 2e-4 * got.abs().max()


@pytest.mark.parametrize("task", ["sr2", "colorization", "deblur-uniform", "inpaint-random"])
@pytest.mark.parametrize("eta", [0.0, 0.15, 0.85])
def test_sequential_chain_is_a_literal_ddnm(nonlinear_prior, gaussian_prior, task, eta):
    """Line by line from the paper, with dense matrices of A and of its pseudo-inverse."""
    operator, eye = make_task(task, (8, 8)), torch.eye(192).double().reshape(192, 3, 8, 8)
    A = operator.A(eye).flatten(1).T
    y = operator.A(gaussian_prior.sample((1, 8, 8), torch.Generator().manual_seed(0)))
    chain = make_chain(
        nonlinear_prior, operator, y, num_steps=5, eta=eta, seed=1, spacing="uniform"
    )
    pinv = torch.linalg.pinv(A, rtol=1e-8)
    null = torch.eye(192).double() - pinv @ A
    beta = torch.linspace(1e-4, 0.02, 1000, dtype=torch.float64)
    alpha_bar = torch.cumprod(1 - beta, 0)
    x = chain.x_T.flatten()
    for k, t in enumerate([800, 600, 400, 200, 0]):
        source = alpha_bar[t]
        target = alpha_bar[t - 200] if t > 0 else torch.tensor(1.0).double()
        eps = nonlinear_prior(x.reshape(1, 3, 8, 8), torch.tensor([t])).flatten()
        x0 = (x - (1 - source).sqrt() * eps) / source.sqrt()
        x0 = pinv @ y.flatten() + null @ x0
        c1 = eta * (1 - target).sqrt()
        c2 = (1 - eta**2) ** 0.5 * (1 - target).sqrt()
        x = target.sqrt() * x0 + c2 * eps + c1 * chain.noise[k].flatten()
        states = chain.sequential()[k + 1].flatten()
        torch.testing.assert_close(states, x, rtol=0, atol=1e-8)


@pytest.mark.parametrize("task", list(TASKS))
@pytest.mark.parametrize("eta", [0.0, 0.85])
@pytest.mark.equation("5")
def test_the_output_explains_the_measurement_exactly(chain_for, task, eta):
    """c1 = c2 = 0 in the last step, so A x_0 = y."""
    chain = chain_for(task, num_steps=4, eta=eta)
    operator = chain.measurement.operator
    y = operator.A(chain.measurement.pinv_y)
    assert (operator.A(chain.sequential()[-1]) - y).abs().max() <= 1e-10


def test_a_seed_names_the_same_chain_in_every_dtype(chain_for):
    double, single = chain_for(seed=4), chain_for(seed=4, dtype=torch.float32)
    assert single.x_T.dtype == single.noise.dtype == single.sequential().dtype == torch.float32
    assert torch.equal(single.noise, double.noise.float())
    assert torch.equal(single.x_T, double.x_T.float())
    assert torch.equal(chain_for(seed=4).sequential(), double.sequential())
    assert not torch.equal(chain_for(seed=5).x_T, double.x_T)
    error = (single.sequential().double() - double.sequential()).abs().max()
    assert error < 1e-4 * double.sequential().abs().max()


def test_every_step_has_its_own_noise(chain_for):
    chain = chain_for(num_steps=40, batch=3)
    draws = torch.cat([chain.x_T[None], chain.noise]).flatten(2).flatten(0, 1)
    assert draws.shape == (41 * 3, 192)
    correlation = torch.corrcoef(draws) - torch.eye(len(draws))
    assert correlation.abs().max() < 0.4
    assert abs(draws.mean()) < 0.03
    assert abs(draws.std() - 1) < 0.03


def test_repeated_walks_see_the_same_noise(chain_for):
    chain = chain_for(eta=0.85)
    assert torch.equal(chain.sequential(), chain.sequential())


@pytest.mark.parametrize("task", ["sr2", "colorization", "deblur-motion"])
def test_images_of_a_batch_are_restored_one_by_one(chain_for, task):
    chain = chain_for(task, batch=3, eta=0.85)
    alone = torch.cat([rows(chain, i).sequential() for i in range(3)], dim=1)
    torch.testing.assert_close(chain.sequential(), alone, rtol=0, atol=1e-10)


def test_each_image_may_have_its_own_mask(nonlinear_prior):
    generator = torch.Generator().manual_seed(0)
    masks = (torch.rand(2, 1, 8, 8, generator=generator) > 0.5).double()
    photos = torch.rand(2, 3, 8, 8, generator=generator, dtype=torch.float64)
    chain = make_chain(nonlinear_prior, Inpainting(masks), masks * photos, num_steps=5, eta=0.85)
    output = chain.sequential()[-1]
    torch.testing.assert_close(masks * output, masks * photos)
    assert (output - photos).abs().max() > 0.1
    stacked = chain.steps(chain.sequential()[:-1])
    torch.testing.assert_close(stacked, chain.sequential()[1:], rtol=0, atol=1e-12)


@given(st.integers(0, 5), st.integers(1, 6))
def test_steps_taken_together_are_those_taken_alone(chain_for, first, count):
    count = min(count, 6 - first)
    chain = chain_for(batch=2, eta=0.5)
    generator = torch.Generator().manual_seed(first)
    states = torch.randn(count, 2, 3, 8, 8, generator=generator, dtype=torch.float64)
    alone = torch.stack([chain.step(x, first + i) for i, x in enumerate(states)])
    torch.testing.assert_close(chain.steps(states, first), alone, rtol=0, atol=1e-12)


def test_any_steps_in_any_order(chain_for):
    chain = chain_for("sr2", num_steps=6, batch=2)
    states, steps = chain.sequential(), torch.tensor([4, 0, 4, 2])
    found = chain.steps_at(states[steps], steps)
    torch.testing.assert_close(found, states[steps + 1], rtol=0, atol=1e-12)


def test_the_prior_is_asked_once_with_the_timestep_of_every_state(chain_for, gaussian_prior):
    asked = []

    class Listening(GaussianPrior):
        def __call__(self, x_t, t):
            asked.append(t.tolist())
            return super().__call__(x_t, t)

    chain = chain_for(prior=Listening(gaussian_prior.spectrum), num_steps=4, batch=2)
    chain.steps(chain.x_T.expand(3, 2, 3, 8, 8), first=1)
    assert asked == [[500, 500, 250, 250, 0, 0]]


def test_start_from_an_intermediate_timestep(chain_for):
    """x_T = sqrt(abar) A^+ y + sqrt(1 - abar) noise at the timestep asked for."""
    chain, whole = chain_for(num_steps=5, first_timestep=300), chain_for(num_steps=5)
    assert chain.coefficients.timesteps.tolist() == [300, 225, 150, 75, 0]
    alpha_bar = chain.prior.schedule.alpha_bar[300]
    expected = alpha_bar.sqrt() * chain.measurement.pinv_y + (1 - alpha_bar).sqrt() * whole.x_T
    torch.testing.assert_close(chain.x_T, expected)
    assert torch.equal(chain.noise, whole.noise)
    assert len(chain.sequential()) == 6


def test_spacing_is_passed_on(chain_for):
    timesteps = chain_for(num_steps=5, spacing="quadratic").coefficients.timesteps
    assert timesteps.tolist() == [999, 562, 250, 62, 0]


@pytest.mark.parametrize(("preset", "expected"), [(PAPER, (0.15, 950)), (PICTURE, (1.0, 999))])
def test_presets_are_arguments_of_a_chain_and_one_is_its_default(nonlinear_prior, preset, expected):
    operator, y = make_task("sr2", (8, 8)), torch.zeros(1, 3, 4, 4)
    chain = make_chain(nonlinear_prior, operator, y, **preset)
    c = chain.coefficients
    assert (c.num_steps, c.rule.eta, int(c.timesteps[0])) == (20, *expected)
    usual = make_chain(nonlinear_prior, operator, y).coefficients
    same = torch.equal(usual.timesteps, c.timesteps) and usual.rule.eta == c.rule.eta
    assert same is (preset is PICTURE)


@pytest.mark.parametrize("samples", [1, 3])
@pytest.mark.parametrize("start", [None, 400])
def test_samples_are_the_chains_of_their_seeds(nonlinear_prior, gaussian_prior, samples, start):
    operator = make_task("sr2", (8, 8))
    y = operator.A(gaussian_prior.sample((2, 8, 8), torch.Generator().manual_seed(0)))
    options = {"num_steps": 4, "eta": 0.7, "first_timestep": start}
    chain = make_chain(nonlinear_prior, operator, y, seed=5, samples=samples, **options)
    states = chain.sequential()
    for photo, sample in itertools.product(range(2), range(samples)):
        alone = make_chain(nonlinear_prior, operator, y[photo, None], seed=5 + sample, **options)
        image = photo * samples + sample
        assert torch.equal(chain.noise[:, image, None], alone.noise)
        torch.testing.assert_close(states[:, image, None], alone.sequential())


@pytest.mark.parametrize("make", [list, np.array, torch.tensor])
@pytest.mark.parametrize("samples", [None, 2])
def test_one_seed_for_each_image(nonlinear_prior, gaussian_prior, make, samples):
    operator = make_task("sr2", (8, 8))
    y = operator.A(gaussian_prior.sample((2, 8, 8), torch.Generator().manual_seed(0)))
    options = {"num_steps": 4, "samples": samples}
    chain = make_chain(nonlinear_prior, operator, y, seed=make([7, 3]), **options)
    for photo, seed in enumerate([7, 3]):
        alone = make_chain(nonlinear_prior, operator, y[photo, None], seed=seed, **options)
        rows = slice(photo * (samples or 1), (photo + 1) * (samples or 1))
        assert torch.equal(chain.x_T[rows], alone.x_T)
        assert torch.equal(chain.noise[:, rows], alone.noise)


def test_numbers_of_numpy_and_torch_name_the_same_chain(chain_for):
    own = {"num_steps": np.int64(5), "eta": torch.tensor(0.5, dtype=torch.float64)}
    own |= {"seed": np.array(4), "first_timestep": torch.tensor(400), "spacing": np.float64(2)}
    plain = {"num_steps": 5, "eta": 0.5, "seed": 4, "first_timestep": 400, "spacing": 2.0}
    one, other = chain_for(**own), chain_for(**plain)
    assert torch.equal(one.sequential(), other.sequential())
    assert repr(one.coefficients.rule) == repr(other.coefficients.rule) == "DDNMNoise(eta=0.5)"


def test_another_prior_or_initial_noise_on_the_same_chain(chain_for, gaussian_prior):
    chain = chain_for()
    other = chain.with_prior(gaussian_prior)
    assert other.prior is gaussian_prior
    assert other.noise is chain.noise
    moved = chain.with_x_T(2 * chain.x_T)
    assert torch.equal(moved.sequential()[0], 2 * chain.x_T)
    assert torch.equal(chain_for().x_T, chain.x_T)
    with pytest.raises(ValueError, match=r"^prior: its noise schedule differs"):
        chain.with_prior(GaussianPrior(gaussian_prior.spectrum, schedule=cosine_schedule()))
    with pytest.raises(ValueError, match=r"^x_T: got shape \(1, 3, 4, 4\); expected \(1, 3, 8"):
        chain.with_x_T(torch.zeros(1, 3, 4, 4).double())
    with pytest.raises(ValueError, match=r"^x_T: got torch.float32"):
        chain.with_x_T(chain.x_T.float())


def test_gradients_reach_the_initial_noise(chain_for):
    chain = chain_for(eta=0.5)
    x_T = chain.x_T.clone().requires_grad_()
    chain.with_x_T(x_T).sequential()[-1].square().sum().backward()
    assert x_T.grad.abs().max() > 0


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"num_steps": 0}, "num_steps: got 0"),
        ({"num_steps": -1}, "num_steps: got -1"),
        ({"num_steps": 2000}, "num_steps: got 2000; expected at most 1000"),
        ({"eta": 1.5}, "eta: got 1.5"),
        ({"eta": -0.1}, "eta: got -0.1"),
        ({"eta": math.nan}, "eta: got nan"),
        ({"seed": -1}, "seed: got -1"),
        ({"seed": 0.5}, "seed: got 0.5"),
        ({"samples": 0}, "samples: got 0; expected an integer >= 1"),
        ({"samples": 1.5}, "samples: got 1.5"),
        ({"spacing": "quartic"}, "spacing: unknown value .quartic.; known: uniform"),
        ({"spacing": 0.5}, "spacing: got 0.5; expected an exponent >= 1"),
        ({"first_timestep": 1000}, "first_timestep: got 1000"),
        ({"method": "magic"}, "method: unknown value 'magic'; known: ddnm"),
        ({"eta": 0.5, "rule": DDPMNoise()}, "eta: got 0.5 beside a rule"),
        ({"timesteps": [999, 0], "num_steps": 2}, "timesteps: got them beside num_steps"),
        ({"timesteps": [0, 999]}, "timesteps: expected values .* noisiest first"),
        ({"timesteps": [999, 999]}, "timesteps: expected values"),
        ({"timesteps": [999.0, 0.0]}, "timesteps: got torch.float32"),
        ({"timesteps": []}, "timesteps: got torch.float32"),
        ({"seed": [0, 1]}, "seed: got 2 for a batch of 1"),
        ({"seed": [-1]}, "seed: got -1"),
        ({"seed": [0, 1], "samples": 2}, "seed: got 2 for a batch of 1; expected one each"),
        ({"seed": [0.5], "samples": 2}, "seed: got 0.5; expected an integer"),
        ({"seed": "12"}, "seed: got '12'; expected an integer"),
        ({"sigma_y": -1.0}, "sigma_y: got -1"),
        ({"x_T": torch.zeros(1, 3, 8, 9)}, "x_T: got shape"),
        ({"noise": torch.zeros(20, 1, 3, 8, 8).double()}, "noise: got torch.float64"),
        ({"noise": torch.full((20, 1, 3, 8, 8), math.nan)}, "noise: contains NaN"),
    ],
)
def test_bad_arguments(nonlinear_prior, options, message):
    operator, y = make_task("sr2", (8, 8)), torch.zeros(1, 3, 4, 4)
    with pytest.raises(ValueError, match=message) as error:
        make_chain(nonlinear_prior, operator, y, **options)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("y", "message"),
    [
        (torch.full((1, 3, 4, 4), math.nan), "y: contains NaN"),
        (torch.full((1, 3, 4, 4), math.inf), "y: contains NaN or infinity"),
        (torch.zeros(1, 3, 4, 4, dtype=torch.uint8), "y: got dtype torch.uint8"),
        (torch.zeros(1, 3, 4, 4, dtype=torch.bfloat16), "dtype of y: .*known: torch.float32"),
        (torch.zeros(1, 3, 4, 4, dtype=torch.float16), "dtype of y: .*known: torch.float32"),
        (torch.zeros(1, 1, 4, 4), "y: got shape"),
        (torch.zeros(3, 4, 4), "y: got"),
        (None, "y: got None; expected a torch.Tensor"),
        ("photo.png", r"y: got 'photo.png' \(str\); expected a torch.Tensor"),
    ],
)
def test_bad_measurements(nonlinear_prior, y, message):
    with pytest.raises(ValueError, match=message) as error:
        make_chain(nonlinear_prior, make_task("sr2", (8, 8)), y)
    assert "\n" not in str(error.value)


def test_samples_with_a_mask_for_each_image_are_refused(nonlinear_prior):
    operator = Inpainting((torch.rand(2, 1, 8, 8) > 0.5).double())
    y = torch.zeros(2, 3, 8, 8).double()
    assert make_chain(nonlinear_prior, operator, y, num_steps=2, samples=1).x_T.shape[0] == 2
    with pytest.raises(ValueError, match=r"^samples: got 2 with a mask for each image"):
        make_chain(nonlinear_prior, operator, y, num_steps=2, samples=2)


def test_the_readers_own_timesteps_noise_and_x_T(nonlinear_prior):
    operator, y = make_task("sr2", (8, 8)), torch.zeros(1, 3, 4, 4).double()
    generator = torch.Generator().manual_seed(1)
    x_T, *noise = torch.randn(4, 1, 3, 8, 8, generator=generator, dtype=torch.float64)
    own = {"x_T": x_T, "noise": torch.stack(noise)}
    chain = make_chain(nonlinear_prior, operator, y, timesteps=[900, 300, 7], **own)
    assert chain.coefficients.timesteps.tolist() == [900, 300, 7]
    assert torch.equal(chain.x_T, x_T)
    assert torch.equal(chain.noise, own["noise"])


def test_a_seed_for_each_image_of_a_batch(nonlinear_prior, gaussian_prior):
    operator = make_task("sr2", (8, 8))
    y = operator.A(gaussian_prior.sample((3, 8, 8), torch.Generator().manual_seed(0)))
    chain = make_chain(nonlinear_prior, operator, y, num_steps=4, seed=[5, 0, 5])
    for i, seed in enumerate([5, 0, 5]):
        alone = make_chain(nonlinear_prior, operator, y[i, None], num_steps=4, seed=seed)
        assert torch.equal(chain.x_T[i, None], alone.x_T)
        torch.testing.assert_close(chain.sequential()[:, i, None], alone.sequential())


@pytest.mark.parametrize("size", [(8, 8), (9, 7)])  # blocks of 16 end with an image, or within one
@pytest.mark.parametrize("how", [{"seed": 3}, {"seed": [4, 0]}, {"seed": 5, "samples": 3}])
def test_noise_that_is_drawn_when_asked_for_is_the_same(gaussian_prior, size, how):
    operator = make_task("colorization", size)
    y = operator.A(gaussian_prior.sample((2, *size), torch.Generator().manual_seed(0)))
    kept = make_chain(gaussian_prior, operator, y, num_steps=5, **how)
    drawn = make_chain(gaussian_prior, operator, y, num_steps=5, keep_noise=False, **how)
    assert not isinstance(drawn.noise, torch.Tensor)
    assert drawn.noise.shape == kept.noise.shape
    for steps in (4, slice(1, 3), torch.tensor([3, 0]), slice(None)):  # forwards and back
        assert torch.equal(drawn.noise[steps], kept.noise[steps])
    assert torch.equal(drawn.x_T, kept.x_T)
    assert torch.equal(drawn.sequential(), kept.sequential())


@pytest.mark.parametrize(("count", "size"), [(3, 192), (4, 33), (1, 50), (6, 7), (2, 1000)])
def test_a_row_of_a_stream_is_what_torch_draws(monkeypatch, count, size):
    monkeypatch.setattr("deqir_lite.chain.noise._AT_ONCE", 64)
    generator = torch.Generator().manual_seed(3)
    whole = torch.randn(count, size, generator=generator, dtype=torch.float64)
    stream = Stream(3, count, size)
    for k in [*reversed(range(count)), *range(count)]:
        assert torch.equal(stream.row(k, whole), whole[k])


def test_a_part_of_a_chain_is_a_chain(chain_for):
    chain = chain_for(num_steps=6, eta=0.7, batch=2)
    states = chain.sequential()
    part = part_of_chain(chain, 2, 5, x_T=states[2])
    torch.testing.assert_close(part.sequential(), states[2:6])
