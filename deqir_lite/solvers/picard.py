"""Picard iteration: the next iterate is F of the last one."""

from dataclasses import dataclass

import torch

from deqir_lite.fixedpoint.system import FixedPointSystem
from deqir_lite.solvers.state import SolverState, check_start, evaluate, no_residual


@dataclass
class PicardState(SolverState):
    """Picard remembers nothing but the last sweep."""


@dataclass(frozen=True)
class Picard:
    """X <- F(X).

    F is strictly triangular in time, so from any start sweep j makes states[1..j] exact: at
    most T sweeps, with no contraction needed. States known to be exact are not evaluated again.
    """

    def init(self, system: FixedPointSystem, states: torch.Tensor) -> PicardState:
        """Begin at ``states`` (T+1, B, ...); x_T is the chain's."""
        states = check_start(system, states)
        frozen = torch.zeros(states.shape[1], dtype=torch.int64)
        return PicardState(states, states, no_residual(states), frozen)

    def step(
        self, system: FixedPointSystem, state: PicardState, *, tolerance: float = 0.0
    ) -> PicardState:
        """One sweep."""
        return evaluate(system, state, tolerance, staircase=True)
