"""What a recorded solve does, with functions that are called in place of recordings."""

import pytest
import torch

from deqir_lite.chain import make_chain
from deqir_lite.engine import graphs
from deqir_lite.engine.graphs import RecordedSolve, replay_chain, replay_prior
from deqir_lite.fixedpoint import FixedPointSystem, GaussianFormModel, make_start
from deqir_lite.operators import make_task
from deqir_lite.solvers import Anderson


class Called:
    """A recording that runs its function each time."""

    def __init__(self, function):
        self._function = function

    def replay(self):
        return self._function()


def system_of(prior, gaussian, *, kept=1.0, num_steps=9, batch=2):
    operator = make_task("sr2", (16, 16))
    generator = torch.Generator().manual_seed(0)
    y = operator.A(torch.rand(batch, 3, 16, 16, generator=generator).double() * 2 - 1)
    chain = make_chain(prior, operator, y, num_steps=num_steps, eta=0.3)
    return FixedPointSystem(chain, GaussianFormModel(chain, gaussian, kept=kept))


@pytest.mark.parametrize("kept", [1.0, 0.6])
@pytest.mark.parametrize("memory", [1, 3])
def test_sweeps_are_those_of_the_solver(nonlinear_prior, gaussian_prior, monkeypatch, kept, memory):
    monkeypatch.setattr(graphs, "Recording", Called)
    system = system_of(nonlinear_prior, gaussian_prior, kept=kept)
    chain, solver = system.chain, Anderson(memory=memory)
    recorded = RecordedSolve(system, solver, gaussian_prior)
    for _ in range(2):
        state = solver.init(system, make_start("gaussian", chain, gaussian=gaussian_prior))
        for count, found in enumerate(recorded):
            assert found.sweeps == count
            assert (found.states - state.states).norm() <= 1e-9 * state.states.norm()
            assert (found.output - state.output).norm() <= 1e-9 * state.output.norm()
            if state.first < chain.num_steps:
                state = solver.step(system, state)
        assert count == chain.num_steps
        assert (found.output - chain.sequential()).norm() <= 1e-9 * found.output.norm()


def test_elsewhere_than_on_cuda_everything_stays_as_it_is(nonlinear_prior, gaussian_prior):
    system = system_of(nonlinear_prior, gaussian_prior)
    assert replay_chain(system.chain) is system.chain
    assert replay_prior(nonlinear_prior) is nonlinear_prior  # a function may do more than kernels
