"""All samplers of the benchmark by name."""

import contextlib
import functools
from collections.abc import Callable, Iterator
from typing import Any

import torch
from diffusers import DDIMScheduler

from deqir_lite.bridges.to_diffusers import PriorUNet
from deqir_lite.chain import RestorationChain
from deqir_lite.checks import check_choice
from deqir_lite.defaults import KEPT, X0_TOLERANCE
from deqir_lite.engine.graphs import RecordedSolve, Replay
from deqir_lite.fixedpoint import (
    Cut,
    FixedPointSystem,
    GaussianFormModel,
    make_model,
    make_start,
)
from deqir_lite.priors.gaussian import GaussianPrior
from deqir_lite.restoration.sampling import SolveOptions, solve_chain
from deqir_lite.solvers import Anderson, Picard, ReleasedAnderson
from deqir_lite.studies.bench.interpolating import checked, interpolated
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
DIFFUSERS, NETWORK = "diffusers DDIM", "one call"
FORGETFUL = "gaussian form, forgetful"
"""The form of the defaults: with a share of the noise kept in the range of A, and with the cut."""

WINDOW = 6
SLIDING = f"{FORGETFUL}, window {WINDOW}"
"""The same in a window of so many steps, which slides on."""

INTERPOLATED, CHECKED = "interpolated", "interpolated, then all steps"
"""The network asked at a few steps; and the whole chain solved for from there."""

WALK_GRAPH, NETWORK_GRAPH = f"{WALK}, graph", f"{NETWORK}, graph"
OURS_GRAPH, FORGETFUL_GRAPH = f"{OURS}, graph", f"{FORGETFUL}, graph"
WALK_COMPILED, FORGETFUL_COMPILED = f"{WALK}, compiled", f"{FORGETFUL}, compiled"

COMPILED = (WALK_COMPILED, FORGETFUL_COMPILED)
"""Those whose network is compiled, too."""

GRAPHS = (WALK_GRAPH, OURS_GRAPH, FORGETFUL_GRAPH, NETWORK_GRAPH, *COMPILED)
"""Those that replay CUDA graphs: of the whole walk, of each sweep, of one call."""

TIMED_ONLY = (DIFFUSERS, WALK_GRAPH, WALK_COMPILED)
"""Walks that differ from ``WALK`` in seconds alone; that of diffusers restores nothing."""

NETWORKS = (NETWORK, NETWORK_GRAPH)
"""One call of the network: time(batch)."""

SOLVES = (OURS, FORGETFUL, OURS_GRAPH, FORGETFUL_GRAPH, FORGETFUL_COMPILED)
"""Ours; by graphs, and compiled, they differ in seconds, in what other kernels round, and are not
cut."""


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


def one_call_by_graph(chain: RestorationChain, gaussian: GaussianPrior, start: Start) -> Any:
    """The same as a CUDA graph."""
    replay = _recorded(
        chain, "call", lambda: Replay(lambda x: chain.predict_noise(x[None])[0], chain.x_T)
    )
    eps = replay(chain.x_T)
    yield Progress(eps, 1, 1, len(eps))


def ours(kept: float, *, cuts: bool = False) -> Sampler:
    """The Gaussian form that keeps this share."""

    def solve(chain: RestorationChain, gaussian: GaussianPrior, start: Start) -> Iterator[Progress]:
        model = GaussianFormModel(chain, gaussian, kept=kept)
        cut = Cut(gaussian) if cuts else None
        return swept(chain, model, Anderson(), start(), cut=cut)

    return solve


def sliding(chain: RestorationChain, gaussian: GaussianPrior, start: Start) -> Iterator[Progress]:
    """In a window, where no x_0 is before the end; its start is its own. It is empty where the
    network answers NaN."""
    options = SolveOptions(window=WINDOW, x0_tolerance=X0_TOLERANCE, gaussian=gaussian)
    with contextlib.suppress(ValueError):
        found = solve_chain(chain, options)
        yield Progress(found.x0, found.sweeps, found.sweeps, found.nfe)


def walk_by_graph(chain: RestorationChain, gaussian: GaussianPrior, start: Start) -> Any:
    """The whole walk as one CUDA graph, which is recorded once for each chain."""

    def walk_from(x: torch.Tensor) -> torch.Tensor:
        for k in range(chain.num_steps):
            x = chain.step(x, k)
        return x

    T, replay = chain.num_steps, _recorded(chain, "walk", lambda: Replay(walk_from, chain.x_T))
    x0 = replay(chain.x_T)
    yield Progress(x0, T, T, T * len(x0))


def ours_by_graphs(kept: float) -> Sampler:
    """The same without the cut, for which the host would have to wait, each sweep a CUDA graph,
    which is recorded once for each chain."""

    def solve(chain: RestorationChain, gaussian: GaussianPrior, start: Start) -> Iterator[Progress]:
        def record() -> RecordedSolve:
            model = GaussianFormModel(chain, gaussian, kept=kept)
            return RecordedSolve(FixedPointSystem(chain, model), Anderson(), gaussian)

        before, nfe, (T, batch) = None, 0, (chain.num_steps, len(chain.x_T))
        for state in _recorded(chain, f"solve {kept}", record):
            yield Progress(state.output[-1], state.sweeps, state.sweeps, nfe, before)
            before, nfe = state.states[-1], nfe + T * batch

    return solve


def _recorded(chain: RestorationChain, name: str, make: Callable[[], Any]) -> Any:
    """What ``make`` made first for this chain."""
    kept = vars(chain).setdefault("_recordings", {})
    if name not in kept:
        kept[name] = make()
    return kept[name]


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

INTERPOLATES = (INTERPOLATED, CHECKED)
"""Those for chains that keep their noise."""

RULED = (*SOLVES, SLIDING, *INTERPOLATES)
"""Those that stop by a rule of this package."""

COUNTED = (OURS, FORGETFUL, SLIDING, *INTERPOLATES, *PEERS)
"""Those whose sweeps and evaluations are counted."""

CONTROLLED = tuple(name for name in PEERS if name not in ("SRDS", "ParaDiGMS, window 20"))
"""Those that can begin elsewhere."""

SAMPLERS: dict[str, Sampler] = {
    WALK: walk,
    WALK_GRAPH: walk_by_graph,
    WALK_COMPILED: walk_by_graph,
    DIFFUSERS: diffusers_loop,
    NETWORK: one_call,
    NETWORK_GRAPH: one_call_by_graph,
    OURS: ours(1.0),
    FORGETFUL: ours(KEPT, cuts=True),
    SLIDING: sliding,
    INTERPOLATED: interpolated,
    CHECKED: checked,
    OURS_GRAPH: ours_by_graphs(1.0),
    FORGETFUL_GRAPH: ours_by_graphs(KEPT),
    FORGETFUL_COMPILED: ours_by_graphs(KEPT),
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
    where = "gaussian" if name in RULED or start == "gaussian" else "x_T"
    begin = functools.partial(make_start, where, chain, gaussian=gaussian)
    yield from SAMPLERS[name](chain, gaussian, begin)
