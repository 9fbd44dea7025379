"""Anderson acceleration as the released code of DeqIR has it, where Algorithm 1 says otherwise."""

from dataclasses import dataclass, replace

import torch

from deqir_lite.checks import check_integer, check_interval
from deqir_lite.fixedpoint.system import FixedPointSystem
from deqir_lite.solvers.anderson import AndersonState
from deqir_lite.solvers.state import evaluate


@dataclass(frozen=True)
class ReleasedAnderson:
    """Each state of each image is mixed by itself: X = sum_i alpha_i F(X_i) over the last
    ``memory`` sweeps, where alpha has the sum 1 and makes |sum_i alpha_i g_i|^2 + ridge |alpha|^2
    least, g_i = F(X_i) - X_i.

    The ridge is not relative to the residuals. So once they are small all alpha_i are 1 / m: the
    average of the iterates, not the plain iteration. The result is the last mix X itself, and not
    F(X). Released are 15 sweeps from the start ``x_T``, m = 5 and a ridge of 1e-3; with a rule
    ``ReleasedNoise`` and blurs ``kernel="released"`` this is the released DeqIR. What differs here:
    a solve keeps the sweep with the smallest residual, and its tolerance counts for each state.
    """

    memory: int = 5
    ridge: float = 1e-3

    def __post_init__(self) -> None:
        object.__setattr__(self, "memory", check_integer("memory", self.memory, 2))
        object.__setattr__(self, "ridge", check_interval("ridge", self.ridge, 1e-12, 1e6))

    def init(self, system: FixedPointSystem, states: torch.Tensor) -> AndersonState:
        """Begin at ``states`` (T+1, B, ...); x_T is the chain's."""
        return AndersonState.begin(system, states)

    def step(
        self, system: FixedPointSystem, state: AndersonState, *, tolerance: float = 0.0
    ) -> AndersonState:
        """One sweep, then one mix of the active states."""
        evaluated = evaluate(system, state, tolerance, staircase=False)
        dropped, rows = evaluated.first - state.first, evaluated.first + 1
        x, mapped = state.states[rows:], evaluated.output[rows:]
        history = [(past_x[dropped:], past_g[dropped:]) for past_x, past_g in state.history]
        kept = [(x, mapped - x), *history][: self.memory]
        evaluated = replace(evaluated, output=state.states, history=kept, mixing=None)
        if len(x) == 0 or len(kept) == 1:
            return evaluated
        g = torch.stack([g for _, g in kept], dim=2).flatten(3)  # (n, B, m, d)
        eye = torch.eye(len(kept), dtype=g.dtype, device=g.device)
        solved = torch.linalg.solve(g @ g.mT + self.ridge * eye, torch.ones_like(g[..., :1]))[
            ..., 0
        ]
        alpha = solved / solved.sum(dim=-1, keepdim=True)
        mixed = torch.zeros_like(x)
        for k, (past_x, past_g) in enumerate(kept):
            weight = alpha[..., k].reshape(*alpha.shape[:2], *[1] * (x.ndim - 2))
            mixed = mixed + weight * (past_x + past_g)
        states = torch.cat(
            [evaluated.states[:rows], torch.where(evaluated.active(), mixed, mapped)]
        )
        return replace(evaluated, states=states, mixing=alpha)
