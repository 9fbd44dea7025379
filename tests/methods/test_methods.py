"""Any method is a chain, and has every form: rules, returns, oblique and tilted consistency steps,
gradients through the network, diagonal weights."""

import pytest
import torch
from torch.fx.experimental.proxy_tensor import make_fx

from deqir_lite.chain import make_chain
from deqir_lite.fixedpoint import (
    FORMS,
    DenoiserModel,
    FixedPointSystem,
    data_held,
    make_model,
    noise_held,
)
from deqir_lite.fixedpoint.models import LinearModel
from deqir_lite.methods import (
    METHODS,
    ConsistencyStep,
    DDIMNoise,
    DDNMNoise,
    DDPMNoise,
    Method,
    NoiseRule,
    RangeNullConsistency,
    ReleasedNoise,
    Weights,
    find_method,
)
from deqir_lite.operators import TASKS, make_task
from deqir_lite.priors import ModelPrior
from deqir_lite.restoration import restore_parallel

PATH = [950, 700, 500, 700, 500, 250, 0]
"""A path with one return."""


class Guided(ConsistencyStep):
    """x_{0|t} + J^T A^T (y - A x_{0|t}): a pull through the network, as in DPS."""

    needs_pullback = True

    def __call__(self, prediction):
        m = self.measurement
        flat = prediction.x0.flatten(0, 1)
        y = m.y.repeat(len(prediction.x0), *[1] * (m.y.ndim - 1))
        pull = m.operator.adjoint(y - m.operator.A(flat)).view_as(prediction.x0)
        return prediction.x0 + 0.1 * prediction.pullback(pull)

    def linear(self, v, steps):
        return v

    linear_adjoint = linear


class Oblique(ConsistencyStep):
    """x_{0|t} + K_t A^+ (y - A x_{0|t}) with a K_t that depends on t and is not symmetric."""

    def tilt(self, steps):
        share = self.coefficients.source[steps].to(self.measurement.pinv_y)
        return (0.1 + 0.5 * share)[:, None, None, None, None]

    def __call__(self, prediction):
        m, tilt = self.measurement, self.tilt(prediction.steps)
        seen = m.impose(prediction.x0) - prediction.x0
        return prediction.x0 + seen + tilt * seen.roll(1, -1)

    def linear(self, v, steps):
        seen = self.measurement.null(v) - v
        return v + seen + self.tilt(steps) * seen.roll(1, -1)

    def linear_adjoint(self, v, steps):
        u = v + self.tilt(steps) * v.roll(-1, -1)
        return v + self.measurement.null(u) - u


class NoNoise(NoiseRule):
    """Deterministic, and asks for no draws at all."""

    draws = 0

    def weights(self, source, target, measurement=None):
        none = torch.zeros_like(target)
        return Weights(target.sqrt(), none, (1 - target).sqrt(), none)


class Spectral(NoiseRule):
    """A rule in the operator's basis: fresh noise where it measures, eps elsewhere; two draws."""

    draws = 2

    def weights(self, source, target, measurement):
        seen = (measurement.operator.singular_values((8, 8)) > 0).double()
        noise = (1 - target).sqrt().reshape(-1, 1, 1, 1, 1)
        a = (target.sqrt() - 0.1 * source).reshape(-1, 1, 1, 1, 1) * torch.ones_like(seen)
        b = 0.1 * source.reshape(-1, 1, 1, 1, 1) * (1 - 0.5 * seen)
        return Weights(a, b, noise * (1 - seen), noise * seen)

    def fresh_noise(self, draws, source, target, around):
        return (draws[:, 0] + draws[:, 1]) / 2**0.5


METHOD = {
    "ddnm": METHODS["ddnm"],
    "released": Method(RangeNullConsistency, ReleasedNoise(0.3, 0.5)),
    "ddim": Method(RangeNullConsistency, DDIMNoise(0.7)),
    "ddpm": Method(RangeNullConsistency, DDPMNoise()),
    "guided": Method(Guided, DDNMNoise(0.5)),
    "oblique": Method(Oblique, DDPMNoise()),
    "no noise": Method(RangeNullConsistency, NoNoise()),
    "spectral": Method(RangeNullConsistency, Spectral()),
}


@pytest.fixture
def chain_of(nonlinear_prior, gaussian_prior):
    def make(name, task="sr2", prior=nonlinear_prior, **options):
        operator = make_task(task, (8, 8))
        y = operator.A(gaussian_prior.sample((2, 8, 8), torch.Generator().manual_seed(3)))
        options = {"timesteps": PATH, "seed": [1, 2], **options}
        return make_chain(prior, operator, y, method=METHOD[name], **options)

    return make


@pytest.mark.filterwarnings("ignore:not converged")
@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("name", METHOD)
def test_parallel_is_sequential(chain_of, gaussian_prior, name, form):
    chain = chain_of(name)
    expected = chain.sequential()
    for solver in ("picard", "anderson-triangular"):
        got = restore_parallel(
            chain, form=form, solver=solver, start="x_T", gaussian=gaussian_prior, tolerance=0.0
        )
        assert got.sweeps <= len(PATH)
        assert (got.states - expected).abs().max() <= 1e-9 * expected.abs().max()


@pytest.mark.parametrize("task", ["sr2", "inpaint-random", "deblur-gaussian"])
@pytest.mark.parametrize("name", [name for name in METHOD if name != "guided"])
def test_the_gaussian_form_is_the_exact_linear_part_of_every_method(
    chain_of, gaussian_prior, name, task
):
    """h(x + v) - h(x) = L v under the Gaussian prior itself; one sweep ends at the fixed point."""
    chain = chain_of(name, task, prior=gaussian_prior)
    model = make_model("gaussian", chain, gaussian=gaussian_prior)
    x, v = torch.randn(2, 2, 3, 8, 8, generator=torch.Generator().manual_seed(0)).double()
    for k in range(len(PATH)):
        moved = chain.step(x + v, k) - chain.step(x, k)
        torch.testing.assert_close(model.apply(v, k), moved, rtol=1e-9, atol=1e-10)
    start = torch.randn(8, 2, 3, 8, 8, generator=torch.Generator().manual_seed(1)).double()
    start[0] = chain.x_T
    swept = FixedPointSystem(chain, model)(start)
    torch.testing.assert_close(swept, chain.sequential(), rtol=1e-8, atol=1e-8)


@pytest.mark.parametrize("task", list(TASKS))
@pytest.mark.equation("9")
def test_a_form_is_nothing_but_a_linear_denoiser(chain_for, gaussian_prior, task):
    """The noise form is W = v / sqrt(abar), the data form W = 0, the Gaussian form Wiener."""
    chain = chain_for(task, num_steps=6, eta=0.4)
    v = torch.randn(6, *chain.x_T.shape, generator=torch.Generator().manual_seed(0)).double()
    by_name = {"noise": noise_held, "data": data_held, "gaussian": gaussian_prior.wiener}
    for name, denoiser in by_name.items():
        form = make_model(name, chain, gaussian=gaussian_prior)
        plain = make_model(denoiser, chain)
        assert type(plain) is DenoiserModel
        for k in range(6):
            torch.testing.assert_close(
                form.apply(v[k], k), plain.apply(v[k], k), rtol=0, atol=1e-13
            )
        scale = form.correction(v).abs().max()
        assert (form.correction(v) - plain.correction(v)).abs().max() <= 1e-13 * scale


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("name", METHOD)
def test_adjoints_of_every_method_and_form(chain_of, gaussian_prior, name, form):
    """<u, L v> = <L^T u, v>, and the same for whole corrections."""
    chain = chain_of(name)
    model = make_model(form, chain, gaussian=gaussian_prior)
    u, v = torch.randn(2, 7, 2, 3, 8, 8, generator=torch.Generator().manual_seed(0)).double()
    for k in range(7):
        expected = LinearModel.apply_adjoint(model, u[k], k)
        torch.testing.assert_close(model.apply_adjoint(u[k], k), expected, rtol=0, atol=1e-10)
    left, right = (u * model.correction(v)).sum(), (model.correction_adjoint(u) * v).sum()
    torch.testing.assert_close(left, right, rtol=1e-9, atol=1e-9)


def test_returns_do_not_ask_the_network(chain_of, gaussian_prior):
    asked = []

    def model(x_t, t):
        asked.append(t.tolist())
        return gaussian_prior(x_t, t)

    chain = chain_of("ddnm", prior=ModelPrior(model, gaussian_prior.schedule))
    states = chain.sequential()
    assert [t[0] for t in asked] == [950, 700, 700, 500, 250, 0]
    assert chain.asking_steps() == 6
    ratio = chain.coefficients.alpha_bar[3] / chain.coefficients.alpha_bar[2]
    expected = ratio.sqrt() * states[2] + (1 - ratio).sqrt() * chain.noise[2]
    torch.testing.assert_close(states[3], expected)
    asked.clear()
    torch.testing.assert_close(chain.steps(states[:-1]), states[1:])
    assert asked == [[950, 950, 700, 700, 700, 700, 500, 500, 250, 250, 0, 0]]


def test_a_guided_step_pulls_through_the_network(chain_of, nonlinear_prior):
    chain = chain_of("guided", timesteps=[600, 0])
    states = chain.sequential()
    m, abar = chain.measurement, chain.coefficients.source[0]
    x = states[0].clone().requires_grad_()
    eps = nonlinear_prior(x, torch.tensor([600, 600]))
    x0 = (x - (1 - abar).sqrt() * eps) / abar.sqrt()
    pull = m.operator.adjoint(m.y - m.operator.A(x0)).detach()
    (slope,) = torch.autograd.grad(x0, x, pull)
    a, _, c2, c1 = (weight[0] for weight in chain.coefficients.weights)
    expected = a * (x0 + 0.1 * slope) + c2 * eps + c1 * chain.noise[0]
    torch.testing.assert_close(states[1], expected.detach())
    loss = chain.with_x_T(x).sequential()[-1].square().sum()
    assert torch.autograd.grad(loss, x)[0].abs().max() > 0


@pytest.mark.parametrize("form", FORMS)
def test_a_sweep_waits_for_no_value_and_can_be_recorded_once(chain_for, gaussian_prior, form):
    """Traced with tensors that have no values: a look at one would raise."""
    chain = chain_for("sr2", num_steps=4)
    system = FixedPointSystem(chain, make_model(form, chain, gaussian=gaussian_prior))
    generator = torch.Generator().manual_seed(0)
    one, two = torch.randn(2, 3, 1, 3, 8, 8, generator=generator, dtype=torch.float64)
    system.sweep(one, 1)  # constants of this size are made at the first use
    traced = make_fx(
        lambda window: system.sweep(window, 1).output,
        tracing_mode="fake",
        _allow_non_fake_inputs=True,
    )(one)
    torch.testing.assert_close(traced(two), system.sweep(two, 1).output)


@pytest.mark.parametrize("name", ["ddnm", "no noise", "spectral"])
def test_a_return_has_noise_of_its_own_whatever_the_rule(chain_of, name):
    noise = chain_of(name).noise[2]
    assert 0.5 < float(noise.std()) < 1.5


def test_a_share_of_noise_needs_a_rule_that_has_one(chain_of):
    with pytest.raises(
        ValueError, match=r"^eta: got 0.5, but the noise rule of this method is DDP"
    ):
        chain_of("ddpm", eta=0.5)


def test_a_name_brings_parameters_to_step_rule_and_path(gaussian_prior):
    operator = make_task("sr2", (8, 8))
    y = torch.zeros(1, *operator.measurement_shape((8, 8)), dtype=torch.float64)
    dps = make_chain(gaussian_prior, operator, y, method="dps:scale=2:clip=no:timesteps=3")
    assert (dps.consistency.scale, dps.consistency.clip, dps.num_steps) == (2.0, False, 3)
    ddrm = make_chain(gaussian_prior, operator, y, method="ddrm:eta=.5:strict=yes:timesteps=3")
    assert (ddrm.coefficients.rule.eta, ddrm.coefficients.rule.strict) == (0.5, True)
    grid = make_chain(gaussian_prior, operator, y, num_steps=4, spacing=1.0, returns=(2, 3))
    named = find_method("ddnm:timesteps=4:spacing=uniform:returns=2x3")
    path = make_chain(gaussian_prior, operator, y, method=named).coefficients.timesteps
    assert torch.equal(path, grid.coefficients.timesteps)
    assert len(path) > 4
    named = find_method("ddnm:timesteps=4:spacing=uniform:returns=1x3:returns_from=x0")
    path = make_chain(gaussian_prior, operator, y, method=named).coefficients.timesteps
    assert path.tolist() == [750] * 3 + [500] * 3 + [250] * 3 + [0]


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("dps:scale=", "method: got 'dps:scale='; expected a number as scale"),
        ("dps:clip=1", "method: got 'dps:clip=1'; clip: unknown value '1'; known: yes, no"),
        ("ddnm:eta=2", "method: got 'ddnm:eta=2'; eta: got 2.0"),
        ("ddnm:returns=5", "method: got 'ddnm:returns=5'; expected returns=LENGTHxREPEATS"),
        ("ddnm:returns_from=eps", "returns_from: unknown value 'eps'; known: state, x0"),
        ("ddnm:timesteps=0", "timesteps: got 0; expected an integer >= 1"),
        ("mmps:iterations=x", "expected an integer as iterations"),
        ("ddnm:spacing=odd", "spacing: unknown value 'odd'; known: uniform"),
        ("ddnm:", "parameters of ddnm, after a colon each: eta=1.0, timesteps=20"),
    ],
)
def test_refuses_parameters_in_a_name(name, message):
    with pytest.raises(ValueError, match=message):
        find_method(name)
