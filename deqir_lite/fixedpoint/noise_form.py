"""The noise form of the fixed-point system: Proposition 1, for every method."""

from functools import cached_property

import torch

from deqir_lite.chain import RestorationChain
from deqir_lite.fixedpoint.denoisers import noise_held
from deqir_lite.fixedpoint.models import DenoiserModel


class NoiseFormModel(DenoiserModel):
    """W v = v / sqrt(abar): the noise is held. Under DDNM's step this is Proposition 1,
    L_s = sqrt(abar_s / abar_{s+1}) N, N = I - A^+ A.

    N is a projector, so the recursion has the closed form of Eq. 9: with u = d / sqrt(abar) it is
    one prefix sum over the null-space parts of the residuals. Where y has noise, or the noise rule
    looks at it, N is a weight in the singular basis, L_s = V diag(l_s) V^T, and

        d_s = V sum_{j >= s} (prod_{s <= i < j} l_i) V^T r_j:

    each coefficient has a recursion of its own, between one V^T and one V for all steps. Elsewhere
    the recursion stays a recursion of images.
    """

    def __init__(self, chain: RestorationChain) -> None:
        super().__init__(chain, noise_held)
        c = chain.coefficients
        plain = c.weights.a.ndim == 1 and torch.equal(c.weights.a, c.target.sqrt())
        self._closed = chain.linear_is_null and plain and not chain.keeps_state

    def apply(self, v: torch.Tensor, k: int) -> torch.Tensor:
        """a C v / sqrt(abar_{s+1}) + b v: eps does not move."""
        fitted = self.chain.linear(v, k)
        changed = self._weighed("a", fitted / self._source[k] ** 0.5, k)
        return self._with_kept(changed, v, k)

    def correction(self, residual: torch.Tensor, first: int = 0) -> torch.Tensor:
        """d_s = r_s + sqrt(abar_s) sum_{j > s} N r_j / sqrt(abar_j) (Eq. 9 on residuals), or with
        weights as above."""
        if self._closed:
            root = self._root(residual, first)
            scaled = self.chain.measurement.null(residual) / root
            return residual + root * (scaled.cumsum(dim=0) - scaled)
        if self._diagonal is None:
            return super().correction(residual, first)
        rows = list(self.chain.measurement.coefficients(residual))
        for i in range(1, len(rows)):
            rows[i] = rows[i] + self._diagonal[first + i] * rows[i - 1]
        return self.chain.measurement.image(torch.stack(rows))

    def apply_adjoint(self, v: torch.Tensor, k: int) -> torch.Tensor:
        """C^T a v / sqrt(abar_{s+1}) + b v."""
        fitted = self._weighed("a", v, k)
        fitted = self.chain.linear_adjoint(fitted, k)
        return self._with_kept(fitted / self._source[k] ** 0.5, v, k)

    def correction_adjoint(self, u: torch.Tensor, first: int = 0) -> torch.Tensor:
        """w_s = u_s + N sum_{j < s} sqrt(abar_j) u_j / sqrt(abar_s): a sum from the clean end; or
        with weights in its place."""
        if self._closed:
            root = self._root(u, first)
            scaled = self.chain.measurement.null(root * u)
            return u + (scaled.flip(0).cumsum(dim=0).flip(0) - scaled) / root
        if self._diagonal is None:
            return super().correction_adjoint(u, first)
        rows = list(self.chain.measurement.coefficients(u))
        for i in range(len(rows) - 1, 0, -1):
            rows[i - 1] = rows[i - 1] + self._diagonal[first + i] * rows[i]
        return self.chain.measurement.image(torch.stack(rows))

    @cached_property
    def _diagonal(self) -> torch.Tensor | None:
        """l of all steps, (T, 1 or B, ...), where L is diagonal in the singular basis."""
        kept = self.chain.consistency.linear_weight
        if kept is None:
            return None
        w = self.chain.weights(slice(None))
        return w.a * kept / self.chain.roots[:-1] + w.b

    def _root(self, v: torch.Tensor, first: int) -> torch.Tensor:
        return self.chain.roots[first + 1 : first + 1 + len(v)]
