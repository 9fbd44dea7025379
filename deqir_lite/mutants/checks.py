"""Checks of a program, each of one property that theory promises, by name.

A check measures one number on small float64 problems, and passes when it is at most its
tolerance. None of them knows the mistakes of :mod:`deqir_lite.mutants.mutants`.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from deqir_lite.mutants.program import Problem, Program
from deqir_lite.operators import Inpainting, make_task
from deqir_lite.priors import GaussianPrior, ModelPrior, power_law_spectrum
from deqir_lite.verification import bent_prior

SIZE = (16, 16)

MakeProgram = Callable[[Problem], Program]


@dataclass(frozen=True)
class Check:
    """A property: ``claim`` in words, and the number ``measure(make)`` that is at most
    ``tolerance`` when it holds, ``make`` being a class of programs.
    """

    name: str
    claim: str
    tolerance: float
    measure: Callable[[MakeProgram], float]


def _photo(batch: int = 1) -> Tensor:
    generator = torch.Generator().manual_seed(0)
    return GaussianPrior(power_law_spectrum()).sample((batch, *SIZE), generator).clamp(-1, 1)


def restoration_problem() -> Problem:
    """Super-resolution by 2 of a Gaussian photo, under a nonlinear prior."""
    operator = make_task("sr2", SIZE)
    prior = bent_prior(GaussianPrior(power_law_spectrum()))
    return Problem(prior, operator, operator.A(_photo()))


def unmeasured(problem: Problem, *, batch: int = 1) -> Problem:
    """The same without a measurement: A = 0, so that only the diffusion model is left."""
    nothing = Inpainting(torch.zeros(SIZE))
    y = torch.zeros(batch, 3, *SIZE, dtype=torch.float64)
    return Problem(problem.prior, nothing, y, problem.num_steps, problem.eta, problem.seed)


def _largest(difference: Tensor) -> float:
    return float(difference.abs().nan_to_num(nan=math.inf, posinf=math.inf).max())


def projector(make: MakeProgram) -> float:
    """max |N N x - N x|."""
    program = make(restoration_problem())
    once = program.null(program.x_T)
    return _largest(program.null(once) - once)


def fixed_point(make: MakeProgram) -> float:
    """max |F(chain) - chain| of the program's own step-by-step chain."""
    program = make(restoration_problem())
    chain = program.sequential()
    return _largest(program.sweep(chain) - chain)


def termination(make: MakeProgram) -> float:
    """max |X - chain| for X after T sweeps."""
    program = make(restoration_problem())
    return _largest(program.parallel() - program.sequential())


def staircase(make: MakeProgram) -> float:
    """By how much new states depend on states that are not noisier than they are."""
    program = make(restoration_problem())
    chain = program.sequential()
    worst = 0.0
    for k in range(1, len(chain)):
        changed = chain.clone()
        changed[k:] += 1
        torch.manual_seed(0)  # what a program draws in a sweep is not what is measured here
        before = program.sweep(chain)
        torch.manual_seed(0)
        worst = max(worst, _largest((program.sweep(changed) - before)[: k + 1]))
    return worst


def residual(make: MakeProgram) -> float:
    """max |F(X) - X| for X after T sweeps."""
    program = make(restoration_problem())
    states = program.parallel()
    return _largest(program.sweep(states) - states)


def consistent(make: MakeProgram) -> float:
    """max |A x_0 - y| of the result of T sweeps."""
    problem = restoration_problem()
    x0 = make(problem).parallel()[-1]
    return _largest(problem.operator.A(x0) - problem.y)


def repeat(make: MakeProgram) -> float:
    """max |x_0 - x_0'| of two runs of T sweeps with one seed."""
    first, second = (make(restoration_problem()).parallel()[-1] for _ in range(2))
    return _largest(first - second)


def statistics(make: MakeProgram) -> float:
    """By how much the noise in a state differs from variance 1, relative.

    The prior knows the photo, so its answer is the noise in the state. Then every state is
    sqrt(abar_s) x_0 + sqrt(1 - abar_s) e with e of variance 1, whatever the eta.
    """
    problem = restoration_problem()
    schedule, photo = problem.prior.schedule, _photo()

    def knows(x_t: Tensor, t: Tensor) -> Tensor:
        signal, noise = schedule.at(t, x_t)
        return (x_t - signal * photo) / noise

    ideal = Problem(ModelPrior(knows, schedule), problem.operator, problem.y)
    program = make(unmeasured(ideal, batch=8))
    level = schedule.alpha_bar[program.timesteps[1:]].reshape(-1, 1, 1, 1, 1)
    states = program.sequential()[1:-1]
    variance = (
        ((states - level.sqrt() * photo) / (1 - level).sqrt()).square().mean(dim=(1, 2, 3, 4))
    )
    return _largest(variance - 1)


def diffusers(make: MakeProgram) -> float:
    """max |x_s - x_s'|, x_s' by the DDIMScheduler of diffusers; A = 0, from the same states."""
    from diffusers import DDIMScheduler

    problem = unmeasured(restoration_problem())
    program = make(problem)
    scheduler = DDIMScheduler(clip_sample=False)
    scheduler.set_timesteps(problem.num_steps)
    x, worst = program.x_T, 0.0
    for k, t in enumerate(scheduler.timesteps):
        eps = problem.prior(x, t.expand(len(x)))
        before = int(t) - scheduler.config.num_train_timesteps // problem.num_steps
        variance = float(scheduler._get_variance(int(t), before))  # of its own eta = 1
        target = float(scheduler.alphas_cumprod[before]) if before >= 0 else 1.0
        eta = problem.eta * ((1 - target) / variance) ** 0.5 if variance > 0 else 0.0
        theirs = scheduler.step(eps, t, x, eta=eta, variance_noise=program.noise[k]).prev_sample
        worst = max(worst, _largest(program.step(x, k) - theirs))
        x = theirs
    return worst


CHECKS: tuple[Check, ...] = (
    Check("projector", "N N x = N x", 1e-10, projector),
    Check(
        "fixed point", "the step-by-step chain is a fixed point of [paper 9]", 1e-10, fixed_point
    ),
    Check("T sweeps", "T sweeps end at the step-by-step chain", 1e-9, termination),
    Check("staircase", "a new state depends on noisier states only", 1e-12, staircase),
    Check("residual", "after T sweeps another one changes nothing", 1e-9, residual),
    Check("A x = y", "the result agrees with the measurement", 1e-9, consistent),
    Check("repeat", "two runs with one seed agree", 1e-12, repeat),
    Check("statistics", "the noise of every state has variance 1", 0.1, statistics),
    Check("diffusers", "a step with A = 0 is that of diffusers' DDIMScheduler", 1e-3, diffusers),
)
"""All checks, in the order of the table."""
