"""What a solver carries from sweep to sweep, and what it leaves behind."""

from dataclasses import dataclass, field, replace
from typing import Protocol, Self, TypeVar, runtime_checkable

import torch

from deqir_lite._repr import short_repr
from deqir_lite.checks import check_like
from deqir_lite.fixedpoint.system import FixedPointSystem


@dataclass
class Trace:
    """Records of a solve, one entry per sweep.

    * ``residuals``: (T, B) relative residual ||h(x_{s+1}) - x_s|| / ||x_s|| of each state,
      noisiest first, where the sweep began; 0 for states that were solved and frozen by then,
    * ``first``: how many states were frozen,
    * ``weights``: mixing weights (n, B, m + 1) over the stored sweeps, newest first, of the n
      active states (None for a plain sweep),
    * ``x0`` and ``states``: the output of each sweep, only on request.
    """

    residuals: list[torch.Tensor] = field(default_factory=list)
    first: list[int] = field(default_factory=list)
    weights: list[torch.Tensor | None] = field(default_factory=list)
    x0: list[torch.Tensor] = field(default_factory=list)
    states: list[torch.Tensor] = field(default_factory=list)

    __repr__ = short_repr

    def residual_table(self) -> torch.Tensor:
        """Largest relative residual over the batch, (sweeps, T), float64 on the CPU."""
        return torch.stack([r.amax(dim=1) for r in self.residuals])


@dataclass
class SolverState:
    """Between two sweeps: what to evaluate next, and what the last sweep gave.

    Every solver has its own kind of it, with what it needs to remember.

    * ``states`` (T+1, B, ...): where the next sweep evaluates F,
    * ``output`` (T+1, B, ...): F at the last evaluated states,
    * ``residual`` (T, B): relative residuals at the last evaluated states, float64 on the CPU,
    * ``frozen`` (B,): of image b the states[: frozen[b] + 1] are solved and frozen; int64, CPU,
    * ``cut`` (B,): how much of what the network said in the last sweep was not believed, see
      :class:`deqir_lite.fixedpoint.cut.Cut`; float64, CPU,
    * ``sweeps``, ``nfe``: sweeps done and single-image network evaluations spent.
    """

    states: torch.Tensor
    output: torch.Tensor
    residual: torch.Tensor
    frozen: torch.Tensor
    cut: torch.Tensor
    sweeps: int = 0
    nfe: int = 0

    __repr__ = short_repr

    @classmethod
    def begin(cls, system: FixedPointSystem, states: torch.Tensor) -> Self:
        """Before the first sweep, at ``states`` (T+1, B, ...) with the chain's own x_T in front.

        Raises ValueError when they have not the shape, dtype or device of the chain's states.
        """
        x_T = system.chain.x_T
        check_like("start", states, (system.chain.num_steps + 1, *x_T.shape), x_T)
        states = torch.cat([x_T[None], states[1:]])
        shape = (len(states) - 1, states.shape[1])
        residual = torch.full(shape, float("inf"), dtype=torch.float64)
        frozen = torch.zeros(shape[1], dtype=torch.int64)
        return cls(states, states, residual, frozen, frozen.double())

    @property
    def weights(self) -> torch.Tensor | None:
        """Mixing weights (n, B, m + 1) of the last sweep, for solvers that mix."""
        return None

    @property
    def first(self) -> int:
        """states[: first + 1] are solved for every image, and are not evaluated again."""
        return int(self.frozen.min())

    def active(self) -> torch.Tensor:
        """Which of states[first + 1 :] are still to be solved, (n, B, 1, ...), on their device."""
        rows = torch.arange(self.first, len(self.states) - 1)
        mask = rows[:, None] >= self.frozen
        return mask.reshape(*mask.shape, *[1] * (self.states.ndim - 2)).to(self.states.device)


@dataclass(frozen=True, eq=False)
class Solution:
    """The result of a solve: ``states`` (T+1, B, 3, H, W) from x_T to x_0.

    ``converged`` tells whether the stopping test was met; ``sweeps`` counts evaluations of F,
    ``nfe`` network evaluations of single images.
    """

    states: torch.Tensor
    sweeps: int
    nfe: int
    converged: bool
    trace: Trace

    __repr__ = short_repr

    @property
    def x0(self) -> torch.Tensor:
        """The restored photos (B, 3, H, W)."""
        return self.states[-1]


State = TypeVar("State", bound=SolverState)


@runtime_checkable
class Solver(Protocol[State]):
    """One rule for the next iterate. ``init`` and ``step`` may be called by hand."""

    def init(self, system: FixedPointSystem, states: torch.Tensor) -> State:
        """A state before the first sweep, at ``states`` (T+1, B, ...); x_T is the chain's."""
        ...

    def step(self, system: FixedPointSystem, state: State, *, tolerance: float = 0.0) -> State:
        """One sweep; freezes the leading states whose residual is at most ``tolerance``."""
        ...


def evaluate(system: FixedPointSystem, state: State, tolerance: float, *, staircase: bool) -> State:
    """Evaluate F once: new output, residuals, frozen prefixes and counts; the next states are F.

    Every image of a batch has a frozen prefix of its own, so that it is solved as it would be
    alone; the network is asked about the states that any image still needs. ``staircase`` freezes
    the first unfinished state, which F has made exact. Raises ValueError when no unfinished state
    is left.
    """
    x, first = state.states, state.first
    if first == len(x) - 1:
        raise ValueError(f"state: all {first} states are solved; no sweep is left to do")
    sweep = system.sweep(x[first:], first, active=state.active())
    relative = relative_residual(sweep.residual, x[first + 1 :])
    residual = torch.cat([torch.zeros_like(state.residual[:first]), relative.cpu().double()])
    output, cut = torch.cat([x[:first], sweep.output]), sweep.cut.cpu().double()
    frozen = frozen_prefix(residual, state.frozen, tolerance)
    if bool(cut.any()):
        # The residuals say that these states are solved; a sweep that was cut moves them away.
        # The first unsolved one follows from a solved one, which is not cut.
        row = torch.arange(len(x))[:, None]
        rests = (cut > 0) & (row > state.frozen + 1) & (row <= frozen)
        output = torch.where(
            rests.reshape(*rests.shape, *[1] * (x.ndim - 2)).to(x.device), x, output
        )
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
        cut=cut,
        sweeps=state.sweeps + 1,
        nfe=state.nfe + system.chain.asking_steps(first) * x.shape[1],
    )


def where_images(images: torch.Tensor, states: torch.Tensor, others: torch.Tensor) -> torch.Tensor:
    """``states`` (T+1, B, ...) of the ``images`` (B,) that are True, else ``others``."""
    mask = images.to(states.device).reshape(1, -1, *[1] * (states.ndim - 2))
    return torch.where(mask, states, others)


def relative_residual(residual: torch.Tensor, states: torch.Tensor) -> torch.Tensor:
    """||r|| / ||x|| per state and image, (n, B); relative to ||x + r|| where x = 0."""
    size, stepped = (v.flatten(2).norm(dim=2) for v in (states, states + residual))
    size = torch.where(size > 0, size, stepped).clamp(min=torch.finfo(states.dtype).tiny)
    return residual.flatten(2).norm(dim=2) / size


def frozen_prefix(residual: torch.Tensor, frozen: torch.Tensor, tolerance: float) -> torch.Tensor:
    """How many leading states of each image are within ``tolerance``, (B,); never fewer than
    ``frozen`` (B,). ``residual`` (T, B).
    """
    solved = torch.arange(len(residual))[:, None] < frozen
    return (solved | (residual <= tolerance)).long().cumprod(dim=0).sum(dim=0)
