"""The fixed-point system x_{0:T-1} = F(x_{0:T-1}; (x_T, y)) of a chain (Eq. 8)."""

from collections.abc import Callable

import torch
from torch.nn.attention import SDPBackend, sdpa_kernel

from deqir_lite.chain import RestorationChain
from deqir_lite.fixedpoint.models import LinearModel


class FixedPointSystem:
    """F for one chain and one linear model of its steps.

    ``states`` (T+1, B, 3, H, W) are x_T, ..., x_0. F never changes x_T; with ``first`` > 0 the
    states up to states[first] are taken as solved and only the later ones are evaluated.
    """

    def __init__(self, chain: RestorationChain, model: LinearModel) -> None:
        self.chain = chain
        self.model = model

    def residual(self, states: torch.Tensor, first: int = 0) -> torch.Tensor:
        """r = h(x_{s+1}) - x_s for states[first+1:], (T-first, B, 3, H, W); one network call.

        It vanishes exactly when the states are the sequential chain.
        """
        return self.chain.steps(states[first:-1], first) - states[first + 1 :]

    def sweep(self, states: torch.Tensor, first: int = 0) -> torch.Tensor:
        """F(states) of all states (T+1, B, 3, H, W) (Eqs. 8 and 10)."""
        correction = self.model.correction(self.residual(states, first), first)
        return torch.cat([states[: first + 1], states[first + 1 :] + correction])

    def jvp(self, states: torch.Tensor, v: torch.Tensor) -> torch.Tensor:
        """J_F v at ``states``: how F's outputs x_{T-1}, ..., x_0 answer a change v of the same
        states.

        v and the result are (T, B, 3, H, W). J_F is strictly block lower triangular in time.

        u -> J_F^T u is linear, and its transpose is J_F. So two reverse passes do what forward mode
        cannot do in networks: it is not implemented for their attention and normalisation layers.
        """
        with sdpa_kernel(SDPBackend.MATH):  # the fast attention kernels have no second derivative
            pullback = torch.func.vjp(self._function(states), states[1:])[1]
            return torch.func.vjp(lambda u: pullback(u)[0], torch.zeros_like(v))[1](v)[0]

    def vjp(self, states: torch.Tensor, v: torch.Tensor) -> torch.Tensor:
        """J_F^T v at ``states``, shapes as in :meth:`jvp`."""
        return torch.func.vjp(self._function(states), states[1:])[1](v)[0]

    def _function(self, states: torch.Tensor) -> Callable[[torch.Tensor], torch.Tensor]:
        return lambda x: self.sweep(torch.cat([states[:1], x]))[1:]
