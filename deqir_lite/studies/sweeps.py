"""How many sweeps a chain needs, by form, solver and length; chapter 7 reads it."""

import itertools
import math
import warnings
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

import torch
from pydantic import Field, PositiveInt, Strict

from deqir_lite._json import Number, Schema
from deqir_lite.bundled import load_bundled_photo
from deqir_lite.chain import PICTURE, RestorationChain
from deqir_lite.checks import check_integer
from deqir_lite.defaults import X0_TOLERANCE
from deqir_lite.fixedpoint import FORMS, STARTS, FixedPointSystem, make_model, make_start
from deqir_lite.metrics import psnr
from deqir_lite.priors.base import Prior
from deqir_lite.priors.gaussian import GaussianPrior
from deqir_lite.priors.load import gaussian_of
from deqir_lite.restoration import make_problem_chain, pose_problem
from deqir_lite.solvers import ConvergenceWarning, make_solver, solve
from deqir_lite.studies.study import Study, chain_settings

TARGET = 40.0
"""dB between x_0 of a sweep and x_0 of the sequential chain that count as arrived."""

STEPS = (10, 20, 50, 100, 200)
"""Lengths of the chains."""

STOP = 50.0
"""dB at which a run ends."""

STARTED_STEPS = (20, 50)
"""Lengths at which every form is begun from every start."""

CHAINS: tuple[tuple[float, str | float], ...] = ((0.15, "uniform"), (1.0, "cubic"))
"""(eta, spacing): the chain of the paper, and that of a picture."""

STARTED_CHAINS = (*CHAINS, (0.15, "cubic"), (1.0, "uniform"))
"""Where every form is begun from every start: eta and grid apart."""

MORE_STEPS = 20
MORE_PROBLEMS = (("deblur-gaussian", "astronaut", 1), ("inpaint-stripe", "retina", 2))
"""(task, photo, seed): other problems with noise of their own, on which every form is begun from
every start on :data:`CHAINS` of 20 steps, too."""

SOLVED = (
    ("noise", "anderson-triangular", "measurement"),
    ("data", "anderson-triangular", "measurement"),
    ("jacobi", "anderson-triangular", "measurement"),
    ("gaussian", "anderson-triangular", "measurement"),
    ("gaussian", "anderson-triangular", "gaussian"),
    ("gaussian", "picard", "gaussian"),
)
"""(form, solver, start) at all lengths: all from one start, and the Gaussian form from its own."""

DEFAULT_TASKS = (
    *("sr2", "sr4", "deblur-gaussian", "deblur-anisotropic"),
    *("inpaint-random", "inpaint-stripe", "inpaint-text", "colorization"),
)
DEFAULT_PHOTOS = ("coffee", "cat")
"""Tasks and photos of :func:`default_runs`."""


@dataclass(frozen=True)
class SweepRun:
    """One solve of the study: which chain, and how it is solved."""

    task: str
    photo: str
    num_steps: int
    eta: float
    spacing: str | float
    form: str
    solver: str
    start: str
    size: int = 32
    seed: int = 0
    max_sweeps: int = 20


@dataclass(frozen=True)
class SweepCurve:
    """What a run gave: ``psnr[j]`` is the PSNR in dB of x_0 after j sweeps against the sequential
    x_0, ``psnr[0]`` that of the start. The curve ends at :data:`STOP` dB, at the last sweep
    allowed, or before the first sweep with NaN or infinite pixels. ``stop`` is where the
    package's own rule, which does not know the sequential x_0, ends the same solve: after how many
    sweeps, and with how many evaluations of the network; None where the sweeps allowed are too few
    for it."""

    run: SweepRun
    psnr: tuple[float, ...]
    stop: tuple[int, int] | None = None

    def sweeps_to(self, *, target: float = TARGET) -> int | None:
        """The first sweep from which on x_0 stays at ``target`` dB or more; None if there is
        none."""
        return sweeps_to(self.psnr, target=target)

    @property
    def is_monotone(self) -> bool:
        """Whether no sweep made x_0 worse."""
        return all(later >= earlier for earlier, later in itertools.pairwise(self.psnr))


def sweeps_to(curve: Sequence[float], *, target: float = TARGET) -> int | None:
    """The first entry from which on a curve stays at ``target`` or more; None if there is none."""
    missed = [j for j, value in enumerate(curve) if not value >= target]
    arrived = missed[-1] + 1 if missed else 0
    return arrived if arrived < len(curve) else None


def default_runs() -> list[SweepRun]:
    """A few tasks and photos with the defaults of everything: chain, form, solver and start."""
    chain = PICTURE["num_steps"], PICTURE["eta"], PICTURE["spacing"]
    how = "gaussian", "anderson-triangular", "gaussian"
    return [
        SweepRun(task, photo, *chain, *how) for task in DEFAULT_TASKS for photo in DEFAULT_PHOTOS
    ]


def mean_default_sweeps(curves: Iterable[SweepCurve]) -> float:
    """Sweeps to :data:`TARGET` of the :func:`default_runs`, mean over tasks and photos.

    Infinite where a run does not arrive. KeyError when ``curves`` lack a run.
    """
    known = {curve.run: curve.sweeps_to() for curve in curves}
    needed = [known[run] for run in default_runs()]
    return sum(math.inf if sweeps is None else sweeps for sweeps in needed) / len(needed)


def study_runs(
    steps: Sequence[int] = STEPS,
    *,
    problems: Sequence[tuple[str, str]] = (("inpaint-random", "coffee"), ("sr4", "cat")),
) -> list[SweepRun]:
    """The runs of the study, short chains first.

    ``problems`` are pairs (task, photo). At all lengths :data:`SOLVED` on :data:`CHAINS`; at
    :data:`STARTED_STEPS` every form from every start on :data:`STARTED_CHAINS`; the same for
    :data:`MORE_PROBLEMS`; and the :func:`default_runs`.
    """
    runs = [
        SweepRun(*problem, count, *chain, *how)
        for count, chain, problem, how in itertools.product(steps, CHAINS, problems, SOLVED)
    ]
    runs += [
        SweepRun(*problem, count, *chain, form, "anderson-triangular", start)
        for count, chain, problem, form, start in itertools.product(
            STARTED_STEPS, STARTED_CHAINS, problems, FORMS, STARTS
        )
        if count in steps
    ]
    runs += [
        SweepRun(task, photo, MORE_STEPS, *chain, form, "anderson-triangular", start, seed=seed)
        for (task, photo, seed), chain, form, start in itertools.product(
            MORE_PROBLEMS, CHAINS, FORMS, STARTS
        )
        if MORE_STEPS in steps
    ]
    runs += [run for run in default_runs() if run.num_steps in steps]
    return sorted(dict.fromkeys(runs), key=lambda run: run.num_steps)


def make_run_chain(run: SweepRun, prior: Prior) -> RestorationChain:
    """The chain of a run."""
    photo = load_bundled_photo(run.photo, size=run.size)
    problem = pose_problem(photo, run.task, mask_seed=run.seed)
    return make_problem_chain(
        problem, prior, method="ddnm", settings=chain_settings(run), seed=run.seed
    )


def measure(
    run: SweepRun, prior: Prior, gaussian: GaussianPrior, *, sequential: torch.Tensor | None = None
) -> SweepCurve:
    """Solve one run sweep by sweep and compare each x_0 with the sequential one.

    ``sequential`` (1, 3, H, W) is the sequential x_0, where it is known already.
    """
    check_integer("max_sweeps", run.max_sweeps, 1)
    with torch.no_grad():
        chain = make_run_chain(run, prior)
        reference = chain.sequential()[-1] if sequential is None else sequential
        how = run.form, run.solver, run.start
        curve = sweep(chain, reference, gaussian, *how, max_sweeps=run.max_sweeps)
        return SweepCurve(run, curve, stop_of_rule(chain, gaussian, *how, run.max_sweeps))


@torch.no_grad()
def sweep(
    chain: RestorationChain,
    sequential: torch.Tensor,
    gaussian: GaussianPrior,
    form: str,
    solver: str,
    start: str,
    *,
    max_sweeps: int,
    stop: float = STOP,
) -> tuple[float, ...]:
    """PSNR in dB of x_0 against the sequential x_0 (1, 3, H, W), of the start and of each sweep.

    It ends as :class:`SweepCurve` says, with ``stop`` dB for :data:`STOP`.
    """
    system = FixedPointSystem(chain, make_model(form, chain, gaussian=gaussian))
    states = make_start(start, chain, gaussian=gaussian)
    rule = make_solver(solver)
    state = rule.init(system, states)
    curve = [psnr(states[-1], sequential, data_range=(-1, 1)).item()]
    for _ in range(min(max_sweeps, chain.num_steps)):
        state = rule.step(system, state)
        x0 = state.output[-1]
        if not bool(torch.isfinite(x0).all()):
            break
        curve.append(psnr(x0, sequential, data_range=(-1, 1)).item())
        if curve[-1] >= stop:
            break
    return tuple(curve)


def stop_of_rule(
    chain: RestorationChain,
    gaussian: GaussianPrior,
    form: str,
    solver: str,
    start: str,
    max_sweeps: int,
) -> tuple[int, int] | None:
    """Sweeps and evaluations after which :func:`deqir_lite.solvers.solve` ends with what a
    restoration asks of it: :data:`TARGET` dB by its estimate in the Gaussian form, small residuals
    of all states in another; None where it does not within ``max_sweeps``."""
    system = FixedPointSystem(chain, make_model(form, chain, gaussian=gaussian))
    states = make_start(start, chain, gaussian=gaussian)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        solution = solve(
            system,
            make_solver(solver),
            states,
            max_sweeps=min(max_sweeps, chain.num_steps),
            x0_tolerance=X0_TOLERANCE if form == "gaussian" else None,
            from_gaussian=start == "gaussian",
        )
    return (solution.sweeps, solution.nfe) if solution.converged else None


def measure_all(runs: Iterable[SweepRun], prior: Prior) -> Iterator[SweepCurve]:
    """The curves of ``runs``, one by one; runs of one chain in a row share its sequential x_0."""
    gaussian = gaussian_of(prior)
    for _, group in itertools.groupby(runs, key=_chain_of):
        sequential = None
        for run in group:
            if sequential is None:
                with torch.no_grad():
                    sequential = make_run_chain(run, prior).sequential()[-1]
            yield measure(run, prior, gaussian, sequential=sequential)


def _chain_of(run: SweepRun) -> tuple[Any, ...]:
    return run.task, run.photo, run.num_steps, run.eta, run.spacing, run.size, run.seed


def _encode(curve: SweepCurve) -> dict[str, Any]:
    stop = None if curve.stop is None else list(curve.stop)
    return {"psnr": [round(value, 2) for value in curve.psnr], "stop": stop}


class _Row(Schema):
    psnr: Annotated[list[Annotated[Number, Field(gt=-math.inf)]], Field(min_length=1)]
    stop: Annotated[tuple[PositiveInt, PositiveInt], Strict(False)] | None


def _decode(run: SweepRun, row: _Row) -> SweepCurve:
    return SweepCurve(run, tuple(row.psnr), row.stop)


STUDY = Study("sweeps", "curves", SweepRun, measure_all, _Row, _encode, _decode)
"""The study, and its file."""
