"""What is replayed on CUDA is what is launched kernel by kernel."""

import pytest
import torch

from deqir_lite.chain import make_chain
from deqir_lite.engine.graphs import RecordedSolve, Replay
from deqir_lite.fixedpoint import FixedPointSystem, GaussianFormModel, make_start
from deqir_lite.operators import make_task
from deqir_lite.priors import GaussianPrior, power_law_spectrum
from deqir_lite.priors.network import NetworkPrior
from deqir_lite.priors.residual import ResidualPrior
from deqir_lite.priors.unet import ResidualUNet
from deqir_lite.schedule import linear_schedule
from deqir_lite.solvers import Anderson

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device"),
    pytest.mark.usefixtures("full_float32"),
]

SIZE = (16, 16)


def randn(*shape, seed=0):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed)).cuda()


@pytest.fixture(scope="module")
def prior():
    """A random network on top of a Gaussian prior."""
    torch.manual_seed(0)
    network = ResidualUNet((16, 32), blocks=1)
    torch.nn.init.normal_(network.output.weight, std=0.1)
    gaussian = GaussianPrior(power_law_spectrum(size=8))
    return ResidualPrior(gaussian, network, torch.linspace(0.02, 0.6, 1000)).to("cuda")


def chain_of(prior):
    operator = make_task("sr2", SIZE)
    y = operator.A(randn(2, 3, *SIZE, seed=1).clamp(-1, 1))
    return make_chain(prior, operator, y, num_steps=12, eta=0.85)


def assert_close(got, expected, tolerance=1e-5):
    assert got.is_cuda
    error = (got - expected).norm() / expected.norm()
    assert error <= tolerance, f"relative difference {error:.1e}"


@torch.no_grad()
def test_a_replay_computes_anew_and_leaves_earlier_results(prior):
    t = torch.tensor([3, 700]).cuda()
    replay = Replay(lambda x: prior(x, t), randn(2, 3, *SIZE))
    found = [(x, replay(x)) for x in (randn(2, 3, *SIZE, seed=seed) for seed in range(3))]
    for x, eps in found:
        assert_close(eps, prior(x, t))


@torch.no_grad()
def test_a_network_of_diffusers(make_unet):
    prior = NetworkPrior(make_unet(12), linear_schedule()).to("cuda")
    x, t = randn(4, 3, *SIZE), torch.tensor([0, 100, 500, 950]).cuda()
    assert_close(Replay(lambda x: prior(x, t), x)(x), prior(x, t))


@torch.no_grad()
@pytest.mark.parametrize("kept", [1.0, 0.6])
def test_recorded_sweeps_are_those_of_the_solver(prior, kept):
    chain = chain_of(prior)
    model = GaussianFormModel(chain, prior.gaussian, kept=kept)
    system, solver = FixedPointSystem(chain, model), Anderson()
    recorded = RecordedSolve(system, solver, prior.gaussian)
    for _ in range(2):  # recorded, then replayed
        state = solver.init(system, make_start("gaussian", chain, gaussian=prior.gaussian))
        for count, found in enumerate(recorded):
            assert_close(found.states, state.states, 1e-3)
            assert found.sweeps == count
            if state.first < chain.num_steps:
                state = solver.step(system, state)
        assert_close(found.output, chain.sequential(), 1e-4)
