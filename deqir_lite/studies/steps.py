"""Where the steps of a chain lie, and how much fresh noise they get: what a picture gains by it.

Chapter 3 reads it. It is made on photos of one's own: on those that come with the book, settings
would be chosen by the photos that the book evaluates. The file names the photos and holds none.
"""

import functools
import itertools
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

from deqir_lite._json import Schema
from deqir_lite.chain import PICTURE, RestorationChain
from deqir_lite.checks import check_integer
from deqir_lite.images import load_photo
from deqir_lite.metrics import psnr
from deqir_lite.priors.base import Prior
from deqir_lite.priors.gaussian import GaussianPrior
from deqir_lite.priors.load import gaussian_of
from deqir_lite.restoration import Problem, make_problem_chain, pose_problem
from deqir_lite.studies.evaluation.photos import find_photos, photos_of
from deqir_lite.studies.study import Study, chain_settings
from deqir_lite.studies.sweeps import sweep, sweeps_to

TASKS = ("inpaint-random", "inpaint-box", "sr4", "deblur-gaussian", "colorization")
SPACINGS = ("uniform", "quadratic", "cubic")
ETAS = (0.0, 0.15, 0.5, 0.85, 1.0)

FEW_ETAS = (0.15, 1.0)
"""Those of long chains, which are expensive."""

LONG = 50

SOLVED = 2
"""How many of the photos are restored in parallel, too."""

SOLVED_SPACINGS = ("uniform", "cubic")


@dataclass(frozen=True)
class StepsRun:
    """The chains of one task and one setting: one for each photo, all with the same noise.

    ``photos`` are names of files; the first ``solved`` of them are also solved in parallel.
    """

    task: str
    num_steps: int
    spacing: str
    eta: float
    photos: tuple[str, ...]
    solved: int = 0
    size: int = 64
    seed: int = 0


@dataclass(frozen=True)
class Quality:
    """What a run gave.

    * ``psnr``: dB of each sample x_0 against its photo,
    * ``sweeps``: for each photo that was solved in parallel, after how many sweeps of the Gaussian
      form x_0 stays at 40 dB or more to the sequential x_0; None where it does not get there.
    """

    run: StepsRun
    psnr: tuple[float, ...]
    sweeps: tuple[int | None, ...]

    @property
    def mean_psnr(self) -> float:
        """The mean over the photos."""
        return sum(self.psnr) / len(self.psnr)


def study_runs(
    photos: Sequence[str],
    *,
    steps: Sequence[int] = (5, 10, 20, LONG),
    tasks: Sequence[str] = TASKS,
    etas: Sequence[float] = ETAS,
) -> list[StepsRun]:
    """The runs of the study on some photos, short chains first."""
    names = tuple(photos)
    runs = []
    for count, task, spacing, eta in itertools.product(steps, tasks, SPACINGS, etas):
        solved = count == PICTURE["num_steps"] and spacing in SOLVED_SPACINGS
        if count < LONG or eta in FEW_ETAS:
            runs.append(
                StepsRun(task, count, spacing, eta, names, min(SOLVED, len(names)) if solved else 0)
            )
    return runs


def study_photos(folder: Path, count: int, *, size: int = StepsRun.size) -> list[str]:
    """The first photos of a folder by name that are in colour and not smaller than ``size``.

    Raises FileNotFoundError without the folder, and ValueError when there are fewer than ``count``.
    """
    count = check_integer("count", count, 1)
    found = photos_of("colorization", find_photos(folder), size=size)
    if len(found) < count:
        raise ValueError(
            f"photos: {str(folder)!r} holds {len(found)} colour photos of {size} pixels a side or "
            f"more; expected {count}"
        )
    return [photo.name for photo in found[:count]]


@torch.no_grad()
def measure(run: StepsRun, folder: Path, prior: Prior, gaussian: GaussianPrior) -> Quality:
    """Walk the chains of a run step by step, all photos together; solve the first in parallel."""
    truth = torch.cat([load_photo(folder / name, size=run.size) for name in run.photos])
    problem = pose_problem(truth, run.task, mask_seed=run.seed)
    settings = chain_settings(run)

    def chain_of(some: Problem) -> RestorationChain:
        return make_problem_chain(some, prior, method="ddnm", settings=settings, seed=run.seed)

    x0 = chain_of(problem).sequential()[-1]
    sweeps = []
    for i in range(run.solved):
        chain = chain_of(problem[i : i + 1])
        how = "gaussian", "anderson-triangular", "gaussian"
        curve = sweep(chain, x0[i : i + 1], gaussian, *how, max_sweeps=run.num_steps)
        sweeps.append(sweeps_to(curve))
    return Quality(run, tuple(psnr(x0, truth).tolist()), tuple(sweeps))


def measure_all(
    runs: Iterable[StepsRun], prior: Prior, *, folder: Path = Path()
) -> Iterator[Quality]:
    """The qualities of ``runs``, one by one; their photos lie in ``folder``."""
    gaussian = gaussian_of(prior)
    for run in runs:
        yield measure(run, folder, prior, gaussian)


def find(
    entries: Iterable[Quality], task: str, num_steps: int, spacing: str, eta: float
) -> Quality:
    """What a task gave with a setting; KeyError where it was not measured."""
    key = task, num_steps, spacing, eta
    return {_key(entry.run): entry for entry in entries}[key]


def best_settings(
    entries: Iterable[Quality], *, num_steps: int = PICTURE["num_steps"]
) -> dict[str, tuple[str, float]]:
    """For each task the (spacing, eta) with the best PSNR at ``num_steps``."""
    best: dict[str, Quality] = {}
    for entry in entries:
        task = entry.run.task
        better = task not in best or entry.mean_psnr > best[task].mean_psnr
        if entry.run.num_steps == num_steps and better:
            best[task] = entry
    return {task: (entry.run.spacing, entry.run.eta) for task, entry in best.items()}


def _key(run: StepsRun) -> tuple[str, int, str, float]:
    return run.task, run.num_steps, run.spacing, run.eta


def _encode(entry: Quality) -> dict[str, Any]:
    return {"psnr": [round(value, 3) for value in entry.psnr], "sweeps": entry.sweeps}


class _Row(Schema):
    psnr: list[float]
    sweeps: list[int | None]


def _decode(run: StepsRun, row: _Row) -> Quality:
    if len(row.psnr) != len(run.photos):
        raise ValueError(f"psnr: got {len(row.psnr)} numbers; expected {len(run.photos)}")
    if len(row.sweeps) != run.solved:
        raise ValueError(f"sweeps: got {len(row.sweeps)} counts; expected {run.solved}")
    return Quality(run, tuple(row.psnr), tuple(row.sweeps))


STUDY = Study("steps", "qualities", StepsRun, measure_all, _Row, _encode, _decode)
"""The study, and its file; the photos lie in the current folder."""


def in_folder(folder: str | Path) -> Study[Quality]:
    """The study on photos that lie in ``folder``."""
    return replace(STUDY, measure=functools.partial(measure_all, folder=Path(folder)))
