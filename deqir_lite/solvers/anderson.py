"""Anderson acceleration: the next iterate mixes the last few so that their residuals cancel.

With iterates X_i and residuals d_i = F(X_i) - X_i after i sweeps, and gamma the minimiser of
|| d_j - sum_i gamma_i (d_j - d_{j-i}) ||, the next iterate is
    X_{j+1} = X_j + beta d_j - sum_i gamma_i [ (X_j - X_{j-i}) + beta (d_j - d_{j-i}) ].
The weights alpha = (1 - sum gamma, gamma_1, ..., gamma_m) sum to one (Alg. 1, lines 4 to 9). The
three variants differ only in which states share one alpha, that is, over which of them the Gram
matrices are summed.
"""

from dataclasses import dataclass, field, replace

import torch

from deqir_lite._repr import short_repr
from deqir_lite.checks import check_choice, check_integer, check_interval
from deqir_lite.fixedpoint.system import FixedPointSystem
from deqir_lite.solvers.state import SolverState, evaluate

MIXINGS = ("joint", "per-timestep", "triangular")


@dataclass
class AndersonState(SolverState):
    """What Anderson acceleration remembers beside the last sweep.

    * ``mixing``: the weights (n, B, m + 1) of the last mix over the stored sweeps, newest first;
      None after a plain sweep,
    * ``history``: earlier (states, F - states) on the active rows, newest first.
    """

    mixing: torch.Tensor | None = None
    history: list[tuple[torch.Tensor, torch.Tensor]] = field(default_factory=list)

    __repr__ = short_repr

    @property
    def weights(self) -> torch.Tensor | None:
        """``mixing``."""
        return self.mixing


@dataclass(frozen=True)
class Anderson:
    """Anderson acceleration over all states of a chain.

    * ``mixing``: ``joint`` uses one alpha for the whole chain (Alg. 1 as printed),
      ``per-timestep`` one for each state, ``triangular`` one for each state from the residuals of
      the noisier states up to it. With the last, every sweep also keeps what F gives for the
      first unfinished state, which is exact: this keeping, not the mixing, bounds it by T sweeps,
    * ``memory`` m: how many earlier sweeps are mixed in,
    * ``damping`` beta in (0, 1]: how much of the residual is added in a mix (the first sweep has
      nothing to mix and is a plain one),
    * ``regularization`` nu: ridge on the least-squares problem, relative to the mean diagonal of
      its Gram matrix, so that it means the same at every image size; never below the rounding unit.

    Every image of a batch is mixed by itself, over the states that it has not solved yet.
    """

    mixing: str = "triangular"
    memory: int = 3
    damping: float = 1.0
    regularization: float = 1e-8

    def __post_init__(self) -> None:
        check_choice("mixing", self.mixing, MIXINGS)
        object.__setattr__(self, "memory", check_integer("memory", self.memory, 1))
        object.__setattr__(self, "damping", check_interval("damping", self.damping, 1e-6, 1.0))
        ridge = check_interval("regularization", self.regularization, 0.0, 1e6)
        object.__setattr__(self, "regularization", ridge)

    def init(self, system: FixedPointSystem, states: torch.Tensor) -> AndersonState:
        """Begin at ``states`` (T+1, B, ...); x_T is the chain's."""
        return AndersonState.begin(system, states)

    def step(
        self, system: FixedPointSystem, state: AndersonState, *, tolerance: float = 0.0
    ) -> AndersonState:
        """One sweep, then one mix of the active states."""
        evaluated = evaluate(system, state, tolerance, staircase=self._staircase)
        return self.mixed(state, evaluated, evaluated.active())

    def mixed(
        self, state: AndersonState, evaluated: AndersonState, active: torch.Tensor
    ) -> AndersonState:
        """``evaluated``, a sweep after ``state``, with the next states mixed where ``active``
        (n, B, 1, ...), as :meth:`deqir_lite.solvers.state.SolverState.active` has it."""
        dropped = evaluated.first - state.first
        x = state.states[evaluated.first + 1 :]
        d = evaluated.output[evaluated.first + 1 :] - x
        history = [(past_x[dropped:], past_r[dropped:]) for past_x, past_r in state.history]
        kept = [(x, d), *history][: self.memory]
        if len(x) == 0 or not history:
            return replace(evaluated, mixing=None, history=kept)
        mixed, weights = self._mix(x, d, history, active)
        states = torch.cat([evaluated.output[: evaluated.first + 1], mixed])
        return replace(evaluated, states=states, mixing=weights, history=kept)

    @property
    def _staircase(self) -> bool:
        return self.mixing == "triangular"

    def _mix(
        self,
        x: torch.Tensor,
        d: torch.Tensor,
        history: list[tuple[torch.Tensor, torch.Tensor]],
        active: torch.Tensor,
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """The next active states (n, B, ...) and the weights alpha (n, B, m + 1)."""
        dx = torch.stack([x - past for past, _ in history])
        dd = torch.stack([d - past for _, past in history]).masked_fill(~active, 0)
        gamma = self._coefficients(d.masked_fill(~active, 0), dd)
        mixing = active
        if self._staircase:  # where the predecessor has just become exact: a plain step
            mixing = torch.cat([torch.zeros_like(active[:1]), active[:-1]])
        gamma = gamma.masked_fill(~mixing.flatten(2), 0)
        scale = gamma.movedim(-1, 0).reshape(*dx.shape[:3], *[1] * (x.ndim - 2))
        mixed = x + self.damping * d - (scale * (dx + self.damping * dd)).sum(0)
        mixed = torch.where(mixing, mixed, x + d)
        newest = 1 - gamma.sum(-1, keepdim=True)
        return mixed, torch.cat([newest, gamma], dim=-1)

    def _coefficients(self, d: torch.Tensor, dd: torch.Tensor) -> torch.Tensor:
        """gamma (n, B, m) of the regularised least-squares problems."""
        flat = dd.flatten(3).movedim(0, 2)  # (n, B, m, d)
        gram = flat @ flat.mT
        right = flat @ d.flatten(2)[..., None]
        if self.mixing == "joint":
            gram, right = (v.sum(0, keepdim=True).expand_as(v) for v in (gram, right))
        elif self.mixing == "triangular":
            gram, right = gram.cumsum(0), right.cumsum(0)
        memory = gram.shape[-1]
        mean_diagonal = gram.diagonal(dim1=-2, dim2=-1).mean(-1)[..., None, None]
        precision = torch.finfo(d.dtype)
        ridge = max(self.regularization, precision.eps) * mean_diagonal + precision.tiny
        eye = torch.eye(memory, dtype=d.dtype, device=d.device)
        if d.is_cuda:  # there the library's solver may make the host wait
            return eliminate(gram + ridge * eye, right)[..., 0]
        return torch.linalg.solve_ex(gram + ridge * eye, right)[0][..., 0]


def eliminate(matrix: torch.Tensor, right: torch.Tensor) -> torch.Tensor:
    """matrix^-1 right (..., m, 1) for positive definite matrices (..., m, m).

    By elimination without a choice of pivots, which waits for nothing.
    """
    both = torch.cat([matrix, right], dim=-1)
    for i in range(matrix.shape[-1]):
        row = both[..., i : i + 1, :] / both[..., i : i + 1, i : i + 1]
        others = both - both[..., i : i + 1] * row
        both = torch.cat([others[..., :i, :], row, others[..., i + 1 :, :]], dim=-2)
    return both[..., -1:]
