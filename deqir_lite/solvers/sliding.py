"""Solve for a chain in a window of its steps, which slides on over what has come to rest.

Sweeps over a whole chain ask the network about its cleanest states long before the noisier ones,
from which they follow, are right. In a window fewer evaluations are wasted so, for more calls that
wait for one another; and of the states only its own are in memory, without a history. ParaDiGMS
(Shih et al. 2023) has such a window.
"""

import math
import warnings
from collections.abc import Callable, Collection
from contextlib import closing

import torch
import torch.nn.functional as F

from deqir_lite.checks import check_integer, check_interval, check_kinds
from deqir_lite.defaults import TOLERANCE
from deqir_lite.fixedpoint.system import FixedPointSystem, Sweep
from deqir_lite.solvers.progress import SweepBar
from deqir_lite.solvers.solve import ConvergenceWarning, check_x0_tolerance
from deqir_lite.solvers.state import Solution, Trace, relative_residual

_LEFT = 0.5
"""Of what a sweep moved a state by, what is missing still: less than that, as a rule."""


def solve_sliding(
    system: FixedPointSystem,
    begin: Callable[[int, int, torch.Tensor], torch.Tensor],
    *,
    window: int,
    max_sweeps: int | None = None,
    tolerance: float = TOLERANCE,
    x0_tolerance: float | None = None,
    record: Collection[str] = (),
    show_progress: bool = False,
) -> Solution:
    """Sweep over ``window`` steps at a time, plainly (Picard), until x_0 is among them and rests.

    ``begin(first, last, x)`` guesses states[first], ..., states[last] (n+1, B, 3, H, W) from
    x = states[first].

    After every sweep the window slides on over its first new state, which follows from the one
    before it by a step of the chain, and over those behind it that rest: whose relative residual is
    at most ``tolerance``, or, where ``x0_tolerance`` is given (in the Gaussian form only), which
    the sweep moved by at most x0_tolerance min(1, 2 window / T) (RMS, in units of [-1, 1]). None
    rests where the sweep cut more of the network than that, or, without ``x0_tolerance``, anything.
    For what is missing in passed states adds up from window to window, T / window of them. This is
    no estimate of the error of x_0, and no bound: a chain may make a small error of its noisy
    states a large one of x_0. The images of a batch share the window, which waits for all of them.

    ``max_sweeps`` defaults to T, which suffice. ``record`` may name "x0", the last state of the
    window after each sweep, which is x_0 in the last windows only. The solution has x_T and x_0 as
    its only states; in the trace of residuals (T, B) those of states that are passed, or not
    reached yet, are 0. Without convergence x_0 is what the network sees in the last state of the
    window, made consistent with y, and a :class:`~deqir_lite.solvers.solve.ConvergenceWarning` is
    given. Raises ValueError for an ``x0_tolerance`` in another form, and when a prediction is NaN,
    where the chain has a watch.
    """
    check_kinds(solve_sliding, locals())
    chain, steps = system.chain, system.chain.num_steps
    window = min(check_integer("window", window, 1), steps)
    max_sweeps = steps if max_sweeps is None else check_integer("max_sweeps", max_sweeps, 1)
    tolerance = check_interval("tolerance", tolerance, 0.0, math.inf)
    wanted = check_x0_tolerance(x0_tolerance, system)
    moved = 0.0 if wanted is None else wanted * min(1, window / (_LEFT * steps))
    for name in record:
        if name != "x0":
            raise ValueError(f"record: got {name!r}; with a window only 'x0' is there")
    trace, nfe, first, finite = Trace(), 0, 0, True
    states = begin(0, window, chain.x_T)
    bar = SweepBar(chain.prior, max_sweeps, show=show_progress)
    with closing(bar):
        while first < steps and len(trace.residuals) < max_sweeps:
            last = first + len(states) - 1
            with bar.sweep(states[1:].numel()):
                sweep = system.sweep(states, first)
            residual = relative_residual(sweep.residual, states[1:]).cpu().double()
            nfe += chain.asking_steps(first, last) * states.shape[1]
            trace.residuals.append(F.pad(residual, (0, 0, first, steps - last)))
            trace.first.append(first)
            trace.weights.append(None)
            if "x0" in record:
                trace.x0.append(sweep.output[-1].clone())
            finite = bool(residual.isfinite().all())
            if not finite:
                break
            passed = _resting(states, sweep, residual, tolerance, moved)
            states, first = sweep.output[passed:], first + passed
            end = min(first + window, steps)
            if end > last:
                states = torch.cat([states, begin(last, end, states[-1])[1:]])
        converged = first == steps
        bar.end(converged=converged)
    x0 = states[-1]
    if not converged:
        if not finite and chain.watch is not None:
            chain.watch.check()
        last = first + len(states) - 1
        if last < steps:
            x0, nfe = chain.consistent_x0(states[-1:], last)[0], nfe + states.shape[1]
        warnings.warn(
            f"not converged after {len(trace.first)} sweeps: the window of {window} steps came to "
            f"step {first} of {steps}" + ("" if finite else "; the iteration diverged"),
            ConvergenceWarning,
            stacklevel=2,
        )
    return Solution(torch.stack([chain.x_T, x0]), len(trace.first), nfe, converged, trace)


def _resting(
    states: torch.Tensor, sweep: Sweep, residual: torch.Tensor, tolerance: float, moved: float
) -> int:
    """How many of the states behind the first are exact, or rest in every image."""
    if bool((sweep.cut > moved).any()):
        return 1
    moves = (sweep.output - states)[1:].flatten(2).square().mean(2).sqrt().cpu().double()
    rests = ((residual <= tolerance) | (moves <= moved)).all(dim=1)
    return max(1, int(rests.long().cumprod(0).sum()))
