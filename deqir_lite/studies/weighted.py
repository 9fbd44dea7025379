"""What the weighted step restores, beside DDNM's step and answers without a network: chapter 10.

Quality against the length of the chain, the noise rule and the noise in y, on the photos that come
with the book; and how near one, two and three sweeps come to the sequential sample.
"""

import itertools
import math
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from deqir_lite._json import Number, Schema
from deqir_lite.baselines import simple_answer
from deqir_lite.bundled import load_bundled_photo
from deqir_lite.chain import RestorationChain, make_chain
from deqir_lite.checks import check_choice
from deqir_lite.methods import DDNMNoise, DDPMNoise, ExactNoise, NoiseRule
from deqir_lite.metrics import psnr
from deqir_lite.priors import GaussianPosterior
from deqir_lite.priors.base import Prior
from deqir_lite.priors.gaussian import GaussianPrior
from deqir_lite.priors.load import gaussian_of
from deqir_lite.restoration import Problem, pose_problem
from deqir_lite.studies.study import Study
from deqir_lite.studies.sweeps import sweep

PHOTOS = (
    *("astronaut", "brick", "camera", "cat", "cell"),
    *("coffee", "galaxies", "grass", "gravel", "retina"),
)
COLOURED = ("astronaut", "cat", "coffee", "galaxies", "retina")

MASKS = ("inpaint-random", "inpaint-stripe", "inpaint-text", "inpaint-box")
SMALL = ("sr2", "sr4", "sr8", "pool4")
BLURS = ("deblur-gaussian", "deblur-anisotropic", "deblur-motion")
TASKS = (*MASKS, *SMALL, *BLURS, "colorization", "sensing")

FEW_TASKS, LONG_STEPS = ("inpaint-random", "inpaint-box", "sr4", "deblur-gaussian"), (50, 100)
"""On which the noise rules are compared, and DDNM has so many steps, too."""

NOISY: tuple[tuple[str, float], ...] = (
    *(("inpaint-random", 0.1), ("inpaint-random", 0.3), ("sr2", 0.1), ("sr4", 0.1)),
    *(("deblur-gaussian", 0.02), ("deblur-gaussian", 0.1), ("deblur-motion", 0.05)),
)
"""(task, sigma_y)."""

STEPS = {"weighted": (3, 5, 8, 10, 20), "ddnm": (5, 10, 20)}

SAMPLED, SAMPLES = ("weighted", 10, 0.0), 8
"""The method, length and sigma_y with which so many samples are drawn, and not two."""

SWEEPS = 3
"""After how many sweeps the samples are compared with the sequential ones."""

SOLVED = ("cat", "coffee", "astronaut", "retina")
"""The photos that are solved in parallel."""

EXACT = 150.0
"""dB at most: what is equal to rounding."""


@dataclass(frozen=True)
class WeightedRun:
    """One setting on all photos of its task.

    * ``method``: ``weighted``, ``ddnm``, or ``simple`` and ``gaussian``: the usual answer without a
      prior, and the posterior mean under the Gaussian photo prior, which have no chain,
    * ``rule``: ``renoise`` (eta = 1), ``ancestral`` or ``exact``, this with its ``share``,
    * ``samples``: how many for each photo; ``solved``: whether some are solved in parallel, too.
    """

    task: str
    sigma_y: float
    method: str
    num_steps: int = 0
    rule: str = "renoise"
    share: float = 1.0
    samples: int = 1
    solved: bool = False
    size: int = 128


@dataclass(frozen=True)
class WeightedQuality:
    """What a run gave: means over the photos.

    * ``psnr``: dB of a sample, ``psnr_mean`` of the mean of the samples, ``spread``: their standard
      deviation (root of the mean variance, a photo spans [-1, 1]),
    * ``decibel``: of x_0 against the sequential x_0 after 0, 1, ... sweeps of the Gaussian form,
      from the Gaussian start; ``worst`` the least over the photos,
    * ``seconds``: of the sequential sample of one photo, and of the start and all sweeps.
    """

    run: WeightedRun
    psnr: float
    psnr_mean: float
    spread: float
    decibel: tuple[float, ...] = ()
    worst: tuple[float, ...] = ()
    seconds: tuple[float, ...] = ()


def noise_rule(run: WeightedRun) -> NoiseRule:
    """The rule of a run by its name."""
    rules: dict[str, NoiseRule] = {
        "renoise": DDNMNoise(1.0),
        "ancestral": DDPMNoise(),
        "exact": ExactNoise(run.share),
    }
    check_choice("rule", run.rule, rules)
    return rules[run.rule]


def study_runs(tasks: Iterable[str] = TASKS) -> list[WeightedRun]:
    """The runs of the study, those without a chain and short chains first."""
    runs = []
    for task in tasks:
        levels = [0.0, *(sigma for noisy, sigma in NOISY if noisy == task)]
        for sigma, method in itertools.product(levels, ("simple", "gaussian")):
            runs.append(WeightedRun(task, sigma, method))
        for method, lengths in STEPS.items():
            for sigma, T in itertools.product(levels, lengths):
                many = SAMPLES if (method, T, sigma) == SAMPLED else 2
                solved = sigma == 0 and (method == "weighted" or T >= 20)
                runs.append(WeightedRun(task, sigma, method, T, samples=many, solved=solved))
        if task in FEW_TASKS:
            runs += [WeightedRun(task, 0.0, "ddnm", T, solved=True) for T in LONG_STEPS]
            for T, share in itertools.product((5, 10), (0.0, 0.5, 1.0)):
                rule = "exact" if share else "ancestral"
                solved = share in (0.0, 1.0)
                runs.append(WeightedRun(task, 0.0, "weighted", T, rule, share, 4, solved))
    return sorted(runs, key=lambda run: run.num_steps)


@torch.no_grad()
def measure(
    run: WeightedRun,
    prior: Prior,
    gaussian: GaussianPrior,
    *,
    photos: Iterable[str] | None = None,
) -> WeightedQuality:
    """Walk the chains of a run step by step; solve some of them in parallel."""
    rows, curves, seconds = [], [], []
    for name in photos or (COLOURED if run.task == "colorization" else PHOTOS):
        truth = load_bundled_photo(name, size=run.size)
        problem = pose_problem(truth, run.task, sigma_y=run.sigma_y)
        if run.method == "simple":
            answers = simple_answer(problem.operator, problem.y)[1]
        elif run.method == "gaussian":
            y = problem.y.double()
            posterior = GaussianPosterior(
                gaussian, problem.operator, y, sigma_y=run.sigma_y, tolerance=1e-5
            )
            answers = posterior.mean().to(truth)
        else:
            answers = _chain(run, problem, prior, run.samples).sequential()[-1]
            if run.solved and name in SOLVED:
                curve, times = _solve(_chain(run, problem, prior, 1), gaussian)
                curves.append(curve)
                seconds.append(times)
        rows.append(_quality(answers.clamp(-1, 1), truth))
    worst = tuple(min(values) for values in zip(*curves, strict=True))
    one, mean, spread = _means(rows)
    return WeightedQuality(run, one, mean, spread, _means(curves), worst, _means(seconds))


def _chain(run: WeightedRun, problem: Problem, prior: Prior, samples: int) -> RestorationChain:
    return make_chain(
        prior,
        problem.operator,
        problem.y,
        method=run.method,
        num_steps=run.num_steps,
        rule=noise_rule(run),
        sigma_y=run.sigma_y,
        samples=samples,
    )


def _solve(
    chain: RestorationChain, gaussian: GaussianPrior
) -> tuple[tuple[float, ...], tuple[float, float]]:
    """The curve of the first sweeps, and the seconds of walking and of sweeping."""
    begin = time.perf_counter()
    x0 = chain.sequential()[-1]
    walked = time.perf_counter()
    how = "gaussian", "anderson-triangular", "gaussian"
    curve = sweep(chain, x0, gaussian, *how, max_sweeps=SWEEPS, stop=math.inf)
    swept = time.perf_counter()
    return tuple(min(value, EXACT) for value in curve), (walked - begin, swept - walked)


def _means(rows: Sequence[Sequence[float]]) -> tuple[float, ...]:
    return tuple(sum(column) / len(rows) for column in zip(*rows, strict=True))


def _quality(samples: torch.Tensor, truth: torch.Tensor) -> tuple[float, float, float]:
    each = psnr(samples, truth.expand(samples.shape)).mean().item()
    mean = psnr(samples.mean(dim=0, keepdim=True), truth).item()
    return each, mean, samples.var(dim=0, correction=0).mean().sqrt().item()


def measure_all(runs: Iterable[WeightedRun], prior: Prior) -> Iterator[WeightedQuality]:
    """The qualities of ``runs``, one by one."""
    gaussian = gaussian_of(prior)
    for run in runs:
        yield measure(run, prior, gaussian)


def find(
    entries: Iterable[WeightedQuality], task: str, method: str, *, sigma_y: float = 0.0, **more: Any
) -> WeightedQuality:
    """The entry with ``num_steps``, ``rule`` and ``share``, where given, as said; KeyError."""
    wanted = {"task": task, "method": method, "sigma_y": sigma_y, **more}
    for entry in entries:
        if all(getattr(entry.run, name) == value for name, value in wanted.items()):
            return entry
    raise KeyError(f"no run with {wanted}")


def _encode(entry: WeightedQuality) -> dict[str, Any]:
    digits, found = {"spread": 4, "seconds": 3}, vars(entry).items()
    return {k: np.round(v, digits.get(k, 2)).tolist() for k, v in found if k != "run"}


class _Row(Schema):
    psnr: float
    psnr_mean: float
    spread: float
    decibel: list[Number]
    worst: list[Number]
    seconds: list[float]


def _decode(run: WeightedRun, row: _Row) -> WeightedQuality:
    lists = tuple(row.decibel), tuple(row.worst), tuple(row.seconds)
    return WeightedQuality(run, row.psnr, row.psnr_mean, row.spread, *lists)


STUDY = Study("weighted", "qualities", WeightedRun, measure_all, _Row, _encode, _decode)
"""The study, and its file."""
