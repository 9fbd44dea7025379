"""Picard iteration: the next iterate is F of the last one."""

from dataclasses import dataclass

import torch

from deqir_lite._repr import short_repr
from deqir_lite.fixedpoint.system import FixedPointSystem
from deqir_lite.solvers.state import SolverState, evaluate


@dataclass
class PicardState(SolverState):
    """Picard remembers nothing but the last sweep."""

    __repr__ = short_repr


@dataclass(frozen=True)
class Picard:
    """X <- F(X).

    F is strictly triangular in time, so from any start sweep j makes states[1..j] exact: at
    most T sweeps, with no contraction needed. States known to be exact are not evaluated again.
    """

    def init(self, system: FixedPointSystem, states: torch.Tensor) -> PicardState:
        """Begin at ``states`` (T+1, B, ...); x_T is the chain's."""
        return PicardState.begin(system, states)

    def step(
        self, system: FixedPointSystem, state: PicardState, *, tolerance: float = 0.0
    ) -> PicardState:
        """One sweep."""
        return evaluate(system, state, tolerance, staircase=True)
