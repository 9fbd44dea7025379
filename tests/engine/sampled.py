"""Run on every rank: chains under a prior, alone and shared out; what differs, and what was done.

Writes, by rank, {name of a case: (relative difference, batches of the network on this rank)}.
"""

import os

import torch
import torch.distributed as dist

from deqir_lite.chain import make_chain
from deqir_lite.engine.ranks import joined_ranks
from deqir_lite.engine.sharding import shard_prior
from deqir_lite.operators import make_task
from deqir_lite.priors import GaussianPrior, ModelPrior, power_law_spectrum
from deqir_lite.priors.residual import ResidualPrior
from deqir_lite.priors.unet import ResidualUNet
from deqir_lite.restoration import restore_parallel, restore_sequential

environment, folder = globals()["environment"], globals()["folder"]
os.environ.update({name: str(value) for name, value in environment.items()})
torch.set_num_threads(1)
batches = []


def bent_prior():
    """The Gaussian prior with an image-wide bend, which notes how many images it is asked about."""
    gaussian = GaussianPrior(power_law_spectrum(size=8))

    def model(x_t, t):
        batches.append(len(x_t))
        eps = gaussian(x_t, t)
        return eps + 0.2 * torch.tanh(2 * eps.roll((1, 2), dims=(-2, -1)))

    return ModelPrior(model, gaussian.schedule)


def network_prior(dtype):
    torch.manual_seed(0)
    network = ResidualUNet((8, 16), blocks=1, patch=2)
    for weight in network.parameters():  # some begin at zero
        weight.data += 0.1 * torch.randn_like(weight)
    network.register_forward_pre_hook(lambda _, inputs: batches.append(len(inputs[0])))
    gaussian = GaussianPrior(power_law_spectrum(size=8))
    return ResidualPrior(gaussian, network, torch.full((1000,), 0.3), dtype=dtype)


def chain_of(prior, *, task="sr2", batch=1, dtype=torch.float64, steps=6, **options):
    operator = make_task(task, (8, 8), seed=0)
    photo = torch.rand(batch, 3, 8, 8, generator=torch.Generator().manual_seed(1)) * 2 - 1
    return make_chain(
        prior, operator, operator.A(photo.to(dtype)), num_steps=steps, seed=0, **options
    )


def parallel(chain):
    return restore_parallel(chain, tolerance=1e-13 if chain.x_T.dtype == torch.float64 else 1e-5)


def restored(prior, sample, **options):
    return sample(chain_of(prior, **options)).states


def pushed_forward(prior):
    """J v of five predictions, by two reverse passes."""
    x = torch.randn(5, 3, 8, 8, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    v, t = x.flip(0) ** 2, torch.arange(1, 1000, 200)
    pullback = torch.func.vjp(lambda x: prior(x, t), x)[1]
    return torch.func.vjp(lambda u: pullback(u)[0], torch.zeros_like(v))[1](v)[0]


def descended(prior):
    """A gradient by backward()."""
    x = torch.randn(3, 3, 8, 8, generator=torch.Generator().manual_seed(3)).double()
    x.requires_grad_()
    prior(x, torch.tensor([5, 300, 900])).square().sum().backward()
    return x.grad


bent = bent_prior()
CASES = {
    "parallel": (bent, lambda p: restored(p, parallel, batch=2)),
    "sequential": (bent, lambda p: restored(p, restore_sequential)),
    "dps": (bent, lambda p: restored(p, parallel, method="dps", steps=2)),
    "repaint": (bent, lambda p: restored(p, parallel, method="repaint", task="inpaint-box")),
    "jvp": (bent, pushed_forward),
    "backward": (bent, descended),
    "weighted": (
        network_prior("float64"),
        lambda p: restored(p, parallel, method="weighted", task="inpaint-box", steps=3),
    ),
    "float32": (network_prior("float32"), lambda p: restored(p, parallel, dtype=torch.float32)),
}

found = {}
with joined_ranks():
    for name, (prior, sample) in CASES.items():
        one = sample(prior)
        alone = batches.copy()
        batches.clear()
        several = sample(shard_prior(prior))
        found[name] = float((one - several).norm() / one.norm()), alone, batches.copy()
        batches.clear()
    rank = dist.get_rank()
torch.save(found, folder / f"rank-{rank}.pt")
