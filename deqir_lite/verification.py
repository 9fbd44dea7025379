"""The claim that carries the method, measured: the parallel sample is the sequential sample.

Every operator, eta, form and solver is compared in float64 on small images, under a prior whose
steps are neither linear nor separable, so that no form can be right by accident. Every linear
model has the same fixed point, so a form with other coefficients passes too, if a sweep still
makes a state exact whose predecessors are; that the forms are the paper's is for their own tests.
"""

import itertools
import math
import warnings
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from typing import Any

import torch
from tqdm.auto import tqdm

from deqir_lite.chain import RestorationChain, make_chain
from deqir_lite.checks import check_deviation, check_interval
from deqir_lite.defaults import (
    FORM,
    VERIFIED_METHOD,
    VERIFIED_NOISE,
    VERIFIED_SIZE,
    VERIFIED_STEPS,
)
from deqir_lite.methods import WeightedConsistency, find_method
from deqir_lite.operators import TASKS, check_side, make_task
from deqir_lite.priors import GaussianPrior, ModelPrior, power_law_spectrum
from deqir_lite.restoration import restore_parallel
from deqir_lite.schedule import timestep_grid
from deqir_lite.solvers import SOLVERS, ConvergenceWarning

ETAS = (0.0, 0.15, 0.85)
VERIFIED_FORMS = ("noise", "data", FORM)
TOLERANCE = 1e-10
"""Largest accepted difference of any pixel of any state, in units of [-1, 1]."""


@dataclass(frozen=True)
class Comparison:
    """One parallel solve against its chain.

    ``error`` is max |difference| over all states, infinite where a state is NaN.
    """

    task: str
    eta: float
    form: str
    solver: str
    error: float
    sweeps: int
    nfe: int

    @property
    def passed(self) -> bool:
        """Whether the error is within :data:`TOLERANCE`."""
        return self.error <= TOLERANCE


def bent_prior(gaussian: GaussianPrior, *, bend: float = 0.2) -> ModelPrior:
    """A nonlinear stand-in for a network: Gaussian noise prediction plus a bounded cross-talk.

    eps(x) = eps_G(x) + bend tanh(2 S eps_G(x)), S shifting pixels. Not a denoiser of anything,
    which Proposition 1 does not ask for: it holds for every eps.
    """

    def model(x_t: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
        eps = gaussian(x_t, t)
        return eps + bend * torch.tanh(2 * eps.roll((1, 2), dims=(-2, -1)))

    return ModelPrior(model, gaussian.schedule)


def verification_chain(
    task: str,
    eta: float,
    *,
    method: str = "ddnm",
    sigma_y: float = 0.0,
    num_steps: int = 20,
    size: int = 16,
    seed: int = 0,
) -> tuple[RestorationChain, GaussianPrior]:
    """A float64 chain for one task under the bent prior, and the Gaussian prior beneath it.

    y has white noise of the standard deviation ``sigma_y``, which the chain knows; ``eta`` counts
    where the noise rule of the method has one.
    """
    gaussian = GaussianPrior(power_law_spectrum())
    # other seeds than that of the chain: else photo and noise would be made of its x_T
    photo = gaussian.sample((1, size, size), torch.Generator().manual_seed(seed + 1)).clamp(-1, 1)
    operator = make_task(task, (size, size), seed=seed)
    y = operator.A(photo)
    if sigma_y:
        generator = torch.Generator().manual_seed(seed + 2)
        y = y + sigma_y * torch.randn(y.shape, generator=generator, dtype=torch.float64)
    found = find_method(method)
    if found.consistency is WeightedConsistency:  # its covariance is that beneath the bent prior
        found = replace(found, consistency=partial(WeightedConsistency, gaussian=gaussian))
    return make_chain(
        bent_prior(gaussian),
        operator,
        y,
        method=found,
        sigma_y=sigma_y,
        num_steps=num_steps,
        eta=None if found.eta is None else eta,
        seed=seed,
        spacing="uniform",
    ), gaussian


def verify(
    tasks: Iterable[str] = tuple(TASKS),
    *,
    etas: Sequence[float] = ETAS,
    forms: Sequence[str] = VERIFIED_FORMS,
    solvers: Sequence[str] = SOLVERS,
    method: str = VERIFIED_METHOD,
    sigma_y: float = VERIFIED_NOISE,
    num_steps: int = VERIFIED_STEPS,
    size: int = VERIFIED_SIZE,
    show_progress: bool = False,
) -> list[Comparison]:
    """Compare parallel with sequential sampling for every combination; one entry for each.

    Solves run to a relative residual of 1e-13 or 10 T sweeps, whichever comes first: what counts
    is only how close they come. ``method`` and ``sigma_y`` as in :func:`verification_chain`.
    Raises ValueError, before any solve, for an unknown task or method, a size that a task cannot
    take, and a bad eta, sigma_y or number of steps.
    """
    tasks = list(tasks)
    for task in tasks:
        check_side("size", size, task)
    timestep_grid(num_steps)
    find_method(method)
    sigma_y = check_deviation("sigma_y", sigma_y)
    for eta in etas:
        eta = check_interval("eta", eta, 0.0, 1.0)
    results = []
    cases = list(itertools.product(tasks, etas))
    for task, eta in tqdm(cases, disable=not show_progress, desc="verify", unit="chain"):
        chain, gaussian = verification_chain(
            task, eta, method=method, sigma_y=sigma_y, num_steps=num_steps, size=size
        )
        sequential = chain.sequential()
        for form, solver in itertools.product(forms, solvers):
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", ConvergenceWarning)
                solution = restore_parallel(
                    chain,
                    form=form,
                    solver=solver,
                    start="measurement",
                    max_sweeps=10 * num_steps,
                    tolerance=1e-13,
                    gaussian=gaussian,
                )
            difference = (solution.states - sequential).abs()
            error = float(difference.nan_to_num(nan=math.inf, posinf=math.inf).max())
            results.append(
                Comparison(task, eta, form, solver, error, solution.sweeps, solution.nfe)
            )
    return results


def summary(results: Sequence[Comparison]) -> dict[str, Any]:
    """All comparisons as plain values, with the tolerance and whether all pass."""
    return {
        "tolerance": TOLERANCE,
        "passed": all(result.passed for result in results),
        "max_error": max(result.error for result in results),
        "comparisons": [asdict(result) | {"passed": result.passed} for result in results],
    }
