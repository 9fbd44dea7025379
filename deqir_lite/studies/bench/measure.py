"""One sampler on one chain: how near, how good and how dear it is at each mark."""

import itertools
import math
import os
import statistics
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import torch

from deqir_lite.bundled import load_bundled_photo
from deqir_lite.chain import RestorationChain
from deqir_lite.defaults import X0_TOLERANCE
from deqir_lite.memory import watch_peak
from deqir_lite.metrics import measurement_consistency, psnr
from deqir_lite.priors.base import Prior
from deqir_lite.priors.gaussian import GaussianPrior
from deqir_lite.priors.load import gaussian_of
from deqir_lite.restoration import make_problem_chain, pose_problem
from deqir_lite.solvers.stopping import ErrorEstimate
from deqir_lite.studies.bench.compiled import compiled_prior
from deqir_lite.studies.bench.peers import Progress
from deqir_lite.studies.bench.runs import BenchRun
from deqir_lite.studies.bench.samplers import (
    COMPILED,
    DIFFUSERS,
    GRAPHS,
    NETWORKS,
    RULED,
    SOLVES,
    sampling,
)
from deqir_lite.studies.study import chain_settings
from deqir_lite.studies.sweeps import sweeps_to

TARGETS = (40.0, 50.0)
"""dB to the sequential sample that are marks of every sampler."""

SWEEPS = (1, 2, 3)
"""Sweeps of ours that are marks, too."""

STOP, END = "stop", "end"
"""Marks: where the package's rule for 40 dB stops ours; where a sampler that has no sweeps ends."""

MOST = 150.0
"""dB at most: what is equal to rounding."""


@dataclass(frozen=True)
class Mark:
    """A sampler at one moment.

    * ``sweeps``, ``calls`` that waited for one another, ``nfe``,
    * ``decibel`` to the sequential sample and ``psnr`` to the photo: the least over the batch and
      the mean; ``consistency``: RMS of A x_0 - y, in units of [-1, 1]; None without a photo,
    * ``seconds``: median, least and most; empty where nothing was timed.
    """

    sweeps: int
    calls: int
    nfe: int
    decibel: float | None = None
    psnr: float | None = None
    consistency: float | None = None
    seconds: tuple[float, ...] = ()


@dataclass(frozen=True)
class BenchCost:
    """What a run gave.

    * ``marks``: a number of sweeps, "40" and "50" (dB, from this sweep on), :data:`STOP` or
      :data:`END` -> the :class:`Mark`; one that was not reached is missing,
    * of timed runs ``network``: the share of the time that its network took; ``peak``: bytes more
      than before at once, None where the system does not tell; both None for CUDA graphs, whose
      memory was taken before; ``load``: processes that wanted to compute, mean of the last minute.
    """

    run: BenchRun
    marks: dict[str, Mark] = field(default_factory=dict)
    network: float | None = None
    peak: int | None = None
    load: float | None = None


def make_run_chain(run: BenchRun, prior: Prior, device: torch.device) -> RestorationChain:
    """The chain of a run; with nothing to measure for one call of the network."""
    photo = load_bundled_photo(run.photo or "coffee", size=run.size).to(device)
    problem = pose_problem(photo, run.task or "sr2", mask_seed=run.seed)
    return make_problem_chain(
        problem,
        prior,
        method=run.method or "ddnm",
        settings=chain_settings(run),
        seed=run.seed,
        samples=run.batch,
    )


@torch.no_grad()
def measure(
    run: BenchRun, chain: RestorationChain, sequential: torch.Tensor, gaussian: GaussianPrior
) -> BenchCost:
    """Run the sampler to find its marks, and ``repeats`` times more to time them. It ends at the
    last of them, or after T sweeps, or where it or the walk is not finite: then it has no STOP."""
    photo = load_bundled_photo(run.photo or "coffee", size=run.size).to(chain.x_T)
    restores = run.sampler not in (DIFFUSERS, *NETWORKS)
    progress: list[Progress] = []
    curve: list[float] = []
    estimate, stopped = ErrorEstimate(first_tells=run.sampler in SOLVES), None
    ruled, error = run.sampler in RULED, torch.full((run.batch,), math.inf)
    for now in sampling(run.sampler, chain, gaussian, start=run.start):
        finite = bool(torch.isfinite(now.x0).all() & torch.isfinite(sequential).all())
        if not finite:
            break
        near = psnr(now.x0, sequential, data_range=(-1, 1)).min().item()
        progress.append(now)
        curve.append(near)
        if ruled and stopped is None:
            if now.before is not None:
                estimate = estimate.after(now.before, now.x0)
                error = estimate.error
                error = error if now.cut is None else torch.maximum(error, now.cut)
            elif now.moved is not None:
                error = torch.minimum(error, now.moved)
            if bool((error <= X0_TOLERANCE).all()):
                stopped = len(progress) - 1
        ours_done = stopped is not None and now.sweeps >= SWEEPS[-1]
        arrived = near >= TARGETS[-1] and (not ruled or ours_done)
        if arrived or now.sweeps >= run.num_steps:
            break
    found = {f"{t:g}": sweeps_to(curve, target=t) for t in TARGETS} if restores else {END: 0}
    found |= {str(n): n if n < len(progress) else None for n in SWEEPS if run.sampler in SOLVES}
    if ruled and progress and (finite or stopped is not None):
        found[STOP] = len(progress) - 1 if stopped is None else stopped  # or all is solved
    places = {name: j for name, j in found.items() if j is not None}
    marks = {
        name: _mark(progress[j], curve[j], chain, photo if restores else None)
        for name, j in places.items()
    }
    cost = BenchCost(run, marks)
    return cost if run.repeats == 0 or not marks else _timed(cost, places, chain, gaussian)


def _mark(now: Progress, near: float, chain: RestorationChain, photo: torch.Tensor | None) -> Mark:
    if photo is None:
        return Mark(now.sweeps, now.calls, now.nfe)
    m = chain.measurement
    far = measurement_consistency(m.operator, now.x0, m.y) / m.y[0].numel() ** 0.5
    quality = psnr(now.x0.clamp(-1, 1), photo, data_range=(-1, 1)).mean().item()
    return Mark(now.sweeps, now.calls, now.nfe, min(near, MOST), quality, far.max().item())


def _timed(
    cost: BenchCost, places: dict[str, int], chain: RestorationChain, gaussian: GaussianPrior
) -> BenchCost:
    """The same with times: ``places`` says at which progress the marks are."""
    run, device, last = cost.run, chain.x_T.device, max(places.values()) + 1

    def clock() -> float:
        if device.type != "cpu":
            torch.accelerator.synchronize()
        return time.perf_counter()

    def once(on: RestorationChain) -> list[float]:
        begin = clock()
        steps = itertools.islice(sampling(run.sampler, on, gaussian, start=run.start), last)
        return [clock() - begin for _ in steps]

    watch = watch_peak(device)
    before = watch()
    passes = [once(chain)]
    most = watch()
    passes += [once(chain) for _ in range(run.repeats - 1)]
    share = None
    if run.sampler not in GRAPHS:
        seen = _Stopwatch(chain.prior, clock)
        whole = once(chain.with_prior(seen))[-1]
        share = seen.seconds / whole
    marks = {
        name: replace(mark, seconds=_spread([each[places[name]] for each in passes]))
        for name, mark in cost.marks.items()
    }
    peak = None
    if before is not None and most is not None and run.sampler not in GRAPHS:
        peak = max(most - before, 0)
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else None
    return BenchCost(run, marks, share, peak, load)


def _spread(seconds: list[float]) -> tuple[float, ...]:
    return statistics.median(seconds), min(seconds), max(seconds)


class _Stopwatch:
    """A prior that knows how long it was asked."""

    def __init__(self, prior: Prior, clock: Any) -> None:
        self.prior, self.schedule, self._clock, self.seconds = prior, prior.schedule, clock, 0.0

    def __call__(self, x_t: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
        begin = self._clock()
        eps = self.prior(x_t, t)
        self.seconds += self._clock() - begin
        return eps


def measure_all(
    runs: Iterable[BenchRun],
    prior: Prior,
    *,
    device: torch.device | str = "cpu",
    minutes: float | None = None,
) -> Iterator[BenchCost]:
    """The costs of ``runs``, one by one; those of one chain in a row share its sample.

    After so many ``minutes`` no more is begun. A run whose network cannot be compiled is left out.
    """
    gaussian, place = gaussian_of(prior), torch.device(device)
    end = time.monotonic() + 60 * (math.inf if minutes is None else minutes)
    compiled: dict[tuple[int, ...], Prior | None] = {}
    for _, group in itertools.groupby(runs, key=_chain_of):
        chain, sequential = None, None
        for run in group:
            if time.monotonic() > end:
                return
            with torch.no_grad():
                chain = make_run_chain(run, prior, place) if chain is None else chain
                if run.sampler in NETWORKS:
                    sequential = chain.x_T
                elif sequential is None:
                    sequential = chain.sequential()[-1]
                on = chain
                if run.sampler in COMPILED:
                    at_once = run.num_steps if run.sampler in SOLVES else 1
                    example = chain.x_T.repeat(at_once, 1, 1, 1)
                    shape = tuple(example.shape)
                    if shape not in compiled:
                        compiled[shape] = compiled_prior(prior, example)
                    fast = compiled[shape]
                    if fast is None:
                        continue
                    on = chain.with_prior(fast)
            yield measure(run, on, sequential, gaussian)


def _chain_of(run: BenchRun) -> BenchRun:
    """What decides the chain of a run."""
    return replace(run, sampler="", start="own", repeats=0, device="")
