"""Ours with the network asked at a few steps only, as samplers of the benchmark."""

import itertools
import warnings
from collections.abc import Callable, Iterator
from dataclasses import replace

import torch

from deqir_lite.chain import RestorationChain
from deqir_lite.defaults import KEPT
from deqir_lite.fixedpoint import GaussianFormModel
from deqir_lite.priors.gaussian import GaussianPrior
from deqir_lite.solvers import Anderson, ConvergenceWarning, solve_interpolated
from deqir_lite.solvers.interpolated import MOST_SWEEPS, interpolated_sweeps
from deqir_lite.studies.bench.peers import Progress, swept


def interpolated(
    chain: RestorationChain, gaussian: GaussianPrior, start: Callable[[], torch.Tensor]
) -> Iterator[Progress]:
    """A few steps asked, sweep by sweep; its start is its own."""
    nfe = 0
    moves = interpolated_sweeps(chain, gaussian)
    for sweep, (states, asked, moved) in enumerate(itertools.islice(moves, 1 + MOST_SWEEPS)):
        nfe += asked * states.shape[1]
        yield Progress(states[-1], sweep, sweep, nfe, moved=moved)


def checked(
    chain: RestorationChain, gaussian: GaussianPrior, start: Callable[[], torch.Tensor]
) -> Iterator[Progress]:
    """The whole chain solved for, from where the interpolated solve ends by its own rule."""
    yield Progress(start()[-1], 0, 0, 0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        near = solve_interpolated(chain, gaussian)
    model = GaussianFormModel(chain, gaussian, kept=KEPT)
    for now in swept(chain, model, Anderson(), near.states):
        done = near.sweeps + now.sweeps
        yield replace(now, sweeps=done, calls=done, nfe=near.nfe + now.nfe)
