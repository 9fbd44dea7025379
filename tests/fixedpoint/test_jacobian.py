"""J: strictly block lower triangular in time, hence nilpotent."""

import pytest
import torch

from deqir_lite.fixedpoint import FORMS, FixedPointSystem, make_model
from deqir_lite.priors.network import NetworkPrior
from deqir_lite.schedule import linear_schedule

STEPS = 5


@pytest.fixture(params=FORMS)
def system(request, chain_for, gaussian_prior):
    chain = chain_for("sr2", num_steps=STEPS, eta=0.3, batch=2)
    return FixedPointSystem(chain, make_model(request.param, chain, gaussian=gaussian_prior))


def randn(system, seed, extra=0):
    generator = torch.Generator().manual_seed(1000 + seed)
    x_T = system.chain.x_T
    shape = (system.chain.num_steps + extra, *x_T.shape)
    return torch.randn(shape, generator=generator, dtype=torch.float64).to(x_T)


def test_jvp_and_vjp_are_adjoint(system):
    states, u, v = randn(system, 0, 1), randn(system, 1), randn(system, 2)
    left, right = (u * system.jvp(states, v)).sum(), (system.vjp(states, u) * v).sum()
    torch.testing.assert_close(left, right, rtol=1e-11, atol=1e-11)


def test_jvp_is_the_slope_of_f(system):
    states, v, h = randn(system, 0, 1), randn(system, 1), 1e-5
    moved = [system(torch.cat([states[:1], states[1:] + s * h * v])) for s in (1, -1)]
    slope = (moved[0] - moved[1])[1:] / (2 * h)
    jvp = system.jvp(states, v)
    assert (jvp - slope).norm() <= 1e-7 * slope.norm()


@pytest.mark.equation("10")
def test_a_state_moves_later_states_only(system):
    states, direction = randn(system, 0, 1), randn(system, 1)
    for block in range(STEPS):
        v = torch.zeros_like(direction)
        v[block] = direction[block]
        answer = system.jvp(states, v)
        assert not answer[: block + 1].any()
        if block < STEPS - 1:
            assert answer[block + 1].any()


def test_t_products_vanish(system):
    """J^T = 0, so the Neumann series of the implicit gradient ends after T terms."""
    states = randn(system, 0, 1)
    for product in (system.jvp, system.vjp):
        v = randn(system, 1)
        for _ in range(STEPS - 1):
            v = product(states, v)
        assert v.any()
        assert not product(states, v).any()


def test_products_do_not_touch_the_states(system):
    states = randn(system, 0, 1)
    before = states.clone()
    with torch.no_grad():
        system.jvp(states, randn(system, 1))
        assert not system.vjp(states, randn(system, 1)).requires_grad
    assert torch.equal(states, before)
    assert not states.requires_grad


def test_products_through_a_network_with_attention(chain_for, make_unet):
    prior = NetworkPrior(make_unet(), linear_schedule(), dtype="float64")
    chain = chain_for("sr2", prior=prior, num_steps=3)
    system = FixedPointSystem(chain, make_model("noise", chain))
    states, u, v, h = chain.sequential(), randn(system, 1), randn(system, 2), 1e-4
    jvp = system.jvp(states, v)
    moved = [system(torch.cat([states[:1], states[1:] + s * h * v])) for s in (1, -1)]
    slope = (moved[0] - moved[1])[1:] / (2 * h)
    assert (jvp - slope).norm() <= 1e-5 * slope.norm()
    torch.testing.assert_close((u * jvp).sum(), (system.vjp(states, u) * v).sum())
