"""The fixed-point system x_{0:T-1} = F(x_{0:T-1}; (x_T, y)) of a chain (Eq. 8)."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch.nn.attention import SDPBackend, sdpa_kernel

from deqir_lite._repr import short_repr
from deqir_lite.chain import RestorationChain
from deqir_lite.checks import check_kinds
from deqir_lite.fixedpoint.cut import Cut
from deqir_lite.fixedpoint.models import LinearModel
from deqir_lite.methods import Prediction


@dataclass(frozen=True, eq=False)
class Sweep:
    """One evaluation of F on a window of n + 1 states.

    ``output`` (n+1, B, 3, H, W): the window after it, the first state as it was; ``residual`` (n,
    B, 3, H, W): h(x_{s+1}) - x_s of the others before it, which vanishes exactly when the window
    is a piece of the sequential chain; ``cut`` (B,): how much of what the network said about an
    image was not believed, as :class:`~deqir_lite.fixedpoint.cut.Cut` has it.
    """

    output: torch.Tensor
    residual: torch.Tensor
    cut: torch.Tensor

    __repr__ = short_repr


class FixedPointSystem:
    """F for one chain and one linear model of its steps.

    ``states`` (T+1, B, 3, H, W) are x_T, ..., x_0. F never changes x_T. With a ``cut`` the
    sweeps of a solver do not believe everything of a network; F and its derivatives do. Raises
    ValueError for a cut whose Gaussian prior has another noise schedule than the chain.
    """

    def __init__(
        self, chain: RestorationChain, model: LinearModel, *, cut: Cut | None = None
    ) -> None:
        check_kinds(FixedPointSystem.__init__, locals())
        if cut is not None:
            chain.check_schedule(cut.gaussian)
        self.chain = chain
        self.model = model
        self.cut = cut

    def __call__(self, states: torch.Tensor) -> torch.Tensor:
        """F(states) of all states (T+1, B, 3, H, W) (Eqs. 8 and 10)."""
        correction = self.model.correction(self.residual(states))
        return torch.cat([states[:1], states[1:] + correction])

    def sweep(
        self, window: torch.Tensor, first: int = 0, *, active: torch.Tensor | None = None
    ) -> Sweep:
        """F on the ``window`` states[first], ..., states[first + n], (n+1, B, 3, H, W), in one
        network call.

        The first state is taken as solved. Where ``active``, which broadcasts to the n others, is
        False, they count as solved, too, and their residual as zero. What the network says about
        solved states is never cut, so that the first unsolved state becomes exact. Nothing in a
        sweep waits for the device, but for operators and methods that iterate, and for the cut.
        """
        residual, believed, taken = self._residuals(window, first, active)
        if active is not None:
            residual, believed = (torch.where(active, r, 0) for r in (residual, believed))
        correction = self.model.correction(believed, first)
        return Sweep(torch.cat([window[:1], window[1:] + correction]), residual, taken)

    def _residuals(
        self, window: torch.Tensor, first: int, active: torch.Tensor | None
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Those of the window, those that are believed, and what was cut."""
        before = window[:-1]
        asked = self.chain.asked(before, first)
        residual, uncut = (
            self.residual(window, first, asked=asked),
            window.new_zeros(len(window[0])),
        )
        if self.cut is None or asked is None:
            return residual, residual, uncut
        unsolved = torch.zeros_like(before[..., :1, :1, :1], dtype=torch.bool)
        unsolved[1:] = (
            True if active is None else active.expand(len(before), *active.shape[1:])[:-1]
        )
        rows = slice(None) if isinstance(asked.steps, slice) else asked.steps - first
        held, taken = self.cut(self.chain, asked, unsolved[rows])
        if held is asked:
            return residual, residual, taken
        return residual, self.residual(window, first, asked=held), taken

    def residual(
        self, window: torch.Tensor, first: int = 0, *, asked: Prediction | None = None
    ) -> torch.Tensor:
        """r = h(x_{s+1}) - x_s for all states of the window but its first, (n, B, 3, H, W); the
        network is taken to have said what was ``asked``, if that is given."""
        before = window[:-1]
        asked = self.chain.asked(before, first) if asked is None else asked
        return self.chain.stepped(before, asked, first) - window[1:]

    def jvp(self, states: torch.Tensor, v: torch.Tensor) -> torch.Tensor:
        """J v at ``states``: how F's outputs x_{T-1}, ..., x_0 answer a change v of the same
        states.

        v and the result are (T, B, 3, H, W). J is strictly block lower triangular in time.

        u -> J^T u is linear, and its transpose is J. So two reverse passes do what forward mode
        cannot do in networks: it is not implemented for their attention and normalisation layers.
        """
        with sdpa_kernel(SDPBackend.MATH):  # the fast attention kernels have no second derivative
            pullback = torch.func.vjp(self._function(states), states[1:])[1]
            return torch.func.vjp(lambda u: pullback(u)[0], torch.zeros_like(v))[1](v)[0]

    def vjp(self, states: torch.Tensor, v: torch.Tensor) -> torch.Tensor:
        """J^T v at ``states``, shapes as in :meth:`jvp`."""
        return torch.func.vjp(self._function(states), states[1:])[1](v)[0]

    def _function(self, states: torch.Tensor) -> Callable[[torch.Tensor], torch.Tensor]:
        return lambda x: self(torch.cat([states[:1], x]))[1:]

    def __repr__(self) -> str:
        cut = "" if self.cut is None else f", cut={self.cut!r}"
        return f"FixedPointSystem({self.chain!r}, {self.model!r}{cut})"
