"""What each method draws, against the exact posterior: which mean and which spread are right.

Under the Gaussian photo prior p(x_0 | y) is known in closed form, and under a mixture of two
Gaussians, with the same mean and covariance, too. There every method has the exact denoiser, so
that what is wrong with its draws is the method's own doing. Draws of these priors are not bound to
[-1, 1], so nothing is clamped.
"""

import functools
import itertools
import statistics
import warnings
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch

from deqir_lite._json import Schema
from deqir_lite.chain import make_chain
from deqir_lite.checks import check_choice
from deqir_lite.methods import (
    METHODS,
    DDNMNoise,
    DDPMNoise,
    DiffPIRNoise,
    ExactNoise,
    Method,
    NoiseRule,
)
from deqir_lite.priors.base import Prior
from deqir_lite.priors.gaussian import GaussianPrior
from deqir_lite.priors.load import gaussian_of
from deqir_lite.studies.known_posterior import PRIORS, KnownPosterior, pose
from deqir_lite.studies.study import Study

TASKS = ("inpaint-random", "sr4", "deblur-gaussian")
NOISE = (0.0, 0.1)
"""sigma_y."""

STEPS = (20, 100)

LONG = {"dps": 1000, "repaint": 250}
"""Published lengths of chains beyond these, which the Gaussian alone has."""

EXACT = "posterior"
"""In place of a method: draws of the posterior itself, which show what is chance."""

SAMPLERS = (EXACT, *METHODS)

RULES: dict[str, NoiseRule] = {
    "renoise": DDNMNoise(1.0),
    "even": DDNMNoise(0.85),
    "paper": DDNMNoise(0.15),
    "ancestral": DDPMNoise(),
    "exact": ExactNoise(),
}
"""Noise rules of the methods that are measured with several."""

EVEN = ("even", "paper")
"""Rules that come with their grid, even steps: those of DDNM as published, and of DeqIR."""

SEVERAL = {"ddnm": ("renoise", *EVEN), "weighted": ("renoise", "ancestral", "exact")}

DPS_SCALE = {"inpaint-random": 0.5, "sr4": 0.3, "deblur-gaussian": 0.3}
DIFFPIR_ZETA = {"inpaint-random": 1.0, "sr4": 0.25, "deblur-gaussian": 0.1}
"""As published for the kind of task."""

CLAMPING = ("dps", "diffpir", "ilvr", "repaint")


@dataclass(frozen=True)
class PosteriorRun:
    """Draws of one method for the y of a few photos, ``draws`` for each, in one chain.

    * ``prior``: a name of :data:`PRIORS`; ``method``: one of ``SAMPLERS``,
    * ``rule``: a name of :data:`RULES`, or ``own``: that of the method,
    * ``num_steps``: the length of the chain, on the grid and with the returns of the method, with
      a rule of :data:`EVEN` on even steps.
    """

    prior: str
    task: str
    sigma_y: float
    method: str
    rule: str = "own"
    num_steps: int = 0
    photos: int = 4
    draws: int = 64
    size: int = 8
    seed: int = 0


@dataclass(frozen=True)
class PosteriorError:
    """What a run gave, over the photos.

    * ``bias``: |mean of the draws - E[x_0 | y]| in units of the posterior's deviation, the root of
      its total variance (root mean square),
    * ``variance``: total variance of the draws over that of the posterior (mean),
    * ``components``: total variation between the weights of the components among the draws and in
      the posterior, in [0, 1]; 0 where there is one (mean).
    """

    run: PosteriorRun
    bias: float
    variance: float
    components: float

    @property
    def bias_over_chance(self) -> float:
        """The bias in units of what as many draws of the posterior have, 1 / sqrt(draws)."""
        return float(self.bias * self.run.draws**0.5)


def study_runs(methods: Iterable[str] = SAMPLERS) -> list[PosteriorRun]:
    """The runs of the study, short chains first."""
    runs = []
    for prior, task, sigma_y, method in itertools.product(PRIORS, TASKS, NOISE, methods):
        if method == EXACT:
            runs.append(PosteriorRun(prior, task, sigma_y, EXACT))
        elif method != "ilvr" or task == "sr4":
            lengths = [*STEPS, *([LONG[method]] if method in LONG and prior == "gaussian" else [])]
            for rule, T in itertools.product(SEVERAL.get(method, ("own",)), lengths):
                runs.append(PosteriorRun(prior, task, sigma_y, method, rule, T))
    return sorted(runs, key=lambda run: run.num_steps)


def measure(run: PosteriorRun, known: Sequence[KnownPosterior]) -> PosteriorError:
    """Draw as a run says, and compare with the posteriors of its photos."""
    return compare(run, _draw(run, known), known)


def compare(
    run: PosteriorRun, draws: torch.Tensor, known: Sequence[KnownPosterior]
) -> PosteriorError:
    """The errors of ``draws`` (photos * draws, ...), photo by photo, however they were made."""
    rows = []
    for one, x in zip(known, draws.flatten(1).chunk(len(known)), strict=True):
        squared = float((x.mean(dim=0) - one.mean).square().sum()) / one.variance
        shares = one.prior.responsibilities(x).mean(dim=0)
        components = float((shares - one.weights).abs().sum()) / 2
        rows.append((squared, float(x.var(dim=0).sum()) / one.variance, components))
    squared, variance, components = (statistics.fmean(column) for column in zip(*rows, strict=True))
    return PosteriorError(run, squared**0.5, variance, components)


@torch.no_grad()
def _draw(run: PosteriorRun, known: Sequence[KnownPosterior]) -> torch.Tensor:
    generator = torch.Generator().manual_seed(run.seed)
    if run.method == EXACT:
        return torch.cat([one.draw(run.draws, generator) for one in known])
    first = known[0]
    with warnings.catch_warnings():  # that a method takes noisy y as exact is what is measured
        warnings.filterwarnings("ignore", message="sigma_y: ")
        chain = make_chain(
            first.prior,
            first.operator,
            torch.cat([one.y for one in known]).repeat_interleave(run.draws, dim=0),
            method=method_of(run, first.gaussian),
            num_steps=run.num_steps,
            sigma_y=run.sigma_y,
            seed=run.seed,
        )
    return chain.sequential()[-1]


def method_of(run: PosteriorRun, gaussian: GaussianPrior) -> Method:
    """The method of a run: as published for its task, with its rule, and without clamping."""
    check_choice("method", run.method, METHODS)
    check_choice("rule", run.rule, ("own", *RULES))
    own, options = METHODS[run.method], dict[str, Any]()
    rule = RULES.get(run.rule, own.rule)
    if run.method in CLAMPING:
        options["clip"] = False
    if run.method == "weighted":
        options |= {"gaussian": gaussian, "tolerance": 1e-5}  # far below what is chance
    elif run.method == "dps":
        options["scale"] = DPS_SCALE[run.task]
    elif run.method == "diffpir" and run.rule == "own":
        rule = DiffPIRNoise(DIFFPIR_ZETA[run.task])
    step = functools.partial(own.consistency, **options)
    spacing = "uniform" if run.rule in EVEN else own.spacing
    return replace(own, consistency=step, rule=rule, spacing=spacing)


def measure_all(runs: Iterable[PosteriorRun], prior: Prior) -> Iterator[PosteriorError]:
    """The errors of ``runs``, one by one, with the Gaussian part of ``prior``."""
    gaussian = gaussian_of(prior)
    posed = functools.cache(functools.partial(pose, gaussian))
    for run in runs:
        case = run.prior, run.task, run.sigma_y, run.photos, run.size, run.seed
        yield measure(run, posed(*case))


def _encode(entry: PosteriorError) -> dict[str, Any]:
    return {k: float(f"{v:.4g}") for k, v in vars(entry).items() if k != "run"}


class _Row(Schema):
    bias: float
    variance: float
    components: float


def _decode(run: PosteriorRun, row: _Row) -> PosteriorError:
    return PosteriorError(run, row.bias, row.variance, row.components)


STUDY = Study("posterior", "errors", PosteriorRun, measure_all, _Row, _encode, _decode)
"""The study, and its file."""
