"""What a sweep may assume about the steps: linear models L of their Jacobians.

For any linear operators L_s the chain x_s = h_s(x_{s+1}) can be written
    x_s = L_s x_{s+1} + [h_s(x_{s+1}) - L_s x_{s+1}].
Taking the bracket at the old states and solving the linear recursion exactly gives one sweep.
With the step residuals r_s = h_s(x_{s+1}) - x_s of the old states, the correction d of a sweep is
    d_s = r_s + L_s d_{s+1},   d_T = 0,
which is Newton's method with L in the place of the Jacobian. Every L has the same fixed point.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable

import torch

from deqir_lite.chain import RestorationChain
from deqir_lite.checks import check_choice
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


class JacobiModel(LinearModel):
    """L = 0: every state simply takes its predecessor's step."""

    def apply(self, v: torch.Tensor, k: int) -> torch.Tensor:
        """0."""
        return torch.zeros_like(v)

    def correction(self, residual: torch.Tensor, first: int = 0) -> torch.Tensor:
        """d = r."""
        return residual

    def correction_adjoint(self, u: torch.Tensor, first: int = 0) -> torch.Tensor:
        """w = u."""
        return u


class NoiseFormModel(LinearModel):
    """L_s = sqrt(abar_s / abar_{s+1}) N, N = I - A^+ A: Proposition 1 of the paper.

    N is a projector, so the recursion has the closed form of Eq. 9: with u = d / sqrt(abar) it is
    one prefix sum over the null-space parts of the residuals.
    """

    def apply(self, v: torch.Tensor, k: int) -> torch.Tensor:
        """sqrt(abar_s / abar_{s+1}) N v."""
        alpha_bar = self.chain.coefficients.alpha_bar
        return float((alpha_bar[k + 1] / alpha_bar[k]).sqrt()) * self.chain.consistency.null(v)

    def correction(self, residual: torch.Tensor, first: int = 0) -> torch.Tensor:
        """d_s = r_s + sqrt(abar_s) sum_{j > s} N r_j / sqrt(abar_j) (Eq. 9 on residuals)."""
        chain = self.chain
        rows = slice(first + 1, first + 1 + len(residual))
        root = chain.per_step(chain.coefficients.alpha_bar[rows].sqrt())
        scaled = chain.consistency.null(residual) / root
        earlier = scaled.cumsum(dim=0) - scaled
        return residual + root * earlier

    def apply_adjoint(self, v: torch.Tensor, k: int) -> torch.Tensor:
        """L v: an orthogonal projector is symmetric."""
        return self.apply(v, k)

    def correction_adjoint(self, u: torch.Tensor, first: int = 0) -> torch.Tensor:
        """w_s = u_s + N sum_{j < s} sqrt(abar_j) u_j / sqrt(abar_s): a sum from the clean end."""
        chain = self.chain
        rows = slice(first + 1, first + 1 + len(u))
        root = chain.per_step(chain.coefficients.alpha_bar[rows].sqrt())
        scaled = chain.consistency.null(root * u)
        later = scaled.flip(0).cumsum(dim=0).flip(0) - scaled
        return u + later / root


class DataFormModel(LinearModel):
    """L_s = r_s I, r_s = c2_s / sqrt(1 - abar_{s+1}): the share of x_{s+1} that survives a step.

    It needs no projector, so it holds for any consistency step. r = 0 in the last step, which
    is why the recursion is evaluated as a scan and never by dividing cumulative products.
    """

    def __init__(self, chain: RestorationChain) -> None:
        super().__init__(chain)
        c = chain.coefficients
        self.ratios: list[float] = (c.c2 / (1 - c.source).sqrt()).tolist()
        """r of every step, noisiest first (T,)."""

    def apply(self, v: torch.Tensor, k: int) -> torch.Tensor:
        """r_s v."""
        return self.ratios[k] * v

    def apply_adjoint(self, v: torch.Tensor, k: int) -> torch.Tensor:
        """r_s v."""
        return self.ratios[k] * v


class GaussianFormModel(LinearModel):
    """L_s = the exact linear part of the step under a Gaussian photo prior with covariance Lam:

    L_s v = sqrt(abar_s) N W v + c2_s (v - sqrt(abar_{s+1}) W v) / sqrt(1 - abar_{s+1}),
    W = sqrt(abar) Lam (abar Lam + 1 - abar)^-1.

    This is parareal with a coarse propagator that costs no network call; under the Gaussian
    prior itself one sweep ends at the fixed point.
    """

    def __init__(self, chain: RestorationChain, gaussian: GaussianPrior) -> None:
        super().__init__(chain)
        self.gaussian = gaussian

    def apply(self, v: torch.Tensor, k: int) -> torch.Tensor:
        """Two FFTs, one projection."""
        c = self.chain.coefficients
        source, target = float(c.source[k]), float(c.target[k])
        denoised = self.gaussian.wiener(v, source)
        noise = (v - source**0.5 * denoised) / (1 - source) ** 0.5
        return target**0.5 * self.chain.consistency.null(denoised) + float(c.c2[k]) * noise

    def apply_adjoint(self, v: torch.Tensor, k: int) -> torch.Tensor:
        """L^T v = W (sqrt(abar_s) N v - sqrt(abar_{s+1}) q v) + q v,
        q = c2_s / sqrt(1 - abar_{s+1}); W is symmetric."""
        c = self.chain.coefficients
        source, target = float(c.source[k]), float(c.target[k])
        kept = float(c.c2[k]) / (1 - source) ** 0.5 * v
        seen = target**0.5 * self.chain.consistency.null(v) - source**0.5 * kept
        return self.gaussian.wiener(seen, source) + kept


FORMS = ("noise", "data", "gaussian", "jacobi")


def make_model(
    form: str, chain: RestorationChain, gaussian: GaussianPrior | None = None
) -> LinearModel:
    """The linear model of the given name: ``noise`` (Proposition 1), ``data``, ``gaussian``,
    ``jacobi``.

    The Gaussian form needs ``gaussian``, a :class:`GaussianPrior` with the chain's schedule.
    """
    check_choice("form", form, FORMS)
    if form == "gaussian":
        if gaussian is None:
            raise ValueError("gaussian: got None; the Gaussian form needs a GaussianPrior")
        return GaussianFormModel(chain, gaussian)
    models: dict[str, Callable[[RestorationChain], LinearModel]]
    models = {"noise": NoiseFormModel, "data": DataFormModel, "jacobi": JacobiModel}
    return models[form](chain)
