"""What is replayed on CUDA is what is launched kernel by kernel."""

import pytest
import torch

from deqir_lite.chain import make_chain
from deqir_lite.engine.graphs import RecordedSolve, replay_prior
from deqir_lite.fixedpoint import FixedPointSystem, GaussianFormModel, make_start
from deqir_lite.operators import make_task
from deqir_lite.priors import GaussianPrior, power_law_spectrum
from deqir_lite.priors.network import NetworkPrior
from deqir_lite.priors.residual import ResidualPrior
from deqir_lite.priors.unet import ResidualUNet
from deqir_lite.restoration import restore_parallel, restore_sequential
from deqir_lite.schedule import linear_schedule
from deqir_lite.solvers import Anderson

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device"),
    pytest.mark.filterwarnings("ignore:not converged"),
]

SIZE = (16, 16)


@pytest.fixture(autouse=True)
def _full_float32():
    """TensorFloat32 rounds otherwise in every batch size."""
    before = torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = False
    yield
    torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32 = before


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


def chain_of(prior, task="sr2", num_steps=12, method="ddnm"):
    operator = make_task(task, SIZE)
    y = operator.A(randn(2, 3, *SIZE, seed=1).clamp(-1, 1))
    return make_chain(
        prior,
        operator,
        y,
        num_steps=num_steps,
        method=method,
        eta=0.85 if method == "ddnm" else None,
    )


def assert_close(got, expected, tolerance=1e-5):
    assert got.is_cuda
    error = (got - expected).norm() / expected.norm()
    assert error <= tolerance, f"relative difference {error:.1e}"


@torch.no_grad()
def test_a_recorded_network_serves_smaller_batches_and_the_next_ones_anew(prior):
    replayed = replay_prior(prior)
    for seed, count in enumerate((12, 12, 10, 9, 5, 12, 1)):
        x, t = randn(count, 3, *SIZE, seed=seed), torch.randint(0, 1000, (count,)).cuda()
        assert_close(replayed(x, t), prior(x, t))
    sizes = {key[0] for key in vars(prior)["_recordings"] if key[1] == (3, *SIZE)}
    assert sizes == {12, 5, 1}


@torch.no_grad()
def test_a_result_stays_when_the_recording_is_replayed(prior):
    replayed, t = replay_prior(prior), torch.tensor([3, 700]).cuda()
    first = replayed(randn(2, 3, *SIZE), t)
    before = first.clone()
    replayed(randn(2, 3, *SIZE, seed=1), t)
    assert torch.equal(first, before)


@torch.no_grad()
def test_weights_that_moved_are_recorded_anew(prior):
    replayed, x, t = replay_prior(prior), randn(3, 3, *SIZE), torch.tensor([3, 9, 700]).cuda()
    before = replayed(x, t)
    prior.to("cpu")
    keep = torch.zeros(10**6, device="cuda")  # so that they do not return to their place
    prior.to("cuda")
    assert_close(replay_prior(prior)(x, t), before)
    assert keep.sum() == 0


@torch.no_grad()
def test_a_network_of_diffusers(make_unet):
    prior = NetworkPrior(make_unet(12), linear_schedule()).to("cuda")
    x, t = randn(4, 3, *SIZE), torch.tensor([0, 100, 500, 950]).cuda()
    assert_close(replay_prior(prior)(x, t), prior(x, t))


def test_gradients_pass_the_network_itself(prior):
    x = randn(2, 3, *SIZE).requires_grad_()
    replay_prior(prior)(x, torch.tensor([3, 700]).cuda()).sum().backward()
    assert x.grad is not None


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


@pytest.mark.parametrize("method", ["ddnm", "weighted", "ddrm", "dps"])
def test_restorations_are_those_of_a_prior_that_is_not_replayed(prior, method, monkeypatch):
    chain, found = chain_of(prior, method=method), []
    for replayed in (True, False):
        if not replayed:
            monkeypatch.setattr("deqir_lite.restoration.sampling.replay_chain", lambda x: x)
        walked = restore_sequential(chain).states
        solved = restore_parallel(chain, tolerance=0.0)
        found.append((walked, solved.states))
        assert_close(solved.states, walked, 1e-3)
    for got, expected in zip(*found, strict=True):
        assert_close(got, expected, 1e-4)
