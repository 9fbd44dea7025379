"""Every linear model of the steps gives a system with the same fixed point."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from deqir_lite.chain import make_chain
from deqir_lite.fixedpoint import (
    FORMS,
    FixedPointSystem,
    GaussianFormModel,
    JacobiModel,
    LinearModel,
    NoiseFormModel,
    make_model,
)
from deqir_lite.operators import TASKS, Inpainting


def random_states(chain, seed=0):
    """Any start: nothing but x_T is right."""
    generator = torch.Generator().manual_seed(1000 + seed)  # not the chain's own draws
    shape = (chain.num_steps, *chain.x_T.shape)
    states = torch.randn(shape, generator=generator, dtype=torch.float64)
    return torch.cat([chain.x_T[None], states])


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("eta", [0.0, 0.15, 0.85])
@pytest.mark.parametrize("task", list(TASKS))
@pytest.mark.equation("8")
def test_the_sequential_chain_is_a_fixed_point(chain_for, gaussian_prior, task, eta, form):
    chain = chain_for(task, eta=eta)
    system = FixedPointSystem(chain, make_model(form, chain, gaussian=gaussian_prior))
    sequential = chain.sequential()
    scale = sequential.abs().max()
    assert system.residual(sequential).abs().max() <= 1e-12 * scale
    assert (system(sequential) - sequential).abs().max() <= 1e-12 * scale


def equation_9(chain, states):
    """F(states) of Proposition 1 written out, O(T^2), with x_s = states[T - s]:

    x_{T-k} = sqrt(abar_{T-k} / abar_T) N x_T + R z_{T-k+1}
              + sum_{s=T-k}^{T-1} sqrt(abar_{T-k} / abar_s) N z_{s+1},
    z_{s+1} = [c2_s I - sqrt(abar_s) sigma_{s+1} N] eps_{s+1} + sqrt(abar_s) A^+ y + c1_s xi_{s+1},
    sigma_s = sqrt((1 - abar_s) / abar_s), c1_s = eta sqrt(1 - abar_s),
    c2_s = sqrt(1 - eta^2) sqrt(1 - abar_s).
    """
    T, eta = chain.num_steps, chain.coefficients.rule.eta
    table, tau = chain.prior.schedule.alpha_bar, chain.coefficients.timesteps
    abar = {s: float(table[tau[T - s]]) for s in range(1, T + 1)} | {0: 1.0}
    pinv_y, operator = chain.measurement.pinv_y, chain.measurement.operator
    z = {}
    for s in range(T):
        x = states[T - s - 1]  # x_{s+1}
        eps = chain.prior(x, tau[T - s - 1].expand(len(x)))
        sigma = ((1 - abar[s + 1]) / abar[s + 1]) ** 0.5
        c1 = eta * (1 - abar[s]) ** 0.5
        c2 = (1 - eta**2) ** 0.5 * (1 - abar[s]) ** 0.5
        z[s + 1] = (
            c2 * eps
            - abar[s] ** 0.5 * sigma * operator.null_projector(eps)
            + abar[s] ** 0.5 * pinv_y
            + c1 * chain.noise[T - s - 1]
        )
    result = [states[0]]
    for k in range(1, T + 1):
        s_k = T - k
        x = (abar[s_k] / abar[T]) ** 0.5 * operator.null_projector(states[0])
        x = x + operator.range_projector(z[s_k + 1])
        for s in range(s_k, T):
            x = x + (abar[s_k] / abar[s]) ** 0.5 * operator.null_projector(z[s + 1])
        result.append(x)
    return torch.stack(result)


@pytest.mark.parametrize("eta", [0.0, 0.15, 0.85])
@pytest.mark.parametrize(
    "task", ["sr2", "deblur-uniform", "deblur-motion", "inpaint-text", "colorization", "sensing"]
)
@pytest.mark.equation("9")
def test_a_sweep_of_the_noise_form_is_equation_9(chain_for, task, eta):
    chain = chain_for(task, eta=eta, batch=2, num_steps=7)
    states = random_states(chain)
    expected = equation_9(chain, states)
    got = FixedPointSystem(chain, make_model("noise", chain))(states)
    assert (got - expected).abs().max() <= 1e-11 * expected.abs().max()


@pytest.mark.parametrize("first", [0, 2, 5])
@pytest.mark.parametrize("model", [NoiseFormModel, JacobiModel])
def test_closed_forms_are_forward_substitution(chain_for, model, first):
    chain = chain_for("sr2", batch=2, eta=0.5)
    residual = random_states(chain)[first + 1 :]
    closed = model(chain).correction(residual, first)
    substituted = LinearModel.correction(model(chain), residual, first)
    torch.testing.assert_close(closed, substituted, rtol=0, atol=1e-11)


@pytest.mark.parametrize("form", FORMS)
def test_correction_solves_the_linear_recursion(chain_for, gaussian_prior, form):
    """d_s = r_s + L_s d_{s+1}, d_T = 0."""
    chain = chain_for("colorization", eta=0.15)
    model = make_model(form, chain, gaussian=gaussian_prior)
    residual = random_states(chain)[1:]
    d = model.correction(residual)
    torch.testing.assert_close(d[0], residual[0])
    for k in range(1, len(d)):
        expected = residual[k] + model.apply(d[k - 1], k)
        torch.testing.assert_close(d[k], expected, rtol=0, atol=1e-11)


def test_the_models_are_what_their_equations_say(chain_for, gaussian_prior):
    chain = chain_for("sr2", eta=0.6)
    table, tau = chain.prior.schedule.alpha_bar, chain.coefficients.timesteps
    v = torch.randn(1, 3, 8, 8, generator=torch.Generator().manual_seed(0)).double()
    null = chain.measurement.operator.null_projector(v)
    for k in range(6):
        source = float(table[tau[k]])
        target = float(table[tau[k + 1]]) if k < 5 else 1.0
        noise = make_model("noise", chain).apply(v, k)
        torch.testing.assert_close(noise, (target / source) ** 0.5 * null)
        data = make_model("data", chain).apply(v, k)
        torch.testing.assert_close(data, 0.8 * ((1 - target) / (1 - source)) ** 0.5 * v)
        assert not make_model("jacobi", chain).apply(v, k).any()
    assert not make_model("data", chain).apply(v, 5).any()  # r = 0 in the last step


def test_the_gaussian_model_is_the_jacobian_of_the_step_under_its_prior(chain_for, gaussian_prior):
    chain = chain_for("sr2", prior=gaussian_prior, eta=0.3)
    model = make_model("gaussian", chain, gaussian=gaussian_prior)
    x, v = random_states(chain)[1:3]
    for k in range(6):
        difference = chain.step(x + v, k) - chain.step(x, k)
        torch.testing.assert_close(model.apply(v, k), difference, rtol=0, atol=1e-9)


@pytest.mark.parametrize("task", ["sr4", "colorization", "inpaint-box", "deblur-gaussian"])
@pytest.mark.parametrize("eta", [0.0, 0.85])
def test_under_its_own_prior_the_gaussian_form_needs_one_sweep(
    chain_for, gaussian_prior, task, eta
):
    chain = chain_for(task, prior=gaussian_prior, eta=eta, num_steps=20)
    system = FixedPointSystem(chain, make_model("gaussian", chain, gaussian=gaussian_prior))
    sequential = chain.sequential()
    got = system(random_states(chain))
    assert (got - sequential).abs().max() <= 1e-10 * sequential.abs().max()


@given(st.integers(1, 7), st.floats(0, 1), st.integers(0, 2**16), st.sampled_from(FORMS), st.data())
@pytest.mark.equation("10")
def test_t_sweeps_end_at_the_sequential_chain_from_any_start(
    nonlinear_prior, gaussian_prior, num_steps, eta, seed, form, data
):
    """F is strictly triangular in time, for every mask, eta and T."""
    generator = torch.Generator().manual_seed(seed)
    kept = data.draw(st.floats(0, 1))
    mask = (torch.rand(4, 4, generator=generator) < kept).double()
    y = mask * torch.randn(1, 3, 4, 4, generator=generator, dtype=torch.float64)
    chain = make_chain(
        nonlinear_prior, Inpainting(mask), y, num_steps=num_steps, eta=eta, seed=seed
    )
    system = FixedPointSystem(chain, make_model(form, chain, gaussian=gaussian_prior))
    sequential, states = chain.sequential(), random_states(chain, seed)
    for j in range(1, num_steps + 1):
        states = system(states)
        error = (states[: j + 1] - sequential[: j + 1]).abs().max()
        assert error <= 1e-11 * sequential.abs().max()


@pytest.mark.parametrize("eta", [0.0, 0.4, 1.0])
@pytest.mark.parametrize("kept", [0.0, 0.6, 1.0])
def test_what_is_kept_of_the_noise(chain_for, gaussian_prior, eta, kept):
    """a N W + c2 (N + kept R) (I - sqrt(abar) W) / sqrt(1 - abar)."""
    chain = chain_for("sr2", eta=eta)
    model, null = GaussianFormModel(chain, gaussian_prior, kept=kept), chain.measurement.null
    v, c = random_states(chain)[1], chain.coefficients
    for k in range(chain.num_steps):
        source = float(c.source[k])
        guess = gaussian_prior.wiener(v, source)
        noise = float(c.c2[k]) * (v - source**0.5 * guess) / (1 - source) ** 0.5
        noise = null(noise) + kept * (noise - null(noise))
        expected = float(c.weights.a[k]) * null(guess) + noise
        torch.testing.assert_close(model.apply(v, k), expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize("kept", [0.0, 0.6])
def test_what_is_forgotten_moves_no_fixed_point(chain_for, nonlinear_prior, gaussian_prior, kept):
    chain = chain_for("inpaint-random", eta=0.15).with_prior(nonlinear_prior)
    system = FixedPointSystem(chain, GaussianFormModel(chain, gaussian_prior, kept=kept))
    sequential, states = chain.sequential(), random_states(chain)
    for _ in range(chain.num_steps):
        states = system(states)
    assert (states - sequential).abs().max() <= 1e-11 * sequential.abs().max()


def test_a_form_brings_its_share(chain_for, gaussian_prior):
    chain = chain_for("sr2")
    for text, kept in (("gaussian", 1.0), ("gaussian:kept=0.6", 0.6), ("gaussian:kept=0", 0.0)):
        assert make_model(text, chain, gaussian=gaussian_prior).kept == kept
    for text in ("noise:kept=.5", "gaussian:kept=2", "gaussian:kept=", "gaussian:memory=3"):
        with pytest.raises(ValueError, match=f"form: got '{text}'; one form has a parameter"):
            make_model(text, chain, gaussian=gaussian_prior)
    with pytest.raises(ValueError, match="form: unknown value 'cubic'"):
        make_model("cubic:kept=1", chain, gaussian=gaussian_prior)


def test_a_share_that_is_none(chain_for, gaussian_prior):
    with pytest.raises(ValueError, match="kept: got 1.5"):
        GaussianFormModel(chain_for("sr2"), gaussian_prior, kept=1.5)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("first", [1, 3, 5])
def test_solved_states_need_not_be_evaluated_again(chain_for, gaussian_prior, form, first):
    chain = chain_for("sr2", eta=0.4)
    system = FixedPointSystem(chain, make_model(form, chain, gaussian=gaussian_prior))
    states = torch.cat([chain.sequential()[: first + 1], random_states(chain)[first + 1 :]])
    part = system.sweep(states[first:], first)
    assert len(part.residual) == 6 - first
    torch.testing.assert_close(part.output, system(states)[first:], rtol=0, atol=1e-11)


@pytest.mark.parametrize("form", FORMS)
def test_a_window_is_a_piece_of_the_chain(chain_for, gaussian_prior, form):
    """A window in the middle is swept as the chain between its two ends."""
    chain = chain_for("sr2", num_steps=8, eta=0.4)
    model = make_model(form, chain, gaussian=gaussian_prior)
    system, states = FixedPointSystem(chain, model), random_states(chain)
    sweep = system.sweep(states[2:6], 2)
    assert torch.equal(sweep.output[0], states[2])
    stepped = chain.steps(states[2:5], 2)
    torch.testing.assert_close(sweep.residual, stepped - states[3:6])
    d = [stepped[0] - states[3]]
    for i in (1, 2):
        d.append(stepped[i] - states[3 + i] + model.apply(d[-1], 2 + i))
    torch.testing.assert_close(sweep.output[1:], states[3:6] + torch.stack(d), rtol=0, atol=1e-11)


def test_inactive_states_count_as_solved(chain_for):
    chain = chain_for("sr2", num_steps=5, batch=2)
    system, states = FixedPointSystem(chain, make_model("noise", chain)), random_states(chain)
    active = torch.ones(5, 2, 1, 1, 1, dtype=torch.bool)
    active[:3, 0] = False
    sweep = system.sweep(states, active=active)
    assert not sweep.residual[:3, 0].any()
    assert torch.equal(sweep.output[:4, 0], states[:4, 0])
    torch.testing.assert_close(sweep.output[:, 1], system(states)[:, 1])


def test_unknown_form_and_missing_prior(chain_for):
    chain = chain_for()
    with pytest.raises(
        ValueError, match=r"^form: .*known: noise, data, gaussian, jacobi, increment$"
    ):
        make_model("newton", chain)
    with pytest.raises(ValueError, match=r"^gaussian: got None"):
        make_model("gaussian", chain)
