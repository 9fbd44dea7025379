"""What a recorded solve does, with functions that are called in place of recordings."""

import pytest
import torch

from deqir_lite.chain import make_chain
from deqir_lite.engine import graphs
from deqir_lite.engine.graphs import RecordedSolve
from deqir_lite.fixedpoint import FixedPointSystem, GaussianFormModel, make_start
from deqir_lite.operators import make_task
from deqir_lite.solvers import Anderson


class Called:
    """A recording that runs its function each time."""

    def __init__(self, function, device):
        self._function = function

    def replay(self):
        return self._function()


def system_of(prior, gaussian, *, kept=1.0, num_steps=9, batch=2, method="ddnm", **options):
    operator = make_task("sr2", (16, 16))
    generator = torch.Generator().manual_seed(0)
    y = operator.A(torch.rand(batch, 3, 16, 16, generator=generator).double() * 2 - 1)
    rule = {"eta": 0.3} if method == "ddnm" else {}
    chain = make_chain(prior, operator, y, method=method, num_steps=num_steps, **rule, **options)
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


@pytest.mark.parametrize("mixing", ["joint", "per-timestep"])
def test_other_mixings_are_refused(nonlinear_prior, gaussian_prior, mixing):
    system = system_of(nonlinear_prior, gaussian_prior)
    with pytest.raises(ValueError, match=f"solver: got the mixing '{mixing}'"):
        RecordedSolve(system, Anderson(mixing), gaussian_prior)


def test_elsewhere_than_on_cuda_nothing_is_recorded(nonlinear_prior, gaussian_prior):
    with pytest.raises(ValueError, match="device: got cpu; expected one of CUDA"):
        RecordedSolve(system_of(nonlinear_prior, gaussian_prior), Anderson(), gaussian_prior)


@pytest.mark.parametrize("options", [{"method": "dps"}, {"keep_noise": False}])
def test_chains_that_cannot_be_recorded_are_refused(nonlinear_prior, gaussian_prior, options):
    system = system_of(nonlinear_prior, gaussian_prior, **options)
    with pytest.raises(ValueError, match="system: its method asks the network for a gradient"):
        RecordedSolve(system, Anderson(), gaussian_prior)
