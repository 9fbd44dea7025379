"""From a problem and settings to a restoration and all that is said of it."""

import time
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
from torch import Tensor

from deqir_lite._repr import short
from deqir_lite.baselines import baseline_of, simple_answer
from deqir_lite.chain import ChainSettings, RestorationChain, make_chain
from deqir_lite.checks import check_choice, check_kinds, shown
from deqir_lite.defaults import METHOD, SAMPLER, SAMPLES, SEED, X0_TOLERANCE
from deqir_lite.methods import Method, NoiseRule, find_method
from deqir_lite.metrics import SSIM_WINDOW, measurement_consistency, psnr, ssim
from deqir_lite.priors.base import Prior
from deqir_lite.restoration.choice import SAMPLERS, Choice, choose
from deqir_lite.restoration.plan import plan_restoration
from deqir_lite.restoration.problem import Problem
from deqir_lite.restoration.sampling import (
    SolveOptions,
    restore_interpolated,
    restore_sequential,
    solve_chain,
)
from deqir_lite.solvers import Solution

MISFIT = 5.0
"""How many times its noise y may be missed before a restoration is doubted."""


@dataclass(frozen=True, eq=False)
class RestorationReport:
    """What came of a problem of B photos with N samples each: the solution, and its cost.

    ``choice`` is the method with the settings of its chain, ``rule`` its noise rule, ``seconds``
    the time of the solve, after which the samples were ready.
    """

    problem: Problem
    choice: Choice
    rule: NoiseRule
    solution: Solution
    seconds: float

    @property
    def each(self) -> int:
        """N."""
        return len(self.solution.x0) // len(self.problem.y)

    @property
    def samples(self) -> Tensor:
        """All samples (B N, 3, H, W) on the CPU, photo by photo, clamped to [-1, 1]."""
        return self._photo(self.solution.x0).clamp(-1, 1).cpu()

    @property
    def restored(self) -> Tensor:
        """The mean of the samples of each photo (B, 3, H, W), clamped to [-1, 1]."""
        x0 = self._photo(self.solution.x0)
        return x0.unflatten(0, (-1, self.each)).mean(dim=1).clamp(-1, 1).cpu()

    @cached_property
    def simple(self) -> tuple[str, Tensor]:
        """The usual answer without a prior: the name of the method, and its (B, 3, H, W)."""
        return simple_answer(self.problem.operator, self.problem.y)

    @property
    def images(self) -> dict[str, Tensor]:
        """Clamped images (B, 3, H, W) by name: A^+ y ("before"), "simple", one sample ("after"),
        and of several samples the "mean"."""
        pinv_y = self._photo(self.problem.operator.pinv(self.problem.y))
        found = {"before": pinv_y.clamp(-1, 1).cpu(), "simple": self.simple[1].clamp(-1, 1).cpu()}
        found["after"] = self.samples[:: self.each]
        return found | ({"mean": self.restored} if self.each > 1 else {})

    def distance_to_simple(self) -> float:
        """How far the restored photo is from the simple answer: the root of the mean square, in
        units of [-1, 1]."""
        simple = self.simple[1].clamp(-1, 1).cpu()
        return float((self.restored - simple).square().mean().sqrt())

    def _photo(self, images: Tensor) -> Tensor:
        photos, grey = images[..., *self.problem.crop], self.problem.grey
        if grey is None:
            return photos
        grey = grey.to(photos.device).repeat_interleave(len(photos) // len(grey))
        return torch.where(grey[:, None, None, None], photos.mean(dim=1, keepdim=True), photos)

    def quality(self) -> dict[str, float | None]:
        """psnr_NAME (dB) and ssim_NAME of the images, and of several samples their "average";
        means over the photos.

        Empty where the photo is not known; SSIM is None where the photo is too small for it.
        """
        if self.problem.truth is None:
            return {}
        truth = self.problem.truth.cpu()
        images = self.images
        large = min(truth.shape[-2:]) >= SSIM_WINDOW
        pairs = {name: (image, truth) for name, image in images.items()}
        if self.each > 1:
            pairs["average"] = self.samples, truth.repeat_interleave(self.each, dim=0)
        return {f"psnr_{name}": float(psnr(*pair).mean()) for name, pair in pairs.items()} | {
            f"ssim_{name}": float(ssim(*pair).mean()) if large else None
            for name, pair in pairs.items()
        }

    def numbers(self) -> dict[str, Any]:
        """The chain that was used, cost and consistency of the solve, and :meth:`quality`."""
        x0, operator = self.solution.x0, self.problem.operator
        method, settings = self.choice
        y = self.problem.y.repeat_interleave(self.each, dim=0)
        return {
            "method": method if isinstance(method, str) else repr(method),
            "rule": repr(self.rule),
            "timesteps": settings["num_steps"],
            "eta": settings.get("eta"),
            "spacing": settings["spacing"],
            "sigma_y": float(self.problem.levels[0]),
            "sweeps": self.solution.sweeps,
            "nfe": self.solution.nfe,
            "converged": self.solution.converged,
            "seconds": self.seconds,
            "consistency": float(measurement_consistency(operator, x0, y).mean()),
            "simple": baseline_of(self.problem.operator).name,
        } | self.quality()

    def __repr__(self) -> str:
        x0, done = self.solution.x0, "converged" if self.solution.converged else "not converged"
        return (
            f"RestorationReport({self.problem.task!r}, method={short(self.choice.method)}, "
            f"photos={len(self.problem.y)}, samples={self.each}, x0={short(x0)}, "
            f"sweeps={self.solution.sweeps}, {done}, seconds={self.seconds:.3g})"
        )


def make_problem_chain(
    problem: Problem,
    prior: Prior,
    *,
    method: str | Method = METHOD,
    settings: ChainSettings | None = None,
    seed: int | Sequence[int] | Tensor = SEED,
    samples: int = SAMPLES,
    keep_noise: bool = True,
) -> RestorationChain:
    """The chain that :func:`restore_problem` solves; arguments and errors as there, ``keep_noise``
    as in :func:`make_chain`."""
    check_kinds(make_problem_chain, locals())
    default = choose(problem, method=method)
    method, settings = find_method(default.method), settings or default.settings
    return make_chain(
        prior,
        problem.operator,
        problem.y,
        method=method,
        sigma_y=problem.sigma_y,
        num_steps=settings["num_steps"],
        spacing=settings["spacing"],
        eta=None if method.eta is None else settings.get("eta"),
        seed=seed,
        samples=samples,
        keep_noise=keep_noise,
    )


def restore_problem(
    problem: Problem,
    prior: Prior,
    *,
    method: str | Method = METHOD,
    settings: ChainSettings | None = None,
    seed: int | Sequence[int] | Tensor = SEED,
    samples: int = SAMPLES,
    sampler: str = SAMPLER,
    solve: SolveOptions | None = None,
    show_progress: bool = False,
) -> RestorationReport:
    """Restore each photo of ``problem`` with the seeds ``seed``, ..., ``seed`` + ``samples`` - 1.

    ``seed`` is that of all photos, or one for each.
    ``method``: the consistency step, as :func:`make_chain` takes it; it and the ``settings`` are by
    default those that :func:`choose` chooses. ``eta`` of the settings counts where the noise rule
    of the method has a share of fresh noise. ``sampler``: ``parallel`` solves for all states at
    once, as ``solve`` says, and without it until the estimated error of x_0 is
    :data:`~deqir_lite.defaults.X0_TOLERANCE`; ``sequential`` walks step by step, and of its
    states only x_0 is kept; ``interpolated`` asks the network at a few steps, see
    :func:`~deqir_lite.restoration.sampling.restore_interpolated`, and of ``solve`` takes
    ``gaussian``, ``max_sweeps`` and ``x0_tolerance``; ``auto`` is parallel where ``solve`` is
    given, and else what :func:`plan_restoration` plans. Raises ValueError as :func:`make_chain`
    does.
    """
    check_kinds(restore_problem, locals())
    check_choice("sampler", sampler, [SAMPLER, *SAMPLERS])
    default = choose(problem, method=method)
    choice = Choice(default.method, default.settings if settings is None else settings)
    if sampler == SAMPLER and solve is not None:
        sampler = "parallel"
    if sampler == SAMPLER:
        plan = plan_restoration(
            problem,
            prior,
            method=choice.method,
            num_steps=choice.settings["num_steps"],
            samples=samples,
        )
        prior, sampler, solve = plan.prior, plan.sampler, _stopped_at_x0(plan.window)
    chain = make_problem_chain(
        problem,
        prior,
        method=choice.method,
        settings=choice.settings,
        seed=seed,
        samples=samples,
        keep_noise=sampler != "sequential" and (solve is None or solve.window is None),
    )
    start = time.perf_counter()
    if sampler == "sequential":
        solution = restore_sequential(chain, keep_states=False, show_progress=show_progress)
    else:
        way = _interpolate if sampler == "interpolated" else solve_chain
        solution = way(chain, solve or _stopped_at_x0(), show_progress=show_progress)
    if solution.x0.device.type == "cuda":
        torch.cuda.synchronize(solution.x0.device)
    seconds = time.perf_counter() - start
    _check_fit(problem, solution.x0, samples)
    return RestorationReport(problem, choice, chain.coefficients.rule, solution, seconds)


def _interpolate(chain: RestorationChain, solve: SolveOptions, *, show_progress: bool) -> Solution:
    """:func:`restore_interpolated` with those of the options that it has; ValueError for others."""
    for name in ("form", "solver", "start", "tolerance", "window"):
        given = getattr(solve, name)
        if given is not getattr(SolveOptions, name) and given != getattr(SolveOptions, name):
            raise ValueError(
                f"{name}: got {shown(given)}; it is of the parallel sampler, the interpolated one "
                "has none"
            )
    return restore_interpolated(
        chain,
        gaussian=solve.gaussian,
        max_sweeps=solve.max_sweeps,
        x0_tolerance=X0_TOLERANCE if solve.x0_tolerance is None else solve.x0_tolerance,
        show_progress=show_progress,
    )


def _check_fit(problem: Problem, x0: Tensor, samples: int) -> None:
    """Warn where x_0 misses a noisy y by far more than its noise."""
    y = problem.y.repeat_interleave(samples, dim=0)
    noise = problem.levels.repeat_interleave(samples).to(y) * y[0].numel() ** 0.5
    missed = measurement_consistency(problem.operator, x0, y)
    worst = float(torch.where(noise > 0, missed / noise.where(noise > 0, 1), 0).max())
    if worst > MISFIT:
        warnings.warn(
            f"||A x - y|| is {worst:.0f} times what the noise of y accounts for: y may not have "
            "come about as the operator and sigma_y say, or the chain is too short",
            stacklevel=3,
        )


def _stopped_at_x0(window: int | None = None) -> SolveOptions:
    return SolveOptions(x0_tolerance=X0_TOLERANCE, window=window)
