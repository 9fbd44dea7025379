"""A network asked at some steps of a chain, and interpolated in between."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from deqir_lite.fixedpoint import InterpolatedPrior, interpolated_chains
from deqir_lite.fixedpoint.interpolation import asked_steps, count_nodes
from deqir_lite.priors import ModelPrior

STEPS = st.integers(1, 40)


class Counted:
    """A prior that knows how many images it saw."""

    def __init__(self, prior):
        self.prior, self.schedule, self.images = prior, prior.schedule, 0

    def __call__(self, x_t, t):
        self.images += len(x_t)
        return self.prior(x_t, t)


@given(steps=STEPS, nodes=st.integers(1, 50), spacing=st.sampled_from(["uniform", "cubic", 1.7]))
def test_nodes_are_spread_over_the_chain(chain_for, gaussian_prior, steps, nodes, spacing):
    chain = chain_for("sr2", num_steps=steps, spacing=spacing, eta=0.0)
    first, second = interpolated_chains(chain, gaussian_prior, nodes=nodes)
    expected = min(max(nodes, 2), steps)
    assert asked_steps(first) == expected
    assert asked_steps(second) == min(expected + 1, steps)
    for part in (first, second):
        at = part.prior.nodes
        assert bool((at.diff() > 0).all())
        assert (at[0], at[-1]) == (0, steps - 1)


@pytest.mark.parametrize(
    ("steps", "nodes"), [(1, 1), (3, 3), (10, 6), (20, 7), (50, 10), (100, 13)]
)
def test_how_many_nodes_by_default(steps, nodes):
    assert count_nodes(steps) == nodes


def test_nodes_are_close_where_little_noise_is_left(chain_for, gaussian_prior):
    chain = chain_for("sr2", num_steps=50, eta=0.0)
    gaps = interpolated_chains(chain, gaussian_prior)[0].prior.nodes.diff()
    assert gaps[0] > 2 * gaps[-1]


@pytest.mark.parametrize("batch", [1, 3])
def test_what_is_linear_between_the_nodes_is_exact(chain_for, gaussian_prior, batch):
    """A rest of x_0 that is linear in u(t) = t^0.4 and the same for all states."""
    picture = torch.randn(3, 8, 8, generator=torch.Generator().manual_seed(3)).double()

    def model(x_t, t):
        signal, noise = gaussian_prior.schedule.at(t, x_t)
        rest = (1 + t.double() ** 0.4)[:, None, None, None] * picture
        return gaussian_prior(x_t, t) - rest * signal / noise

    prior = Counted(ModelPrior(model, gaussian_prior.schedule))
    chain = chain_for("inpaint-random", prior=prior, num_steps=20, batch=batch, seed=1)
    states = chain.sequential()
    for part in interpolated_chains(chain, gaussian_prior):
        prior.images = 0
        torch.testing.assert_close(part.steps(states[:-1]), states[1:], rtol=0, atol=1e-9)
        assert prior.images == asked_steps(part) * batch < 20 * batch


def test_at_the_nodes_the_prior_itself_is_asked(chain_for, gaussian_prior):
    chain = chain_for("sr2", num_steps=20)
    states = chain.sequential()[:-1]
    (part, _), exact = interpolated_chains(chain, gaussian_prior), chain.predict_noise(states)
    at = part.prior.nodes
    torch.testing.assert_close(part.predict_noise(states)[at], exact[at], rtol=0, atol=1e-12)
    assert not torch.allclose(part.predict_noise(states), exact, atol=1e-6)


def test_what_cannot_be_interpolated_is_refused(chain_for, gaussian_prior):
    for options, message in (
        ({"eta": 1.0, "num_steps": 20}, "eta: the chain renews its noise too fast.* 0.00 of it"),
        ({"eta": 0.5, "num_steps": 20}, "eta: .* from one of 7 nodes to the next 0.6"),
        ({"method": "repaint", "eta": None, "num_steps": 40}, "method: its chain goes back"),
    ):
        with pytest.raises(ValueError, match=message):
            interpolated_chains(chain_for("sr2", **options), gaussian_prior)
    everything = interpolated_chains(chain_for("sr2", eta=1.0), gaussian_prior, nodes=6)
    assert [asked_steps(part) for part in everything] == [6, 6]  # nothing is left in between
    chain = chain_for("sr2", num_steps=5)
    with pytest.raises(ValueError, match="nodes: got 0"):
        interpolated_chains(chain, gaussian_prior, nodes=0)
    prior = interpolated_chains(chain, gaussian_prior)[0].prior
    with pytest.raises(ValueError, match="x_t: got 3 images; expected those of all 5 steps"):
        prior(torch.zeros(3, 3, 8, 8), torch.zeros(3, dtype=torch.int64))
    with pytest.raises(ValueError, match=r"nodes: got \[1, 4\]; expected rising from 0 to 4"):
        InterpolatedPrior(chain.prior, gaussian_prior, torch.tensor([1, 4]), torch.ones(5))
    with pytest.raises(ValueError, match="nodes: got .* expected rising"):
        InterpolatedPrior(chain.prior, gaussian_prior, torch.tensor([0, 2, 2, 4]), torch.ones(5))
