"""DeqIR as its released code has it, beside the walk of the same chain and DDNM: for chapter 11.

Fifteen sweeps from x_T on twenty even steps, on the tasks of the paper's Tables 1 to 3. Blurs are
the released ones; the other operators are those of the package. A solve of the package keeps the
sweep with the smallest residual; here, as there, the last one counts, and no sweep is spared.
"""

import itertools
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Annotated, Any

import torch
from pydantic import Field

from deqir_lite._json import Number, Schema
from deqir_lite.bundled import load_bundled_photo
from deqir_lite.chain import RestorationChain, make_chain
from deqir_lite.checks import check_choice, check_integer
from deqir_lite.fixedpoint import FixedPointSystem, make_model, make_start
from deqir_lite.methods import ReleasedNoise
from deqir_lite.metrics import psnr
from deqir_lite.operators import anisotropic_blur, gaussian_blur, make_task
from deqir_lite.operators.spectral import SpectralOperator
from deqir_lite.priors.base import Prior
from deqir_lite.solvers import ReleasedAnderson, Solver, make_solver
from deqir_lite.studies.study import Study
from deqir_lite.studies.weighted import COLOURED, PHOTOS

BLURS: dict[str, Callable[..., SpectralOperator]] = {
    "deblur-gaussian": gaussian_blur,
    "deblur-anisotropic": anisotropic_blur,
}
"""Those that have a released operator of their own.

:meta hide-value:
"""

TASKS = (
    *("sr2", "sr4", *BLURS),
    *("inpaint-text", "inpaint-stripe", "inpaint-random", "colorization"),
)

DDNM = "ddnm"
WAYS: dict[str, tuple[float, Solver[Any]]] = {
    "quiet": (0.0, ReleasedAnderson()),
    "fresh": (0.15, ReleasedAnderson()),
    "plain": (0.15, make_solver("picard")),
}
"""The share of fresh noise, and the solver: as released without and with fresh noise, and the
second chain by plain sweeps.

:meta hide-value:
"""

KEPT = 0.15
"""The other option, ``etw``, of :class:`~deqir_lite.methods.noise_rules.ReleasedNoise`."""


@dataclass(frozen=True)
class ReleasedRun:
    """One photo: ``way`` is a name of :data:`WAYS`, or ``ddnm``: DDNM as published, 100 steps, on
    the same operator, where nothing is swept."""

    task: str
    photo: str
    way: str
    sweeps: int = 15
    num_steps: int = 20
    size: int = 32
    seed: int = 0


@dataclass(frozen=True)
class Released:
    """What a run gave, in dB.

    * ``near``: of x_0 against the walk of the same chain, after 1, 2, ... sweeps,
    * ``psnr``: of the last of these against the photo, clamped; ``walked``: of the walk.

    DDNM has no ``near``, and one number for both others.
    """

    run: ReleasedRun
    near: tuple[float, ...]
    psnr: float
    walked: float


def study_runs(tasks: Iterable[str] = TASKS) -> list[ReleasedRun]:
    """The runs of the study, one photo after the other."""
    return [
        ReleasedRun(task, photo, way)
        for photo, task, way in itertools.product(PHOTOS, tasks, (DDNM, *WAYS))
        if task != "colorization" or photo in COLOURED
    ]


@torch.no_grad()
def measure(run: ReleasedRun, prior: Prior) -> Released:
    """Walk the chain of a run, sweep it, and compare both with the photo."""
    check_choice("way", run.way, (DDNM, *WAYS))
    check_integer("sweeps", run.sweeps, 1)
    photo = load_bundled_photo(run.photo, size=run.size)

    def quality(x0: torch.Tensor) -> float:
        return psnr(x0.clamp(-1, 1), photo).item()

    chain = make_run_chain(run, photo, prior)
    walked = chain.sequential()[-1]
    if run.way == DDNM:
        return Released(run, (), quality(walked), quality(walked))
    near = []
    for x0 in itertools.islice(sweep(chain, WAYS[run.way][1]), run.sweeps):
        near.append(psnr(x0, walked, data_range=(-1, 1)).item())
    return Released(run, tuple(near), quality(x0), quality(walked))


def make_run_chain(run: ReleasedRun, photo: torch.Tensor, prior: Prior) -> RestorationChain:
    """The chain of a run for ``photo`` (1, 3, H, W)."""
    blur = BLURS.get(run.task)
    operator = blur(kernel="released") if blur else make_task(run.task, photo.shape[-2:])
    on = prior, operator, operator.A(photo)
    if run.way == DDNM:
        return make_chain(*on, method="ddnm+", seed=run.seed)
    rule = ReleasedNoise(WAYS[run.way][0], KEPT)
    grid: dict[str, Any] = {"num_steps": run.num_steps, "spacing": "uniform"}
    return make_chain(*on, rule=rule, **grid, seed=run.seed)


def sweep(chain: RestorationChain, solver: Solver[Any]) -> Iterator[torch.Tensor]:
    """x_0 (1, 3, H, W) as each sweep returns it, in the noise form from x_T, without end."""
    system = FixedPointSystem(chain, make_model("noise", chain))
    state = solver.init(system, make_start("x_T", chain))
    while True:
        state = solver.step(system, state)
        yield state.output[-1]


def measure_all(runs: Iterable[ReleasedRun], prior: Prior) -> Iterator[Released]:
    """What ``runs`` gave, one by one."""
    for run in runs:
        yield measure(run, prior)


def _encode(entry: Released) -> dict[str, Any]:
    near = [round(value, 2) for value in entry.near]
    return {"near": near, "psnr": round(entry.psnr, 3), "walked": round(entry.walked, 3)}


class _Row(Schema):
    near: list[Number]
    psnr: Annotated[Number, Field(gt=0)]
    walked: Annotated[Number, Field(gt=0)]


def _decode(run: ReleasedRun, row: _Row) -> Released:
    expected = 0 if run.way == DDNM else run.sweeps
    if len(row.near) != expected:
        raise ValueError(f"near: got {len(row.near)} numbers; expected {expected}")
    return Released(run, tuple(row.near), row.psnr, row.walked)


STUDY = Study("released", "samples", ReleasedRun, measure_all, _Row, _encode, _decode)
"""The study, and its file."""
