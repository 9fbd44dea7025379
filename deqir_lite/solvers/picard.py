"""Picard iteration: the next iterate is F of the last one."""

from dataclasses import dataclass, replace

import torch

from deqir_lite.fixedpoint.system import FixedPointSystem
from deqir_lite.solvers.state import SolverState, frozen_prefix, initial_state, relative_residual


@dataclass(frozen=True)
class Picard:
    """X <- F(X).

    F is strictly triangular in time, so from any start sweep j makes states[1..j] exact: at
    most T sweeps, with no contraction needed. States known to be exact are not evaluated again.
    """

    @property
    def keeps_staircase(self) -> bool:
        """True."""
        return True

    def init(self, system: FixedPointSystem, states: torch.Tensor) -> SolverState:
        """Begin at ``states`` (T+1, B, ...); x_T is the chain's."""
        return initial_state(system, states)

    def step(
        self, system: FixedPointSystem, state: SolverState, tolerance: float = 0.0
    ) -> SolverState:
        """One sweep."""
        return evaluate(system, state, tolerance, staircase=True)


def evaluate(
    system: FixedPointSystem, state: SolverState, tolerance: float, staircase: bool
) -> SolverState:
    """Evaluate F once: new output, residuals, frozen prefixes and counts; the next states are F.

    Every image of a batch has a frozen prefix of its own, so that it is solved as it would be
    alone; the network is asked about the states that any image still needs. Raises ValueError
    when no unfinished state is left.
    """
    x, first = state.states, state.first
    if first == len(x) - 1:
        raise ValueError(f"state: all {first} states are solved; no sweep is left to do")
    step_residual = torch.where(state.active(), system.residual(x, first), 0)
    relative = relative_residual(step_residual, x[first + 1 :])
    residual = torch.cat([torch.zeros_like(state.residual[:first]), relative.cpu().double()])
    correction = system.model.correction(step_residual, first)
    output = torch.cat([x[: first + 1], x[first + 1 :] + correction])
    frozen = frozen_prefix(residual, state.frozen, tolerance)
    if staircase:
        # This state is exact from now on. But it has moved, so the residuals of the later ones,
        # taken before, do not tell: all are zero when the start is the solution for another x_T.
        frozen = torch.where(frozen == state.frozen, frozen + 1, frozen).clamp(max=len(x) - 1)
    return replace(
        state,
        states=output,
        output=output,
        residual=residual,
        frozen=frozen,
        sweeps=state.sweeps + 1,
        nfe=state.nfe + relative.numel(),
        weights=None,
    )
