"""Run on every rank: a solve whose network sleeps, as if its device were elsewhere.

``given``: seconds of each call, of each image in it, and T. Rank 0 writes what it measured.
"""

import os
import time

import torch

from deqir_lite._json import write_json
from deqir_lite.chain import make_chain
from deqir_lite.engine.forecast import measure_link
from deqir_lite.engine.ranks import joined_ranks
from deqir_lite.engine.sharding import shard_prior
from deqir_lite.operators import make_task
from deqir_lite.priors import GaussianPrior, ModelPrior, power_law_spectrum
from deqir_lite.restoration import restore_parallel

environment, folder, given = (globals()[name] for name in ("environment", "folder", "given"))
os.environ.update({name: str(value) for name, value in environment.items()})
torch.set_num_threads(1)
call, image, steps = given
gaussian = GaussianPrior(power_law_spectrum(size=8))


def model(x_t, t):
    ready = time.perf_counter() + call + image * len(x_t)
    eps = gaussian(x_t, t)
    eps = eps + 0.2 * torch.tanh(2 * eps.roll((1, 2), dims=(-2, -1)))
    time.sleep(max(0.0, ready - time.perf_counter()))
    return eps


def solve(prior):
    operator = make_task("sr2", (8, 8))
    y = operator.A(torch.rand(1, 3, 8, 8, generator=torch.Generator().manual_seed(0)) * 2 - 1)
    chain = make_chain(prior, operator, y, num_steps=steps, seed=0)
    start = time.perf_counter()
    solution = restore_parallel(chain, tolerance=1e-3)
    return time.perf_counter() - start, [steps - first for first in solution.trace.first]


with joined_ranks() as ranks:
    prior = ModelPrior(model, gaussian.schedule)
    link = measure_link() if ranks.size > 1 else None
    several = shard_prior(prior) if ranks.size > 1 else prior
    solve(several)
    seconds, images = min(solve(several) for _ in range(2))  # a machine may be busy
    if ranks.rank == 0:
        link = {} if link is None else {"latency": link.latency, "bandwidth": link.bandwidth}
        write_json(
            folder / f"slept-{ranks.size}.json", {"seconds": seconds, "images": images} | link
        )
