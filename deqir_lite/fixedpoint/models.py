"""What a sweep may assume about the steps: linear models L of their Jacobians.

For any linear operators L_s the chain x_s = h_s(x_{s+1}) can be written
    x_s = L_s x_{s+1} + [h_s(x_{s+1}) - L_s x_{s+1}].
Taking the bracket at the old states and solving the linear recursion exactly gives one sweep.
With the step residuals r_s = h_s(x_{s+1}) - x_s of the old states, the correction d of a sweep is
    d_s = r_s + L_s d_{s+1},   d_T = 0,
which is Newton's method with L in the place of the Jacobian. Every L has the same fixed point.
"""

from abc import ABC, abstractmethod
from functools import cached_property

import torch

from deqir_lite.chain import RestorationChain
from deqir_lite.checks import check_interval
from deqir_lite.fixedpoint.denoisers import LinearDenoiser, data_held, wiener
from deqir_lite.priors.gaussian import GaussianPrior


class LinearModel(ABC):
    """L_s for all steps of one chain."""

    def __init__(self, chain: RestorationChain) -> None:
        self.chain = chain

    @abstractmethod
    def apply(self, v: torch.Tensor, k: int) -> torch.Tensor:
        """L v for the step from states[k] to states[k+1]; v (B, 3, H, W)."""

    def correction(self, residual: torch.Tensor, first: int = 0) -> torch.Tensor:
        """Solve d = r + L d for the residuals r (n, B, 3, H, W) of states[first+1], ....

        states[first] is held fixed. This is forward substitution, O(n) applications of L.
        """
        corrections = [residual[0]]
        for i in range(1, len(residual)):
            corrections.append(residual[i] + self.apply(corrections[-1], first + i))
        return torch.stack(corrections)

    def apply_adjoint(self, v: torch.Tensor, k: int) -> torch.Tensor:
        """L^T v for the same step; by autograd here, in closed form in the models below."""
        return torch.func.vjp(lambda x: self.apply(x, k), torch.zeros_like(v))[1](v)[0]

    def correction_adjoint(self, u: torch.Tensor, first: int = 0) -> torch.Tensor:
        """Solve w = u + L^T w, the adjoint of :meth:`correction`, shapes as there.

        Gradients run against the chain, w_s = u_s + L_{s-1}^T w_{s-1}: backward substitution from
        the cleanest state.
        """
        adjoints = [u[-1]]
        for i in range(len(u) - 1, 0, -1):
            adjoints.append(u[i - 1] + self.apply_adjoint(adjoints[-1], first + i))
        return torch.stack(adjoints[::-1])

    def __repr__(self) -> str:
        return f"{type(self).__name__}(T={self.chain.num_steps})"


class DenoiserModel(LinearModel):
    """The linear model of a step x_s = a x0^ + b x_{s+1} + c2 eps + c1 xi for a linear denoiser W:

    L_s v = a C(W v) + b v + c2 (v - sqrt(abar_{s+1}) W v) / sqrt(1 - abar_{s+1}),

    with C the linear part of the method's consistency step, or what the method says instead. So
    every method has every form. Where W is the Jacobian of the prior's own denoiser and C is
    exact, L is the Jacobian of the step.
    """

    def __init__(self, chain: RestorationChain, denoiser: LinearDenoiser) -> None:
        super().__init__(chain)
        self.denoiser = denoiser
        self._source: list[float] = chain.coefficients.source.tolist()

    def apply(self, v: torch.Tensor, k: int) -> torch.Tensor:
        """As above."""
        source = self._source[k]
        guess = self.denoiser(v, source)
        noise = torch.sub(v, guess, alpha=source**0.5)
        fitted = self.chain.linear(guess, k)
        noise = self._remembered(self._weighed_noise(noise, k), k)
        changed = self._weighed("a", fitted, k) + noise
        return self._with_kept(changed, v, k)

    def apply_adjoint(self, v: torch.Tensor, k: int) -> torch.Tensor:
        """L^T v = W (C^T a v - sqrt(abar_{s+1}) q v) + b v + q v,
        q = c2 / sqrt(1 - abar_{s+1}); W and the weights are symmetric."""
        source = self._source[k]
        noise = self._weighed_noise(self._remembered_adjoint(v, k), k)
        fitted = self.chain.linear_adjoint(self._weighed("a", v, k), k)
        changed = self.denoiser(torch.sub(fitted, noise, alpha=source**0.5), source) + noise
        return self._with_kept(changed, v, k)

    def _weighed(self, name: str, v: torch.Tensor, k: int) -> torch.Tensor:
        numbers = self._numbers[name]
        if numbers is not None:
            return numbers[k] * v
        weights = self.chain.weights(slice(k, k + 1))
        return self.chain.weigh(getattr(weights, name), v[None])[0]

    def _weighed_noise(self, v: torch.Tensor, k: int) -> torch.Tensor:
        """c2 v / sqrt(1 - abar_{s+1}): what sqrt(1 - abar) eps = v brings to x_s."""
        level, numbers = (1 - self._source[k]) ** 0.5, self._numbers["c2"]
        return self._weighed("c2", v, k) / level if numbers is None else numbers[k] / level * v

    def _remembered(self, v: torch.Tensor, k: int) -> torch.Tensor:
        """How much of a change of the noise in x_s is kept: all of it."""
        return v

    def _remembered_adjoint(self, v: torch.Tensor, k: int) -> torch.Tensor:
        """The transpose of :meth:`_remembered`."""
        return v

    def _with_kept(self, changed: torch.Tensor, v: torch.Tensor, k: int) -> torch.Tensor:
        return changed + self._weighed("b", v, k) if self.chain.keeps_state else changed

    @cached_property
    def _numbers(self) -> dict[str, list[float] | None]:
        """Weights that are one number a step, where no kernel need fetch them; None: diagonals."""
        weights = self.chain.coefficients.weights._asdict()
        return {name: w.tolist() if w.ndim == 1 else None for name, w in weights.items()}


class DataFormModel(DenoiserModel):
    """W = 0: x_0 is held. L_s = b + c2 / sqrt(1 - abar_{s+1}): the share of x_{s+1} that survives
    a step.

    It needs neither W nor C. The share is 0 in the last step of DDNM, which is why the recursion is
    evaluated as a scan and never by dividing cumulative products.
    """

    def __init__(self, chain: RestorationChain) -> None:
        super().__init__(chain, data_held)

    def apply(self, v: torch.Tensor, k: int) -> torch.Tensor:
        """As above."""
        return self._with_kept(self._weighed_noise(v, k), v, k)

    def apply_adjoint(self, v: torch.Tensor, k: int) -> torch.Tensor:
        """L v: the weights are symmetric."""
        return self.apply(v, k)


class GaussianFormModel(DenoiserModel):
    """W = sqrt(abar) Lam (abar Lam + 1 - abar)^-1, the Wiener filter of a Gaussian photo prior.

    L is then the linear part of the step under that prior, exact where the method's C is. This is
    parareal with a coarse propagator that costs no network call; under the Gaussian prior itself
    one sweep then ends at the fixed point, and of a prior "Gaussian plus rest" only the rest is
    left to the sweeps.

    With ``kept`` below 1 it forgets: of how the predicted noise answers, only this share is kept
    where the method replaces what x_0 says, the range of A,
        L_s v = a C(W v) + b v + c2 (C + kept (I - C)) (v - sqrt(abar_{s+1}) W v) / sqrt(1 - abar).
    In a network errors of the noise die away faster there than in a Gaussian; where eta is small
    and the chain long, nothing else in the step makes the sweeps forget them. The fixed point is
    the same, under the Gaussian prior too, but one sweep no longer ends there. The estimate of the
    error of x_0 (:class:`deqir_lite.solvers.stopping.ErrorEstimate`) takes a sweep for one that
    does: with .6 it ended no solve that was tried below 40 dB, with .8 some.
    """

    def __init__(
        self, chain: RestorationChain, gaussian: GaussianPrior, *, kept: float = 1.0
    ) -> None:
        super().__init__(chain, wiener(gaussian))
        self.kept = check_interval("kept", kept, 0.0, 1.0)

    def _remembered(self, v: torch.Tensor, k: int) -> torch.Tensor:
        return v if self.kept == 1 else torch.lerp(self.chain.linear(v, k), v, self.kept)

    def _remembered_adjoint(self, v: torch.Tensor, k: int) -> torch.Tensor:
        return v if self.kept == 1 else torch.lerp(self.chain.linear_adjoint(v, k), v, self.kept)


class JacobiModel(LinearModel):
    """L = 0: every state simply takes its predecessor's step. It stands beside the family of W."""

    def apply(self, v: torch.Tensor, k: int) -> torch.Tensor:
        """0."""
        return torch.zeros_like(v)

    def correction(self, residual: torch.Tensor, first: int = 0) -> torch.Tensor:
        """d = r."""
        return residual

    def correction_adjoint(self, u: torch.Tensor, first: int = 0) -> torch.Tensor:
        """w = u."""
        return u


class IncrementModel(LinearModel):
    """L = I: every state keeps what its predecessors gain, as the increments of ParaDiGMS do (Shih
    et al. 2023). It stands beside the family of W, too."""

    def apply(self, v: torch.Tensor, k: int) -> torch.Tensor:
        """v."""
        return v

    def correction(self, residual: torch.Tensor, first: int = 0) -> torch.Tensor:
        """d_s = sum_{j >= s} r_j."""
        return residual.cumsum(dim=0)

    def correction_adjoint(self, u: torch.Tensor, first: int = 0) -> torch.Tensor:
        """w_s = sum_{j <= s} u_j."""
        return u.flip(0).cumsum(dim=0).flip(0)
