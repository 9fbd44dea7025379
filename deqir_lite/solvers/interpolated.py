"""Solve for a chain whose network is asked at a few nodes only: fewer evaluations than steps."""

import itertools
import math
import warnings
from collections.abc import Collection, Iterator
from contextlib import closing

import torch

from deqir_lite.chain import RestorationChain
from deqir_lite.checks import check_choice, check_integer, check_interval, check_kinds
from deqir_lite.defaults import KEPT, X0_TOLERANCE
from deqir_lite.fixedpoint.cut import CutPrior
from deqir_lite.fixedpoint.interpolation import asked_steps, interpolated_chains
from deqir_lite.fixedpoint.models import GaussianFormModel
from deqir_lite.fixedpoint.starts import gaussian_start
from deqir_lite.fixedpoint.system import FixedPointSystem
from deqir_lite.priors.gaussian import GaussianPrior
from deqir_lite.solvers.progress import SweepBar
from deqir_lite.solvers.solve import ConvergenceWarning
from deqir_lite.solvers.state import Solution, Trace, where_images

MOST_SWEEPS = 10


def solve_interpolated(
    chain: RestorationChain,
    gaussian: GaussianPrior,
    *,
    nodes: int | None = None,
    max_sweeps: int = MOST_SWEEPS,
    x0_tolerance: float = X0_TOLERANCE,
    record: Collection[str] = (),
    show_progress: bool = False,
) -> Solution:
    """Sweep on two sets of nodes in turn (:mod:`deqir_lite.fixedpoint.interpolation`), from the
    chain of ``gaussian``, in the Gaussian form, with what the network adds cut
    (:class:`~deqir_lite.fixedpoint.cut.CutPrior`).

    An image is done at the sweep that moves its x_0 by at most ``x0_tolerance`` (RMS, in units of
    [-1, 1]) from where a sweep on the other nodes, or the start, left it, and cuts no more than
    that: then neither the iteration nor the interpolation moves it much. That is a guess of both
    errors and no bound: what the two sets have in common it does not see. A solve of the chain
    itself that starts at the resulting states says in its first sweep how far they are from a
    chain.

    ``nfe`` counts what the network was asked: ``nodes`` images, or one more, in a sweep. ``record``
    may name "x0"; there are no residuals in the trace, since those of the interpolated chains
    would say nothing of this one. Every image of a batch is solved as it would be alone. Where
    ``max_sweeps`` do not suffice the result is, for every image, the sweep nearest to rest,
    and a :class:`~deqir_lite.solvers.solve.ConvergenceWarning` is given. Raises ValueError as
    :func:`~deqir_lite.fixedpoint.interpolation.interpolated_chains` does, and for predictions with
    NaN, where the chain has a watch.
    """
    check_kinds(solve_interpolated, locals())
    max_sweeps = check_integer("max_sweeps", max_sweeps, 1)
    x0_tolerance = check_interval("x0_tolerance", x0_tolerance, 0.0, math.inf)
    for name in record:
        check_choice("record", name, ("x0",))
    trace, sweeps, nfe = Trace(), 0, 0
    moves = interpolated_sweeps(chain, gaussian, nodes=nodes)
    states, *_ = next(moves)
    best, least = states, states.new_full(states.shape[1:2], math.inf)
    done = failed = torch.zeros_like(least, dtype=torch.bool)
    bar = SweepBar(chain.prior, max_sweeps, show=show_progress)
    with closing(bar):
        while sweeps < max_sweeps and not bool((done | failed).all()):
            with bar.sweep(states[1:].numel()):
                states, asked, moved = next(moves)
            better = ~done & (moved < least)
            best, least = where_images(better, states, best), torch.where(better, moved, least)
            sweeps, nfe = sweeps + 1, nfe + asked * len(done)
            if "x0" in record:
                trace.x0.append(best[-1])
            failed = failed | (~done & ~moved.isfinite())
            done = least <= x0_tolerance
        converged = bool(done.all())
        bar.end(converged=converged)
    if bool(failed.any()) and chain.watch is not None:
        chain.watch.check()
    if not converged:
        warnings.warn(
            f"not converged after {sweeps} sweeps: from nodes to nodes x_0 moves, or what is added "
            f"to it is cut, by {float(least.max()):.1e} at least (wanted {x0_tolerance:.1e})",
            ConvergenceWarning,
            stacklevel=2,
        )
    return Solution(best, sweeps, nfe, converged, trace)


def interpolated_sweeps(
    chain: RestorationChain, gaussian: GaussianPrior, *, nodes: int | None = None
) -> Iterator[tuple[torch.Tensor, int, torch.Tensor]]:
    """The chain of ``gaussian``, then without end the states (T+1, B, 3, H, W) after a sweep on one
    set of nodes, and on the other; at how many steps it asked the network; and how far from rest it
    was (B,): by how much (RMS) it moved x_0, or cut what the network adds, where that is more."""
    prior = CutPrior(chain.prior, gaussian)
    systems = [
        FixedPointSystem(part, GaussianFormModel(part, gaussian, kept=KEPT))
        for part in interpolated_chains(chain.with_prior(prior), gaussian, nodes=nodes)
    ]
    states = gaussian_start(chain, gaussian)
    yield states, 0, states.new_full(states.shape[1:2], math.inf)
    for system in itertools.cycle(systems):
        before, states = states, system(states)
        moved = (states[-1] - before[-1]).flatten(1).square().mean(1).sqrt()
        cut = prior.cut.unflatten(0, (-1, len(moved))).amax(0)
        yield states, asked_steps(system.chain), torch.maximum(moved, cut)
