"""What choosing the noise gains on every bundled photo (as in the slide D20), for chapter 9."""

import itertools
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from deqir_lite._json import Schema
from deqir_lite.bundled import load_bundled_photo, photo_names
from deqir_lite.chain import make_chain
from deqir_lite.checks import check_choice, check_integer
from deqir_lite.inversion import optimize_initial_noise, oracle_loss, restorer_loss
from deqir_lite.metrics import psnr
from deqir_lite.priors.base import Prior
from deqir_lite.priors.gaussian import GaussianPrior
from deqir_lite.priors.load import gaussian_of
from deqir_lite.restoration import Problem, SolveOptions, make_problem_chain, pose_problem
from deqir_lite.studies.evaluation.references import tv_restoration
from deqir_lite.studies.study import Study, chain_settings

TEACHERS = ("restorer", "mean", "oracle")
"""Where x_0 is pulled to: total variation of y, the mean of :data:`SAMPLES` other samples, or the
original photo, which is an upper bound and no method."""

SAMPLES = 8
"""Samples, with other noise than the chain of a run, whose mean is the teacher ``mean``."""


@dataclass(frozen=True)
class InversionRun:
    """One optimisation of x_T: the chain, the teacher, and the descent (Adam, 1-step gradient)."""

    task: str
    photo: str
    teacher: str
    size: int = 32
    num_steps: int = 10
    eta: float = 0.15
    spacing: str = "uniform"
    seed: int = 0
    steps: int = 20
    lr: float = 0.05


@dataclass(frozen=True)
class Inversion:
    """What a run gave, one number per outer step, the untouched x_T first.

    * ``loss``: mean square distance of x_0 from the teacher's photo,
    * ``psnr``: dB of x_0 against the original photo, which the loss never saw (but the oracle's),
    * ``shell``: ||x_T||^2 per dimension,
    * ``others_psnr``: mean dB of :data:`SAMPLES` samples from other noise, because a gain over one
      unlucky draw says little,
    * ``teacher_psnr``: dB of the teacher's photo against the original, None for the oracle.
    """

    run: InversionRun
    loss: tuple[float, ...]
    psnr: tuple[float, ...]
    shell: tuple[float, ...]
    others_psnr: float
    teacher_psnr: float | None

    @property
    def best(self) -> int:
        """The outer step with the smallest loss: the one that can be chosen without the photo."""
        return min(range(len(self.loss)), key=self.loss.__getitem__)

    @property
    def gain(self) -> float:
        """PSNR of the best step less that of the untouched x_T, in dB."""
        return self.psnr[self.best] - self.psnr[0]

    @property
    def gain_over_others(self) -> float:
        """PSNR of the best step less the mean of other draws, in dB."""
        return self.psnr[self.best] - self.others_psnr


def study_runs(
    *, tasks: Sequence[str] = ("sr4", "deblur-anisotropic"), photos: Sequence[str] | None = None
) -> list[InversionRun]:
    """The runs of the study: every task, every photo (by default all bundled), every teacher."""
    photos = photo_names() if photos is None else photos
    return [InversionRun(*case) for case in itertools.product(tasks, photos, TEACHERS)]


def problem_of(run: InversionRun) -> Problem:
    """The photo of a run, degraded."""
    photo = load_bundled_photo(run.photo, size=run.size)
    return pose_problem(photo, run.task, mask_seed=run.seed)


def other_samples(run: InversionRun, prior: Prior) -> torch.Tensor:
    """x_0 (B, 3, H, W) of B = :data:`SAMPLES` chains for the same y, drawn with the next seed."""
    problem = problem_of(run)
    several = problem.y.expand(SAMPLES, *problem.y.shape[1:])
    settings = chain_settings(run)  # one seed draws all noise: not make_problem_chain's way
    chain = make_chain(prior, problem.operator, several, **settings, seed=run.seed + 1)
    with torch.no_grad():
        return chain.sequential()[-1]


def teacher_photo(run: InversionRun, prior: Prior) -> torch.Tensor:
    """The photo (1, 3, H, W) that a run pulls x_0 to, within [-1, 1]."""
    check_choice("teacher", run.teacher, TEACHERS)
    if run.teacher == "oracle":
        return load_bundled_photo(run.photo, size=run.size)
    if run.teacher == "mean":
        return other_samples(run, prior).mean(dim=0, keepdim=True).clamp(-1, 1)
    problem = problem_of(run)
    return tv_restoration(problem.operator, problem.y).clamp(-1, 1)


def measure(run: InversionRun, prior: Prior, gaussian: GaussianPrior) -> Inversion:
    """Optimise x_T for one run (Algorithm 2)."""
    check_integer("steps", run.steps, 1)
    problem = problem_of(run)
    chain = make_problem_chain(
        problem, prior, method="ddnm", settings=chain_settings(run), seed=run.seed
    )
    original = load_bundled_photo(run.photo, size=run.size)
    photo = teacher_photo(run, prior)
    others = other_samples(run, prior)
    oracle = run.teacher == "oracle"
    loss = oracle_loss(photo) if oracle else restorer_loss(lambda _: photo, problem.y)
    rows = optimize_initial_noise(
        chain,
        loss,
        steps=run.steps,
        lr=run.lr,
        reference=original,
        solve=SolveOptions(form="gaussian", gaussian=gaussian),
    ).rows
    return Inversion(
        run,
        tuple(row.loss for row in rows),
        tuple(float("nan") if row.psnr is None else row.psnr for row in rows),
        tuple(row.shell for row in rows),
        psnr(others, original.expand_as(others)).mean().item(),
        None if oracle else psnr(photo, original).item(),
    )


def measure_all(runs: Iterable[InversionRun], prior: Prior) -> Iterator[Inversion]:
    """The descents of ``runs``, one by one."""
    gaussian = gaussian_of(prior)
    for run in runs:
        yield measure(run, prior, gaussian)


def _encode(descent: Inversion) -> dict[str, Any]:
    """The loss keeps enough digits to find its smallest value."""
    known = descent.teacher_psnr
    return {
        "loss": [float(f"{value:.6g}") for value in descent.loss],
        "psnr": [round(value, 3) for value in descent.psnr],
        "shell": [round(value, 4) for value in descent.shell],
        "others_psnr": round(descent.others_psnr, 3),
        "teacher_psnr": None if known is None else round(known, 3),
    }


class _Row(Schema):
    loss: list[float]
    psnr: list[float]
    shell: list[float]
    others_psnr: float
    teacher_psnr: float | None


def _decode(run: InversionRun, row: _Row) -> Inversion:
    for name in ("loss", "psnr", "shell"):
        if (count := len(getattr(row, name))) != run.steps + 1:
            raise ValueError(f"{name}: got {count} numbers; expected {run.steps + 1}")
    loss, quality, shell = tuple(row.loss), tuple(row.psnr), tuple(row.shell)
    return Inversion(run, loss, quality, shell, row.others_psnr, row.teacher_psnr)


STUDY = Study("inversion", "descents", InversionRun, measure_all, _Row, _encode, _decode)
"""The study, and its file."""
