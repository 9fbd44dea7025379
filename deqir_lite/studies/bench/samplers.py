"""All samplers of the benchmark by name."""

import functools
from collections.abc import Callable, Iterator
from typing import Any

import torch
from diffusers import DDIMScheduler

from deqir_lite.bridges.to_diffusers import PriorUNet
from deqir_lite.chain import RestorationChain
from deqir_lite.checks import check_choice
from deqir_lite.fixedpoint import make_model, make_start
from deqir_lite.priors.gaussian import GaussianPrior
from deqir_lite.solvers import Anderson, Picard, ReleasedAnderson
from deqir_lite.studies.bench.peers import (
    BandedModel,
    Progress,
    UnprojectedModel,
    paradigms,
    quasi_deer,
    srds,
    swept,
)

Start = Callable[[], torch.Tensor]
Sampler = Callable[[RestorationChain, GaussianPrior, Start], Iterator[Progress]]

WALK, OURS = "sequential", "gaussian form"
OPTIMISED, DIFFUSERS = "sequential, compiled", "diffusers DDIM"
NETWORK, COMPILED_NETWORK = "one call", "one call, compiled"

TIMED_ONLY = (OPTIMISED, DIFFUSERS)
"""Walks that differ from ``WALK`` in seconds alone; that of diffusers restores nothing."""

NETWORKS = (NETWORK, COMPILED_NETWORK)
"""One call of the network: time(batch)."""

COMPILED = (OPTIMISED, COMPILED_NETWORK)


def walk(chain: RestorationChain, gaussian: GaussianPrior, start: Start) -> Any:
    """Step by step; x_0 is there at the end and not before."""
    T = chain.num_steps
    for x in chain.walk():
        last = x
    yield Progress(last, T, T, T * len(last))


def diffusers_loop(chain: RestorationChain, gaussian: GaussianPrior, start: Start) -> Any:
    """As many steps of DDIM in the loop of diffusers; without a measurement, so another picture."""
    T, x = chain.num_steps, chain.x_T
    unet, scheduler = PriorUNet(chain.prior), DDIMScheduler(clip_sample=False)
    scheduler.set_timesteps(T, device=x.device)
    for t in scheduler.timesteps:
        x = scheduler.step(unet(x, t).sample, t, x).prev_sample
    yield Progress(x, T, T, T * len(x))


def one_call(chain: RestorationChain, gaussian: GaussianPrior, start: Start) -> Any:
    """The network at x_T."""
    eps = chain.predict_noise(chain.x_T[None])[0]
    yield Progress(eps, 1, 1, len(eps))


PEERS: dict[str, Sampler] = {
    "DeqIR, released": lambda chain, _, start: swept(
        chain, make_model("noise", chain), ReleasedAnderson(), start()
    ),
    "DeqIR, plain": lambda chain, _, start: swept(
        chain, make_model("noise", chain), Picard(), start()
    ),
    "ParaTAA": lambda chain, _, start: swept(chain, BandedModel(chain), Anderson(), start()),
    "ParaDiGMS": lambda chain, _, start: paradigms(chain, start(), window=chain.num_steps),
    "ParaDiGMS, window 20": lambda chain, _, start: paradigms(chain, start(), window=20),
    "DEQ-DDIM": lambda chain, _, start: swept(
        chain, UnprojectedModel(chain), ReleasedAnderson(), start()
    ),
    "SRDS": lambda chain, *_: srds(chain),
    "quasi-DEER": lambda chain, _, start: quasi_deer(chain, start()),
}
"""As published, see :mod:`deqir_lite.studies.bench.peers`."""

CONTROLLED = tuple(name for name in PEERS if name not in ("SRDS", "ParaDiGMS, window 20"))
"""Those that can begin elsewhere."""

SAMPLERS: dict[str, Sampler] = {
    WALK: walk,
    OPTIMISED: walk,
    DIFFUSERS: diffusers_loop,
    NETWORK: one_call,
    COMPILED_NETWORK: one_call,
    OURS: lambda chain, gaussian, start: swept(
        chain, make_model("gaussian", chain, gaussian=gaussian), Anderson(), start()
    ),
    **PEERS,
}
"""Name -> what it yields sweep by sweep on a chain, from a start."""


def sampling(
    name: str, chain: RestorationChain, gaussian: GaussianPrior, *, start: str = "own"
) -> Iterator[Progress]:
    """The progress of a sampler; ``start`` as in :class:`deqir_lite.studies.bench.runs.BenchRun`.

    The start is part of the work: it is made when the first progress is asked for.
    """
    check_choice("sampler", name, SAMPLERS)
    check_choice("start", start, ("own", "gaussian"))
    where = "gaussian" if name == OURS or start == "gaussian" else "x_T"
    begin = functools.partial(make_start, where, chain, gaussian=gaussian)
    yield from SAMPLERS[name](chain, gaussian, begin)
