"""Every method against its published formulas, written down anew in another way: dense matrices,
autograd, one step after the other; and against other libraries where they have the method."""

import re
import warnings
from functools import partial

import numpy as np
import pytest
import torch

from deqir_lite.baselines import bicubic
from deqir_lite.chain import make_chain
from deqir_lite.methods import (
    METHODS,
    DDNMPlusNoise,
    DDRMConsistency,
    DDRMNoise,
    DiffPIRConsistency,
    DiffPIRNoise,
    DPSConsistency,
    ILVRConsistency,
    ILVRNoise,
    Method,
    MMPSConsistency,
    RePaintConsistency,
    RePaintNoise,
)
from deqir_lite.methods.mmps import gmres
from deqir_lite.operators import BicubicDownsampling, Inpainting, make_task
from deqir_lite.priors import ModelPrior
from deqir_lite.schedule import timestep_grid, with_returns

SIZE = (8, 8)
TASKS = ["sr2", "pool2", "inpaint-random", "deblur-gaussian", "colorization", "deblur-motion"]


def dense(linear):
    """The matrix of a linear map of images (1, 3, 8, 8)."""
    eye = torch.eye(192, dtype=torch.float64).reshape(192, 3, *SIZE)
    return linear(eye).flatten(1).T


def levels(chain):
    """abar of x_{s+1} and of x_s of each step, and the timesteps, as plain numbers."""
    c = chain.coefficients
    return zip(c.source.tolist(), c.target.tolist(), c.timesteps.tolist(), strict=True)


def predicted(chain, x, t, at):
    eps = chain.prior(x, torch.full((len(x),), t))
    return (x - (1 - at) ** 0.5 * eps) / at**0.5, eps


def close(got, expected):
    assert (got - expected).abs().max() <= 1e-9 * expected.abs().max()


# --- methods of the singular basis ---


def ddnm_plus(s, a, sigma, sigma_y, eta):
    """Lambda, and the factors of z and eps, of one singular value, as the published code has them
    (and in the basis of V for eps too, which that leaves out)."""
    gain, of_z, of_eps = 1.0, sigma * eta, sigma * (1 - eta**2) ** 0.5
    if sigma_y != 0 and s > 0:
        if sigma < a * sigma_y / s:
            gain, of_eps = s * sigma * (1 - eta**2) ** 0.5 / a / sigma_y, 0.0
        if sigma > a * sigma_y / s:
            of_z, of_eps = (sigma**2 - a**2 * sigma_y**2 / s**2) ** 0.5, 0.0
    return gain, of_z, of_eps


@pytest.mark.parametrize("sigma_y", [0.0, 0.02, 0.5])
@pytest.mark.parametrize("task", TASKS)
def test_ddnm_plus_is_the_published_one(noisy_chain, nonlinear_prior, task, sigma_y):
    eta = 0.7
    chain = noisy_chain("ddnm+", task, nonlinear_prior, sigma_y, eta=eta)
    matrix = dense(chain.measurement.operator.A)
    squares, basis = torch.linalg.eigh(matrix.T @ matrix)  # functions of A^T A know no basis
    values = torch.where(squares > 1e-9, squares.clamp(min=0).sqrt(), 0)
    pinv = torch.linalg.pinv(matrix, rtol=1e-5)
    x, y = chain.x_T.flatten(1), chain.measurement.y.flatten(1)
    states = chain.sequential()
    for k, (at, next_, t) in enumerate(levels(chain)):
        x0, eps = (v.flatten(1) for v in predicted(chain, x.view(2, 3, *SIZE), t, at))
        parts = [ddnm_plus(float(s), next_**0.5, (1 - next_) ** 0.5, sigma_y, eta) for s in values]
        gain, of_z, of_eps = torch.tensor(parts, dtype=torch.float64).T
        spread = lambda f, v: v @ basis * f @ basis.T  # noqa: E731
        hat = x0 - spread(gain, (x0 @ matrix.T - y) @ pinv.T)
        x = next_**0.5 * hat + spread(of_z, chain.noise[k].flatten(1)) + spread(of_eps, eps)
        close(states[k + 1].flatten(1), x)


@pytest.mark.parametrize("strict", [False, True])
@pytest.mark.parametrize("sigma_y", [0.0, 0.02, 0.5])
@pytest.mark.parametrize("task", TASKS)
def test_ddrm_is_the_published_one(noisy_chain, nonlinear_prior, task, sigma_y, strict):
    """In the variance-exploding scale, coefficient by coefficient, from its own start."""
    rule = DDRMNoise(0.6, 0.9, strict)
    chain = noisy_chain(Method(DDRMConsistency, rule), task, nonlinear_prior, sigma_y)
    matrix = dense(chain.measurement.operator.A)
    squares, basis = torch.linalg.eigh(matrix.T @ matrix)
    values = torch.where(squares > 1e-9, squares.clamp(min=0).sqrt(), 0).tolist()
    ybar = chain.measurement.y.flatten(1) @ torch.linalg.pinv(matrix, rtol=1e-5).T @ basis
    states = chain.sequential()
    plain = noisy_chain("ddnm", "sr2", nonlinear_prior)  # whose x_T is white
    white = plain.x_T.flatten(1) @ basis
    sigma = float(((1 - chain.coefficients.alpha_bar[0]) / chain.coefficients.alpha_bar[0]).sqrt())
    x = torch.empty_like(white)
    for i, s in enumerate(values):
        if s * sigma > sigma_y:
            x[:, i] = ybar[:, i] + (sigma**2 - sigma_y**2 / s**2) ** 0.5 * white[:, i]
        else:
            x[:, i] = sigma * white[:, i]
    for k, (at, next_, t) in enumerate(levels(chain)):
        image = at**0.5 * (x @ basis.T).view(2, 3, *SIZE)
        close(states[k], image)
        x0, eps = (v.flatten(1) @ basis for v in predicted(chain, image, t, at))
        sigma, z = ((1 - next_) / next_) ** 0.5, chain.noise[k].flatten(1) @ basis
        for i, s in enumerate(values):
            kept = (1 - rule.eta**2) ** 0.5 * sigma
            known = s * sigma > sigma_y or (s > 0 and not strict and s * sigma == sigma_y)
            if s > 0 and known:
                left = (sigma**2 - (rule.eta_b * sigma_y / s) ** 2) ** 0.5
                mean = (1 - rule.eta_b) * x0[:, i] + rule.eta_b * ybar[:, i]
                x[:, i] = mean + left * z[:, i]
            elif s > 0 and sigma_y > 0:
                pull = kept * (ybar[:, i] - x0[:, i]) * s / sigma_y
                x[:, i] = x0[:, i] + pull + rule.eta * sigma * z[:, i]
            else:
                x[:, i] = x0[:, i] + kept * eps[:, i] + rule.eta * sigma * z[:, i]
    close(states[-1], (x @ basis.T).view(2, 3, *SIZE))


def test_ddrm_is_that_of_deepinv(noisy_chain, nonlinear_prior, monkeypatch):
    """Its noise, which it divides by sqrt(2), is given to it; it ends with a prediction, as the
    published code does. In [0, 1], where a blur has s < sigma_y, which it treats as unseen."""
    pytest.importorskip("deepinv")
    from deepinv.physics import GaussianNoise
    from deepinv.sampling import DDRM

    from deqir_lite.bridges.to_deepinv import PriorDenoiser, to_physics
    from deqir_lite.operators import measurement_to_unit_range

    sigma_y = 0.2
    method = Method(DDRMConsistency, DDRMNoise(0.6, 0.9, strict=True))
    chain = noisy_chain(method, "pool2", nonlinear_prior, sigma_y, num_steps=6)
    operator, abar = chain.measurement.operator, chain.coefficients.source
    sigmas = ((1 - abar) / abar).sqrt().numpy() / 2
    physics = to_physics(operator, SIZE, dtype=torch.float64)
    physics.noise_model = GaussianNoise(sigma_y / 2)
    white = noisy_chain("ddnm").x_T
    draws = iter([operator.vt(z) * 2**0.5 for z in (white, *chain.noise)])
    monkeypatch.setattr(torch, "randn_like", lambda like: next(draws))
    theirs = DDRM(PriorDenoiser(nonlinear_prior), sigmas=sigmas, eta=0.6, etab=0.9, eps=0.0)
    got = theirs(measurement_to_unit_range(operator, chain.measurement.y), physics)
    expected = chain.sequential()[-1]
    assert (2 * got - 1 - expected).abs().max() <= 1e-6


def test_ddnm_plus_and_ddrm_are_one_step_where_y_has_noise(noisy_chain, nonlinear_prior):
    """With eta_b = 1, from the same x_T; for exact y, DDNM+ is DDNM."""
    chain = noisy_chain("ddnm+", "deblur-gaussian", nonlinear_prior, 0.1)
    other = noisy_chain("ddrm", "deblur-gaussian", nonlinear_prior, 0.1, x_T=chain.x_T)
    close(other.sequential(), chain.sequential())
    exact = [noisy_chain(name, "sr2", nonlinear_prior, eta=0.85) for name in ("ddnm", "ddnm+")]
    close(exact[1].sequential(), exact[0].sequential())


@pytest.mark.parametrize("rule", [DDNMPlusNoise(0.6), DDRMNoise(0.6), DDRMNoise(0.3, 0.5)])
@pytest.mark.parametrize("task", TASKS)
def test_a_state_has_the_noise_of_its_level(noisy_chain, rule, task):
    """In x0^ the noise of y counts, too: a^2 Lambda^2 sigma_y^2 / s^2 + c1^2 + c2^2 = 1 - abar."""
    name = "ddrm" if isinstance(rule, DDRMNoise) else "ddnm+"
    chain = noisy_chain(name, task, sigma_y=[0.01, 0.4], rule=rule)
    target = chain.coefficients.target.reshape(-1, 1, 1, 1, 1)
    believed, c2, c1 = rule.parts(chain.coefficients.target, chain.measurement)
    brought = target.sqrt() * believed * chain.measurement.pinv_noise().nan_to_num(posinf=0.0)
    total = brought.square() + c1.square() + c2.square()
    torch.testing.assert_close(total, (1 - target).expand_as(total), rtol=1e-10, atol=1e-14)


@pytest.mark.parametrize("sigma_y", [0.0, 0.3])
@pytest.mark.parametrize("task", TASKS)
def test_diffpir_is_the_published_one(noisy_chain, nonlinear_prior, task, sigma_y):
    """The proximal point of images in [0, 1] by a dense solve; eps anew from it."""
    weight, zeta = 3.0, 0.4
    method = Method(partial(DiffPIRConsistency, weight=weight), DiffPIRNoise(zeta))
    chain = noisy_chain(method, task, nonlinear_prior, sigma_y)
    matrix = dense(chain.measurement.operator.A)
    ones = torch.ones(1, 192, dtype=torch.float64)
    y, x = (chain.measurement.y.flatten(1) + ones @ matrix.T) / 2, chain.x_T.flatten(1)
    states, sigma_n = chain.sequential(), max(0.001, sigma_y / 2)
    for k, (at, next_, t) in enumerate(levels(chain)):
        x0 = predicted(chain, x.view(2, 3, *SIZE), t, at)[0].clamp(-1, 1).flatten(1)
        rho = weight * sigma_n**2 / ((1 - at) / at)
        system = matrix.T @ matrix + rho * torch.eye(192).double()
        hat = 2 * torch.linalg.solve(system, (y @ matrix + rho * (x0 / 2 + 0.5)).T).T - 1
        eps = (x - at**0.5 * hat) / (1 - at) ** 0.5
        noise = (1 - zeta) ** 0.5 * eps + zeta**0.5 * chain.noise[k].flatten(1)
        x = next_**0.5 * hat + (1 - next_) ** 0.5 * noise
        assert (states[k + 1].flatten(1) - x).abs().max() <= 1e-7 * x.abs().max()


# --- methods that ask the network for gradients ---


def ancestral(x0, x, at, next_, z):
    """DDPM's step, by its betas."""
    beta = 1 - at / next_
    mean = next_**0.5 * beta / (1 - at) * x0 + (1 - beta) ** 0.5 * (1 - next_) / (1 - at) * x
    return mean + ((1 - next_) / (1 - at) * beta) ** 0.5 * z


@pytest.mark.filterwarnings("ignore:sigma_y. DPSConsistency does not look")
@pytest.mark.parametrize("clip", [True, False])
@pytest.mark.parametrize("task", TASKS)
def test_dps_is_the_published_one(noisy_chain, network_prior, task, clip):
    method = Method(partial(DPSConsistency, scale=0.7, clip=clip), METHODS["dps"].rule)
    chain = noisy_chain(method, task, network_prior, 0.1)
    x, y, states = chain.x_T, chain.measurement.y, chain.sequential()
    for k, (at, next_, t) in enumerate(levels(chain)):
        x = x.detach().requires_grad_()
        x0, _ = predicted(chain, x, t, at)
        x0 = x0.clamp(-1, 1) if clip else x0
        misfit = (y - chain.measurement.operator.A(x0)).flatten(1).norm(dim=1).sum()
        (slope,) = torch.autograd.grad(misfit, x)
        x = ancestral(x0, x, at, next_, chain.noise[k]).detach() - 0.7 * slope
        close(states[k + 1], x)


def test_dps_where_nothing_is_missing(noisy_chain, nonlinear_prior):
    """The gradient of a norm at 0 is 0, not NaN."""
    chain = noisy_chain("dps", Inpainting(torch.zeros(SIZE)), nonlinear_prior)
    assert bool(chain.sequential().isfinite().all())


@pytest.mark.parametrize("sigma_y", [0.0, 0.2])
@pytest.mark.parametrize("task", TASKS)
def test_pigdm_is_the_published_one(noisy_chain, network_prior, task, sigma_y):
    """With DDIM's noise, by autograd; with noise in y by a dense solve."""
    chain = noisy_chain("pigdm", task, network_prior, sigma_y)
    matrix, states = dense(chain.measurement.operator.A), chain.sequential()
    abar = chain.coefficients.alpha_bar[0]
    white = noisy_chain("ddnm").x_T
    x = abar.sqrt() * chain.measurement.pinv_y + (1 - abar).sqrt() * white
    y, eye = chain.measurement.y.flatten(1), torch.eye(len(matrix)).double()
    for k, (at, next_, t) in enumerate(levels(chain)):
        x = x.detach().requires_grad_()
        x0, eps = predicted(chain, x, t, at)
        seen = (1 - at) * matrix @ matrix.T + sigma_y**2 * eye
        missing = (y - x0.detach().flatten(1) @ matrix.T).T
        middle = (1 - at) * matrix.T @ torch.linalg.pinv(seen, rtol=1e-10) @ missing
        (guide,) = torch.autograd.grad((x0.flatten(1) * middle.T).sum(), x)
        c1 = ((1 - at / next_) * (1 - next_) / (1 - at)) ** 0.5
        c2 = max(1 - next_ - c1**2, 0) ** 0.5
        x = next_**0.5 * x0 + c1 * chain.noise[k] + c2 * eps + (next_ * at) ** 0.5 * guide
        x = x.detach()
        assert (states[k + 1] - x).abs().max() <= 1e-7 * x.abs().max()


@pytest.mark.parametrize("task", ["sr2", "inpaint-random", "colorization"])
def test_mmps_solves_with_the_jacobian_of_the_network(noisy_chain, network_prior, task):
    """x0^ against the dense Jacobian of the prediction, which is not symmetric."""
    sigma_y = 0.3
    method = Method(partial(MMPSConsistency, iterations=110), METHODS["mmps"].rule)
    chain = noisy_chain(method, task, network_prior, sigma_y, num_steps=3)
    matrix, y = dense(chain.measurement.operator.A), chain.measurement.y
    x = chain.x_T  # any state will do
    at, _, t = list(levels(chain))[1]
    got = chain.consistent_x0(x[None], 1)[0]
    for b in range(2):
        alone = x[b : b + 1]
        x0 = predicted(chain, alone, t, at)[0]
        jacobian = torch.func.jacrev(lambda v: predicted(chain, v, t, at)[0])(alone)
        covariance = (1 - at) / at**0.5 * jacobian.reshape(192, 192).T
        assert (covariance - covariance.T).abs().max() > 1e-6
        seen = matrix @ covariance @ matrix.T + sigma_y**2 * torch.eye(len(matrix)).double()
        missing = y[b].flatten() - matrix @ x0.flatten()
        change = covariance @ matrix.T @ torch.linalg.solve(seen, missing)
        assert (got[b] - x0[0] - change.view(3, *SIZE)).abs().max() <= 1e-7


@pytest.mark.parametrize("task", TASKS)
def test_mmps_is_the_weighted_step_under_the_gaussian(noisy_chain, gaussian_prior, task):
    """Both are E[x_0 | x_t, y] there, exactly (the weighted step: see test_weighted)."""
    method = Method(partial(MMPSConsistency, iterations=80), METHODS["mmps"].rule)
    chain = noisy_chain(method, task, sigma_y=[0.1, 0.4])
    exact = noisy_chain("weighted", task, sigma_y=[0.1, 0.4])
    x = exact.sequential()[:-1]  # the same, at a tenth of the cost
    torch.testing.assert_close(chain.consistent_x0(x), exact.consistent_x0(x), rtol=0, atol=1e-8)


def test_gmres_finds_the_least_residual_in_few_steps():
    """Against a dense least squares in the Krylov space; entries that are solved stand still."""
    generator = torch.Generator().manual_seed(0)
    matrix = torch.eye(9).double() + 0.4 * torch.randn(9, 9, generator=generator).double()
    b = torch.randn(2, 3, 9, generator=generator).double()
    b[0, 0] = 0
    for iterations in (1, 3, 12):
        x = gmres(lambda v: v @ matrix.T, b, iterations=iterations)
        assert bool((x[0, 0] == 0).all())
        one = b[1, 2]
        krylov = torch.stack(
            [torch.linalg.matrix_power(matrix, k) @ one for k in range(iterations)]
        )
        best = torch.linalg.lstsq(matrix @ krylov.T, one[:, None], driver="gelsd").residuals
        least = float(best) ** 0.5 if best.numel() else 0.0
        assert abs(float((matrix @ x[1, 2] - one).norm()) - least) <= 1e-9


# --- methods that replace a part of the state ---


def test_repaint_is_that_of_diffusers(noisy_chain, network_prior, monkeypatch):
    diffusers = pytest.importorskip("diffusers")
    method = Method(
        partial(RePaintConsistency, clip=False), RePaintNoise()
    )  # theirs clips x0 alone
    chain = noisy_chain(method, "inpaint-random", network_prior, num_steps=10)
    scheduler = diffusers.RePaintScheduler(eta=1.0, clip_sample=False)
    scheduler.alphas_cumprod = chain.prior.schedule.alpha_bar
    scheduler.final_alpha_cumprod = torch.tensor(1.0).double()
    scheduler.set_timesteps(10, jump_length=1, jump_n_sample=1)
    assert chain.coefficients.timesteps.tolist() == scheduler.timesteps.tolist()
    module = "diffusers.schedulers.scheduling_repaint.randn_tensor"
    mask = chain.measurement.operator.mask
    x, states = chain.x_T, chain.sequential()
    for k, t in enumerate(scheduler.timesteps.tolist()):
        monkeypatch.setattr(module, lambda *args, k=k, **kwargs: chain.noise[k])
        eps = chain.prior(x, torch.full((2,), t))
        x = scheduler.step(eps, t, x, chain.measurement.y, mask).prev_sample
        torch.testing.assert_close(states[k + 1], x, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize(("steps", "length", "repeats"), [(10, 1, 2), (12, 3, 4), (250, 10, 10)])
def test_returns_are_those_of_diffusers(steps, length, repeats):
    """Theirs go up one step at a time, ours at once."""
    diffusers = pytest.importorskip("diffusers")
    scheduler = diffusers.RePaintScheduler()
    scheduler.set_timesteps(steps, jump_length=length, jump_n_sample=repeats)
    theirs = scheduler.timesteps.tolist()
    ends = [
        k
        for k in range(len(theirs))
        if not (0 < k < len(theirs) - 1 and theirs[k - 1] < theirs[k] < theirs[k + 1])
    ]
    grid = timestep_grid(steps, spacing="uniform")
    path = with_returns(grid, length=length, repeats=repeats)
    assert path.tolist() == [theirs[k] for k in ends]
    falls = 1 + int((path.diff() < 0).sum())  # each asks the network, and so does the last one
    if steps == 250:
        assert falls == 2410


def test_a_stretch_walked_once_needs_no_return():
    grid = timestep_grid(6)
    assert with_returns(grid, length=2, repeats=1).tolist() == grid.tolist()


@pytest.mark.parametrize("method", ["ddnm", "repaint"])
def test_returns_diffuse_the_state_and_ask_no_network(noisy_chain, nonlinear_prior, method):
    asked = []

    def model(x, t):
        asked.append(int(t[0]))
        return nonlinear_prior(x, t)

    prior = ModelPrior(model, nonlinear_prior.schedule)
    chain = noisy_chain(method, "inpaint-random", prior, num_steps=4, returns=(2, 2))
    states, path = chain.sequential(), chain.coefficients.timesteps.tolist()
    assert path == [750, 500, 250, 0, 500, 250, 0]
    assert asked == [750, 500, 250, 500, 250, 0]
    ratio = chain.coefficients.alpha_bar[4] / chain.coefficients.alpha_bar[3]
    expected = ratio.sqrt() * states[3] + (1 - ratio).sqrt() * chain.noise[3]
    torch.testing.assert_close(states[4], expected)


@pytest.mark.parametrize("length", [1, 2])
def test_returns_from_x0_are_the_time_travel_of_ddnm(noisy_chain, network_prior, length):
    """As the code of Wang et al. 2023 walks them, but with the corrected guess: at the end of a
    stretch the last x0^ is diffused to where it began; the state made of it is not used."""
    chain = noisy_chain(
        "ddnm", "inpaint-random", network_prior, num_steps=5, returns=(length, 3), returns_from="x0"
    )
    table, grid = chain.prior.schedule.alpha_bar, timestep_grid(5, spacing=1.0).tolist()
    c, walked = chain.coefficients, chain.sequential()
    noise, x, at = iter(chain.noise), chain.x_T, 0
    left = {4 - k: 2 for k in range(0, 5 - length, length)}
    asked = []
    while at < 5:
        abar = float(table[grid[at]])
        guess, eps = predicted(chain, x, grid[at], abar)
        x0 = chain.measurement.impose(guess)
        asked.append(grid[at])
        at += 1
        if left.get(at, 0):
            left[at] -= 1
            at -= length
            abar = float(table[grid[at]])
            x = abar**0.5 * x0 + (1 - abar) ** 0.5 * next(noise)
        elif at == 5:
            x = x0
        else:
            k = len(asked) - 1
            x = c.weights.a[k] * x0 + c.weights.c2[k] * eps + c.weights.c1[k] * next(noise)
        close(walked[len(asked)], x)
    assert c.timesteps.tolist() == asked
    assert chain.asking_steps() == len(asked) == c.num_steps


def test_returns_from_elsewhere(noisy_chain):
    with pytest.raises(ValueError, match=r"^returns_from: unknown value 'x_0'; known: state, x0"):
        noisy_chain("ddnm", "sr2", returns=(1, 2), returns_from="x_0")


def test_a_level_twice_needs_returns_from_x0(noisy_chain):
    path = {"num_steps": None, "spacing": None, "timesteps": [900, 900, 0]}
    with pytest.raises(ValueError, match=r"^timesteps: .* no neighbours equal; got \[900, 900, 0"):
        noisy_chain("ddnm", **path)
    twice = noisy_chain("ddnm", **path, returns_from="x0")
    assert twice.coefficients.asks.tolist() == [True, True, True]


def test_ilvr_is_the_published_one(noisy_chain, network_prior):
    """Its mean, and the covariance of its two draws of noise together."""
    method = Method(ILVRConsistency, ILVRNoise(until=0.5))
    zeros = torch.zeros(6, 2, 3, *SIZE, dtype=torch.float64)
    chain = noisy_chain(method, "sr2", network_prior, num_steps=6, noise=zeros)
    operator, y = chain.measurement.operator, chain.measurement.y
    up = lambda small: 4 * operator.adjoint(small)  # noqa: E731
    low = dense(lambda x: up(operator.A(x)))
    rest, eye = torch.eye(192).double() - low, torch.eye(192).double().view(192, 1, 3, *SIZE)
    x, states = chain.x_T, chain.sequential()
    guided = []
    for k, (at, next_, t) in enumerate(levels(chain)):
        x0 = predicted(chain, x, t, at)[0].clamp(-1, 1)
        x = ancestral(x0, x, at, next_, 0.0)
        guided.append(at <= 0.5)
        spread = (1 - next_) / (1 - at) * (1 - at / next_) * torch.eye(192).double()
        if guided[-1]:
            x = x - up(operator.A(x)) + up(next_**0.5 * y)
            spread = rest @ spread @ rest.T + (1 - next_) * low @ low.T
        close(states[k + 1], x)
        weights = chain.weights(slice(k, k + 1))
        factor = chain.weigh(weights.c1, eye.movedim(1, 0)).reshape(192, 192)
        assert (factor.T @ factor - spread).abs().max() <= 1e-10
    assert guided == [True, True, True, True, False, False]


def test_the_enlargement_of_ilvr_is_bicubic():
    operator = BicubicDownsampling(4)
    y = torch.randn(1, 3, 12, 12, generator=torch.Generator().manual_seed(0)).double()
    inner = (..., slice(12, 36), slice(12, 36))
    torch.testing.assert_close(16 * operator.adjoint(y)[inner], bicubic(y, 4)[inner])


# --- what cannot be done ---


@pytest.mark.parametrize("task", ["inpaint-random", "deblur-gaussian", "colorization"])
def test_ilvr_is_for_shrunken_images(noisy_chain, task):
    with pytest.raises(
        ValueError, match=r"^method: ilvr shrinks and enlarges images, so it is for"
    ):
        noisy_chain("ilvr", task)


@pytest.mark.parametrize("name", METHODS)
def test_methods_that_do_not_look_at_the_noise_say_so(noisy_chain, name):
    """Which are those whose consistency step is the same whatever sigma_y is."""
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        noisy = noisy_chain(name, "sr2", sigma_y=0.1)
    where, same = noisy.measurement, {"num_steps": 5, "spacing": "uniform"}
    exact = make_chain(noisy.prior, where.operator, where.y, method=name, **same)
    states = torch.randn(5, *where.pinv_y.shape, generator=torch.Generator().manual_seed(5))
    blind = torch.equal(*(chain.consistent_x0(states.double()) for chain in (noisy, exact)))
    assert blind is (name in ("ddnm", "dps", "ilvr", "repaint"))
    text = r"^sigma_y: \w+ does not look at it, so noise of 0.1 in y can show"
    assert [bool(re.match(text, str(one.message))) for one in said] == [True] * blind


@pytest.mark.parametrize("name", ["ddnm+", "ddrm", "ilvr"])
def test_rules_that_a_step_shares_are_not_replaced(noisy_chain, name):
    with pytest.raises(
        ValueError, match=r"^rule: got DDPMNoise\(\); this method has one of its own"
    ):
        noisy_chain(name, "sr2", rule=METHODS["mmps"].rule)


@pytest.mark.parametrize("name", ["dps", "diffpir", "ilvr", "repaint", "pigdm", "mmps"])
def test_methods_without_a_share_of_noise(noisy_chain, name):
    with pytest.raises(
        ValueError, match=r"^eta: got 0.5, but the noise rule of this method is \w+"
    ):
        noisy_chain(name, "sr2", eta=0.5)


@pytest.mark.parametrize(
    ("returns", "message"),
    [
        ((5, 2), "returns: got a length of 5 for 5 timesteps; expected at most 4"),
        ((0, 2), "returns: got 0; expected an integer >= 1"),
        ((2, 0), "returns: got 0; expected an integer >= 1"),
        ((1.5, 2), "returns: got 1.5; expected an integer >= 1"),
        (3, r"returns: got 3; expected a pair \(length, repeats\)"),
    ],
)
def test_returns_that_do_not_fit_the_grid(noisy_chain, returns, message):
    with pytest.raises(ValueError, match=f"^{message}$"):
        noisy_chain("ddnm", "sr2", returns=returns)


def test_returns_beside_timesteps(noisy_chain):
    with pytest.raises(ValueError, match=r"^timesteps: got them beside num_steps, .* or returns"):
        noisy_chain("ddnm", num_steps=None, spacing=None, timesteps=[900, 0], returns=(1, 2))


@pytest.mark.parametrize(
    ("name", "make"),
    [
        ("eta", DDNMPlusNoise),
        ("eta", DDRMNoise),
        ("eta_b", partial(DDRMNoise, 0.5)),
        ("zeta", DiffPIRNoise),
        ("until", ILVRNoise),
    ],
)
@pytest.mark.parametrize("bad", [-0.1, 1.1, float("nan"), "0.5"])
def test_parameters_outside_of_zero_to_one(name, make, bad):
    with pytest.raises(ValueError, match=rf"^{name}: got .*expected a number in \[0, 1\]$"):
        make(bad)


@pytest.mark.parametrize(
    ("step", "option", "bad"),
    [
        (DPSConsistency, "scale", -1.0),
        (DiffPIRConsistency, "weight", np.nan),
        (MMPSConsistency, "iterations", 0),
    ],
)
def test_parameters_of_steps(noisy_chain, step, option, bad):
    rule = METHODS["diffpir" if step is DiffPIRConsistency else "dps"].rule
    with pytest.raises(ValueError, match=rf"^{option}: got "):
        noisy_chain(Method(partial(step, **{option: bad}), rule), "sr2")


def test_operators_without_singular_values(noisy_chain, gaussian_prior):
    """Methods that need them say so; the others restore."""
    from deqir_lite.operators import DamagedPhoto

    damaged = DamagedPhoto(SIZE, mask=make_task("inpaint-random", SIZE).mask[0, 0], grey=True)
    for name in METHODS:
        if name in ("ddnm", "weighted", "dps", "pigdm", "mmps"):
            assert bool(noisy_chain(name, damaged, num_steps=2).sequential().isfinite().all())
        else:
            with pytest.raises(ValueError, match=r"^(operator: got DamagedPhoto|method: ilvr)"):
                noisy_chain(name, damaged)
    with pytest.raises(ValueError, match=r"^operator: got DamagedPhoto.* are not known"):
        noisy_chain("pigdm", damaged, sigma_y=0.1)
