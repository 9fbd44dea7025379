"""Solve for a chain in a window of its steps, which slides on over what has come to rest.

Sweeps over a whole chain ask the network about its cleanest states long before the noisier ones,
from which they follow, are right. In a window fewer evaluations are wasted so, for more calls that
wait for one another; and only its states are in memory. ParaDiGMS (Shih et al. 2023) has such a
window.
"""

import math
import warnings
from collections.abc import Callable, Collection
from contextlib import closing

import torch
import torch.nn.functional as F

from deqir_lite.chain import RestorationChain, part_of_chain
from deqir_lite.checks import check_choice, check_integer, check_interval, check_kinds
from deqir_lite.defaults import TOLERANCE
from deqir_lite.fixedpoint.system import FixedPointSystem
from deqir_lite.solvers.progress import SweepBar
from deqir_lite.solvers.solve import ConvergenceWarning, check_x0_tolerance
from deqir_lite.solvers.state import Solution, Solver, State, Trace


def solve_sliding(
    chain: RestorationChain,
    make_system: Callable[[RestorationChain], FixedPointSystem],
    begin: Callable[[int, int, torch.Tensor], torch.Tensor],
    solver: Solver[State],
    *,
    window: int,
    max_sweeps: int | None = None,
    tolerance: float = TOLERANCE,
    x0_tolerance: float | None = None,
    record: Collection[str] = (),
    show_progress: bool = False,
) -> Solution:
    """Sweep over ``window`` steps at a time, until x_0 is among them and rests.

    ``make_system`` makes the system of a part of the chain; ``begin(first, last, x)`` guesses
    states[first], ..., states[last] (n+1, B, 3, H, W) of the chain from x = states[first].

    The window slides on over its leading states that rest: those whose relative residual is at most
    ``tolerance``, or, where ``x0_tolerance`` is given, which the last sweep moved by at most that
    (RMS, in units of [-1, 1]; in the Gaussian form only), cutting no more. A solver that keeps the
    staircase makes at least one state of each window exact in a sweep, so that T sweeps suffice.
    What a solver mixes begins anew where the window has moved. The images of a batch share the
    window, which waits for all of them.

    ``max_sweeps`` defaults to T. ``record`` may name "x0", the last state of the window. The
    solution has x_T and x_0 as its only states; in the trace of residuals (T, B) those of states
    that rest, or are not reached yet, are 0. Without convergence the chain is guessed from where
    the window is, and a :class:`~deqir_lite.solvers.solve.ConvergenceWarning` is given. Raises
    ValueError for an ``x0_tolerance`` in another form, and when a prediction is NaN, where the
    chain has a watch.
    """
    check_kinds(solve_sliding, locals())
    steps = chain.num_steps
    window = min(check_integer("window", window, 1), steps)
    max_sweeps = steps if max_sweeps is None else check_integer("max_sweeps", max_sweeps, 1)
    tolerance = check_interval("tolerance", tolerance, 0.0, math.inf)
    for name in record:
        check_choice("record", name, ("x0",))
    trace, sweeps, nfe, first, finite = Trace(), 0, 0, 0, True
    states = begin(0, window, chain.x_T)
    bar = SweepBar(chain.prior, max_sweeps, show=show_progress)
    with closing(bar):
        while first < steps and sweeps < max_sweeps and finite:
            last = first + len(states) - 1
            system = make_system(part_of_chain(chain, first, last, x_T=states[0]))
            moved = check_x0_tolerance(x0_tolerance, system)
            state, resting = solver.init(system, states), 0
            while resting == 0 and sweeps + state.sweeps < max_sweeps and finite:
                before = state.states
                with bar.sweep(before[1:].numel()):
                    state = solver.step(system, state, tolerance=tolerance)
                finite = bool(state.residual.isfinite().all())
                resting = max(state.first, 0 if moved is None else _resting(before, state, moved))
                pad = (0, 0, first, steps - last)
                trace.residuals.append(F.pad(state.residual, pad))
                trace.first.append(first)
                trace.weights.append(state.weights)
                if "x0" in record:
                    trace.x0.append(state.output[-1])
            sweeps, nfe, first = sweeps + state.sweeps, nfe + state.nfe, first + resting
            states = torch.cat([state.output[resting : resting + 1], state.states[resting + 1 :]])
            end = min(first + window, steps)
            if end > last:
                states = torch.cat([states, begin(last, end, states[-1])[1:]])
        bar.end(converged=first == steps)
    if not finite and chain.watch is not None:
        chain.watch.check()
    if first < steps:
        warnings.warn(
            f"not converged after {sweeps} sweeps: the window of {window} steps came to step "
            f"{first} of {steps}" + ("" if finite else "; the iteration diverged"),
            ConvergenceWarning,
            stacklevel=2,
        )
        last = first + len(states) - 1
        states = begin(last, steps, states[-1]) if last < steps else states
    both = torch.stack([chain.x_T, states[-1]])
    return Solution(both, sweeps, nfe, first == steps, trace)


def _resting(before: torch.Tensor, state: State, tolerance: float) -> int:
    """How many leading states the sweep that began at ``before`` moved by at most this, in every
    image; none where it cut more."""
    if bool((state.cut > tolerance).any()):
        return 0
    moves = (state.output - before)[1:].flatten(2).square().mean(2).sqrt().amax(1)
    return int((moves <= tolerance).long().cumprod(0).sum())
