"""What the benchmark measures: which chain, which sampler, on which machine."""

import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from deqir_lite.bundled import photo_names
from deqir_lite.checks import check_choice, check_integer, check_interval
from deqir_lite.defaults import BENCH_STEPS
from deqir_lite.operators import TASKS, check_side
from deqir_lite.schedule import spacing_power
from deqir_lite.studies.bench.samplers import (
    COMPILED,
    CONTROLLED,
    COUNTED,
    GRAPHS,
    INTERPOLATED,
    INTERPOLATES,
    NETWORKS,
    OURS,
    SOLVES,
    TIMED_ONLY,
    WALK,
)
from deqir_lite.studies.sweeps import DEFAULT_TASKS

PROBLEMS = (("inpaint-random", "coffee"), ("sr4", "cat"))
"""(task, photo) of costs to equality."""

PAPER_CHAIN: tuple[float, str | float] = (0.15, "uniform")
"""(eta, spacing) of the paper."""

PICTURE_CHAIN: tuple[float, str | float] = (1.0, "cubic")
"""(eta, spacing) of the defaults."""

CHAINS = (
    *(PAPER_CHAIN, PICTURE_CHAIN, (0.0, "uniform"), (1.0, "uniform")),
    *((0.0, "cubic"), (0.15, "cubic")),
)
"""(eta, spacing), the more important ones first."""

QUALITY_PHOTOS = ("coffee", "cat")
QUALITY_STEPS = {"ddnm": (2, 5, 10, 20, 50, 100), "weighted": (1, 2, 3, 5, 10, 20)}
"""Lengths of the chains whose pictures are judged."""

LONGEST_SOLVED = 50
"""Longer ones are only walked there."""

COMPILED_SIZES = (64,)
"""Sides of the photos whose network is compiled, too: every shape takes seconds."""

BATCHES = (1, 2, 4, 8, 16, 20, 32, 50, 64, 100)
"""Of single calls of the network."""


@dataclass(frozen=True)
class BenchRun:
    """One sampler on one chain.

    * ``sampler``: a name of :data:`deqir_lite.studies.bench.samplers.SAMPLERS`,
    * ``start``: ``own``, that of the sampler, or ``gaussian``,
    * ``batch``: samples of the photo, with the seeds from ``seed`` on,
    * ``repeats``: how many times it is timed; 0 only counts, which no machine changes,
    * ``device``: what it is timed on, in words; empty where it only counts.
    """

    sampler: str
    method: str
    task: str
    photo: str
    size: int
    batch: int
    num_steps: int
    eta: float
    spacing: str | float
    start: str = "own"
    seed: int = 0
    dtype: str = "float32"
    repeats: int = 0
    device: str = ""


def count_runs(
    steps: Sequence[int] = BENCH_STEPS,
    sizes: Sequence[int] = (64,),
    *,
    chains: Sequence[tuple[float, str | float]] = CHAINS,
    problems: Sequence[tuple[str, str]] = PROBLEMS,
    samplers: Sequence[str] = COUNTED,
    batches: Sequence[int] = (1,),
) -> list[BenchRun]:
    """Cost to equality: all combinations, short chains and small photos first.

    Those in ``CONTROLLED`` also begin at the Gaussian start, on the first two chains; those in
    ``INTERPOLATES`` are for chains with no more fresh noise than the paper's.
    """
    runs = []
    for T, size, batch, (eta, spacing), (task, photo), sampler in itertools.product(
        steps, sizes, batches, chains, problems, samplers
    ):
        if sampler in INTERPOLATES and eta > PAPER_CHAIN[0]:
            continue
        run = BenchRun(sampler, "ddnm", task, photo, size, batch, T, eta, spacing)
        runs.append(run)
        if sampler in CONTROLLED and (eta, spacing) in chains[:2] and batch == 1:
            runs.append(replace(run, start="gaussian"))
    return sorted(runs, key=lambda run: run.num_steps * run.size**2 * run.batch)


def quality_runs(
    size: int = 64,
    *,
    tasks: Sequence[str] = DEFAULT_TASKS,
    photos: Sequence[str] = QUALITY_PHOTOS,
) -> list[BenchRun]:
    """Cost to quality: walked and solved, DDNM on the paper's grid and the defaults', weighted."""
    runs = []
    for task, photo, (method, lengths) in itertools.product(tasks, photos, QUALITY_STEPS.items()):
        chains = (PAPER_CHAIN, PICTURE_CHAIN) if method == "ddnm" else (PICTURE_CHAIN,)
        for T, (eta, spacing), sampler in itertools.product(lengths, chains, (WALK, OURS)):
            if sampler == WALK or T <= LONGEST_SOLVED:
                runs.append(BenchRun(sampler, method, task, photo, size, 1, T, eta, spacing))
    return sorted(runs, key=lambda run: run.num_steps)


def timed_runs(
    runs: Iterable[BenchRun], *, repeats: int, device: str, graphs: bool
) -> list[BenchRun]:
    """The same, timed, with what has only a time: the walks and the network by itself.

    ``graphs``: also with CUDA graphs, and a compiled network for :data:`COMPILED_SIZES`.
    """
    check_integer("repeats", repeats, 1)

    def use(sampler: str, run: BenchRun) -> bool:
        small = run.size in COMPILED_SIZES and run.batch == 1
        return (graphs or sampler not in GRAPHS) and (small or sampler not in COMPILED)

    timed = [replace(run, repeats=repeats, device=device) for run in runs]
    others, calls = [], []
    for run in timed:
        if run.sampler in (OURS, INTERPOLATED) and run.start == "own":
            recorded = [name for name in SOLVES if name in GRAPHS and run.sampler == OURS]
            beside = [name for name in (WALK, *TIMED_ONLY, *recorded) if use(name, run)]
            others += [replace(run, sampler=sampler) for sampler in beside]
            lone = replace(run, num_steps=1, eta=0.0, spacing="uniform", task="", photo="")
            lone = replace(lone, method="", seed=0)
            calls += [
                replace(lone, sampler=sampler, batch=batch)
                for sampler in NETWORKS
                for batch in sorted({*BATCHES, run.num_steps * run.batch})
                if use(sampler, run) and batch <= max(BATCHES[-1], run.num_steps * run.batch)
            ]
    return list(dict.fromkeys([*calls, *others, *timed]))


def check_grid(
    steps: Iterable[int],
    sizes: Iterable[int],
    batches: Iterable[int],
    etas: Iterable[float],
    spacings: Iterable[str | float],
    samplers: Iterable[str],
    problems: Iterable[tuple[str, str]] = PROBLEMS,
) -> None:
    """ValueError in one line for what no chain takes."""
    for task, photo in problems:
        check_choice("problems", task, TASKS)
        check_choice("problems", photo, photo_names())
    for name, values in (("steps", steps), ("sizes", sizes), ("batches", batches)):
        for value in values:
            check_integer(name, value, 1)
    for size, (task, _) in itertools.product(sizes, problems):
        check_side("sizes", size, task)
    for eta in etas:
        check_interval("eta", eta, 0.0, 1.0)
    for spacing in spacings:
        spacing_power(spacing)
    for sampler in samplers:
        check_choice("samplers", sampler, COUNTED)
