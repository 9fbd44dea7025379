"""From a problem and settings to a restoration and all that is said of it."""

import time
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from deqir_lite.baselines import simple_answer
from deqir_lite.chain import ChainSettings, make_chain
from deqir_lite.checks import check_choice
from deqir_lite.methods import DDNMNoise, Method, NoiseRule, find_method
from deqir_lite.metrics import SSIM_WINDOW, measurement_consistency, psnr, ssim
from deqir_lite.priors.base import Prior
from deqir_lite.restoration.defaults import AUTO, Choice, choose
from deqir_lite.restoration.problem import Problem
from deqir_lite.restoration.sampling import SolveOptions, restore_sequential, solve_chain
from deqir_lite.solvers import Solution

SAMPLERS = ("parallel", "sequential")


@dataclass(frozen=True, eq=False)
class RestorationReport:
    """What came of a problem: the solution, what one would have without a prior, and the cost.

    ``simple`` (1, 3, H, W) is the usual answer without a prior, of the method ``simple_name``;
    ``seconds`` the time of the solve, after which the samples were ready. ``choice`` is the method
    with its settings, ``rule`` its noise rule.
    """

    problem: Problem
    choice: Choice
    rule: NoiseRule
    solution: Solution
    simple_name: str
    simple: Tensor
    seconds: float

    @property
    def samples(self) -> Tensor:
        """All samples (N, 3, H, W) on the CPU, clamped to [-1, 1]."""
        return self.solution.x0.clamp(-1, 1).cpu()

    @property
    def restored(self) -> Tensor:
        """The mean of the samples (1, 3, H, W), clamped to [-1, 1]."""
        return self.solution.x0.mean(dim=0, keepdim=True).clamp(-1, 1).cpu()

    @property
    def images(self) -> dict[str, Tensor]:
        """Clamped images (1, 3, H, W) by name: A^+ y ("before"), "simple", one sample ("after"),
        and of several samples the "mean"."""
        pinv_y = self.problem.operator.pinv(self.problem.y)
        found = {"before": pinv_y.clamp(-1, 1).cpu(), "simple": self.simple.clamp(-1, 1).cpu()}
        found["after"] = self.samples[:1]
        return found | ({"mean": self.restored} if len(self.samples) > 1 else {})

    def quality(self) -> dict[str, float | None]:
        """psnr_NAME (dB) and ssim_NAME of the images, and of several samples their "average".

        Empty where the photo is not known; SSIM is None where the photo is too small for it.
        """
        if self.problem.truth is None:
            return {}
        truth = self.problem.truth.cpu()
        images = self.images
        images |= {"average": self.samples} if len(self.samples) > 1 else {}
        large = min(truth.shape[-2:]) >= SSIM_WINDOW
        return {f"psnr_{name}": float(psnr(x, truth).mean()) for name, x in images.items()} | {
            f"ssim_{name}": float(ssim(x, truth).mean()) if large else None
            for name, x in images.items()
        }

    def numbers(self) -> dict[str, Any]:
        """The chain that was used, cost and consistency of the solve, and :meth:`quality`."""
        x0, problem, (method, settings) = self.solution.x0, self.problem, self.choice
        return {
            "method": method if isinstance(method, str) else repr(method),
            "rule": repr(self.rule),
            "timesteps": settings["num_steps"],
            "eta": settings["eta"],
            "spacing": settings["spacing"],
            "sigma_y": float(problem.levels[0]),
            "sweeps": self.solution.sweeps,
            "nfe": self.solution.nfe,
            "converged": self.solution.converged,
            "seconds": self.seconds,
            "consistency": float(measurement_consistency(problem.operator, x0, problem.y).mean()),
            "simple": self.simple_name,
        } | self.quality()


def restore_problem(
    problem: Problem,
    prior: Prior,
    *,
    method: str | Method = AUTO,
    settings: ChainSettings | None = None,
    seed: int = 0,
    samples: int = 1,
    sampler: str = "parallel",
    solve: SolveOptions | None = None,
    show_progress: bool = False,
) -> RestorationReport:
    """Restore ``problem`` with ``samples`` chains of the seeds ``seed``, ``seed`` + 1, ....

    ``method``: the consistency step, as :func:`make_chain` takes it; it and the ``settings`` are by
    default those that :func:`choose` chooses. ``eta`` of the settings counts where the noise rule
    of the method has a share of fresh noise. ``sampler``: ``parallel``
    solves for all states at once, as ``solve`` says; ``sequential`` walks step by step. Raises
    ValueError as :func:`make_chain` does.
    """
    check_choice("sampler", sampler, SAMPLERS)
    default = choose(problem, method=method)
    choice = Choice(default.method, default.settings if settings is None else settings)
    method, settings = find_method(choice.method), choice.settings
    shares = isinstance(method.rule, DDNMNoise)
    chain = make_chain(
        prior,
        problem.operator,
        problem.y,
        method=method,
        sigma_y=problem.sigma_y,
        num_steps=settings["num_steps"],
        spacing=settings["spacing"],
        eta=settings["eta"] if shares else None,
        seed=seed,
        samples=samples,
    )
    start = time.perf_counter()
    if sampler == "parallel":
        solution = solve_chain(chain, solve or SolveOptions(), show_progress=show_progress)
    else:
        solution = restore_sequential(chain, show_progress=show_progress)
    if solution.x0.device.type == "cuda":
        torch.cuda.synchronize()
    seconds = time.perf_counter() - start
    name, simple = simple_answer(problem.operator, problem.y)
    return RestorationReport(
        problem, choice, chain.coefficients.rule, solution, name, simple, seconds
    )
