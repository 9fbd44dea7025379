"""Run a solver on a fixed-point system until it converges, and say so when it does not."""

import math
import warnings
from collections.abc import Collection
from contextlib import closing
from dataclasses import replace

import torch

from deqir_lite.checks import check_choice, check_integer, check_interval, check_kinds
from deqir_lite.defaults import TOLERANCE
from deqir_lite.fixedpoint.models import GaussianFormModel
from deqir_lite.fixedpoint.system import FixedPointSystem
from deqir_lite.solvers.progress import SweepBar
from deqir_lite.solvers.released import ReleasedAnderson
from deqir_lite.solvers.state import (
    Solution,
    Solver,
    SolverState,
    State,
    Trace,
    where_images,
)
from deqir_lite.solvers.stopping import ErrorEstimate

RECORDS = ("x0", "states")


class ConvergenceWarning(UserWarning):
    """A solve used up its sweeps, or diverged, before it met its stopping test."""


def solve(
    system: FixedPointSystem,
    solver: Solver[State],
    start: torch.Tensor,
    *,
    max_sweeps: int | None = None,
    tolerance: float = TOLERANCE,
    x0_tolerance: float | None = None,
    from_gaussian: bool = False,
    record: Collection[str] = (),
    show_progress: bool = False,
) -> Solution:
    """RootSolve (Eq. 11): sweep from ``start`` (T+1, B, ...) until the states form a chain.

    Stops when every state's relative residual is at most ``tolerance``, or, where
    ``x0_tolerance`` is given, when the estimated RMS error of x_0 is at most that, in units of
    [-1, 1] (:class:`~deqir_lite.solvers.stopping.ErrorEstimate`, which needs the Gaussian form),
    and the sweep cut no more than that; 0.02 stands for 40 dB to the chain's x_0. It needs a sweep
    less where ``start`` is the chain of the Gaussian prior
    (:func:`~deqir_lite.fixedpoint.starts.gaussian_start`) and ``from_gaussian`` says so. A solver
    that keeps the staircase also ends after T sweeps, exactly.
    ``max_sweeps`` defaults to T. ``record`` may name "x0" and "states", kept in the trace for every
    sweep. ``start[0]`` does not matter: x_T belongs to the chain. Every image of a batch is solved
    and stopped as it would be alone.

    Without convergence the result is, for every image, the evaluated sweep with its smallest
    largest residual, ``converged`` is False and a :class:`ConvergenceWarning` is given. Raises
    ValueError when a prediction is NaN, where the chain has a watch, and for an ``x0_tolerance``
    in another form.
    """
    check_kinds(solve, locals())
    steps = system.chain.num_steps
    max_sweeps = steps if max_sweeps is None else max_sweeps
    max_sweeps = check_integer("max_sweeps", max_sweeps, 1)
    tolerance = check_interval("tolerance", tolerance, 0.0, math.inf)
    x0_tolerance = check_x0_tolerance(x0_tolerance, system)
    if x0_tolerance is not None and isinstance(solver, ReleasedAnderson):
        raise ValueError(
            f"x0_tolerance: got {x0_tolerance:g} with {solver!r}; what it returns is a mix and not "
            "F of it, whose corrections do not tell its error; use tolerance"
        )
    for name in record:
        check_choice("record", name, RECORDS)
    trace, state = Trace(), solver.init(system, start)
    estimate = ErrorEstimate(first_tells=from_gaussian)
    best, lowest = state.states, torch.full((state.states.shape[1],), math.inf).double()
    converged = False
    bar = SweepBar(system.chain.prior, max_sweeps, show=show_progress)
    with closing(bar):
        while state.sweeps < max_sweeps:
            trace.first.append(state.first)
            x0 = state.states[-1]
            with bar.sweep(state.states[state.first + 1 :].numel()):
                state = solver.step(system, state, tolerance=tolerance)
            _record(trace, state, record)
            worst = state.residual.amax(dim=0)
            if not bool(worst.isfinite().all()):
                if system.chain.watch is not None:
                    system.chain.watch.check()
                break
            best = where_images(worst <= lowest, state.output, best)
            lowest = torch.minimum(worst, lowest)
            if x0_tolerance is not None:
                estimate = estimate.after(x0, state.output[-1])
                error = torch.maximum(estimate.error, state.cut)
                state = _stop_images(state, error <= x0_tolerance)
            converged = state.first == steps
            if converged:
                break
        bar.end(converged=converged)
    if not converged:
        _warn(state, float(lowest.max()), tolerance)
    states = state.output if converged else best
    return Solution(states, state.sweeps, state.nfe, converged, trace)


def check_x0_tolerance(x0_tolerance: float | None, system: FixedPointSystem) -> float | None:
    """``x0_tolerance`` if it is a number >= 0 and ``system`` is in the Gaussian form, or None."""
    if x0_tolerance is None:
        return None
    x0_tolerance = check_interval("x0_tolerance", x0_tolerance, 0.0, math.inf)
    if not isinstance(system.model, GaussianFormModel):
        raise ValueError(
            f"x0_tolerance: got a system in the form {type(system.model).__name__}; only in the "
            "Gaussian form do the corrections of x_0 tell its error; use tolerance"
        )
    return x0_tolerance


def _stop_images(state: State, ready: torch.Tensor) -> State:
    """Freeze all states of the images that are ``ready`` (B,) as the last sweep gave them."""
    frozen = state.frozen.where(~ready, len(state.states) - 1)
    return replace(state, states=where_images(ready, state.output, state.states), frozen=frozen)


def _record(trace: Trace, state: SolverState, record: Collection[str]) -> None:
    trace.residuals.append(state.residual)
    trace.weights.append(state.weights)
    if "x0" in record:
        trace.x0.append(state.output[-1])
    if "states" in record:
        trace.states.append(state.output)


def _warn(state: SolverState, best: float, tolerance: float) -> None:
    worst = float(state.residual.max())
    if math.isfinite(worst):
        reason = f"largest relative residual {worst:.1e} (best {best:.1e}, wanted {tolerance:.1e})"
    else:
        reason = "the residual became infinite or NaN: the iteration diverged"
    warnings.warn(
        f"not converged after {state.sweeps} sweeps: {reason}", ConvergenceWarning, stacklevel=3
    )
