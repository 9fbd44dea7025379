"""Our operators as physics of deepinv, our priors as its denoisers.

deepinv has images in [0, 1], here they are in [-1, 1]. Operators are linear and do not mind; what
they measure of the same photo differs by :func:`measurement_to_unit_range`. Of priors
:class:`PriorDenoiser` takes care.
"""

from typing import Any

import numpy as np
import torch
from deepinv.models import Denoiser
from deepinv.physics import DecomposablePhysics, LinearPhysics
from torch import Tensor

from deqir_lite.checks import check_choice, check_kinds, check_size, deviations
from deqir_lite.operators.base import LinearOperator, Size
from deqir_lite.operators.spectral import SpectralOperator, reciprocal
from deqir_lite.priors.base import Prior, predict_x0


def to_physics(
    operator: LinearOperator,
    image_size: Size,
    *,
    dtype: torch.dtype = torch.float32,
    device: torch.device | str = "cpu",
    **options: Any,
) -> LinearPhysics:
    """The same operator as a deepinv physics, for images of ``image_size`` (H, W).

    Where the singular value decomposition is known, a ``DecomposablePhysics``: ``mask`` holds the
    singular values, (1, 3, H, W) or one for each image of a batch, in ``dtype``, which should be
    that of the images; ``V`` is orthonormal on all images, ``U`` where the mask is not zero. Else a
    ``LinearPhysics``. ``A_dagger`` is our A^+ in both. ``options`` are deepinv's, such as
    ``noise_model``. Raises ValueError for a size that the operator cannot take.
    """
    check_kinds(to_physics, locals())
    check_size("image_size", image_size)
    operator.measurement_shape(image_size)
    options |= {"img_size": (3, *image_size), "device": device}
    if not isinstance(operator, SpectralOperator):
        return _Linear(operator, **options)
    values = operator.singular_values(image_size)
    mask = values.expand(len(values), 3, *image_size).to(dtype)
    return _Decomposable(operator, mask=mask.contiguous(), **options)


class _Linear(LinearPhysics):
    def __init__(self, operator: LinearOperator, **options: Any) -> None:
        super().__init__(**options)
        self.operator = operator

    def A(self, x: Tensor, **_: Any) -> Tensor:
        return self.operator.applied(x)

    def A_adjoint(self, y: Tensor, **_: Any) -> Tensor:
        return self.operator.adjoint(y)

    def A_dagger(self, y: Tensor, **_: Any) -> Tensor:
        return self.operator.pinv(y)


class _Decomposable(DecomposablePhysics):
    """Not our direct forms of A and A^+: deepinv may be given other singular values later."""

    def __init__(self, operator: SpectralOperator, **options: Any) -> None:
        super().__init__(
            U=operator.u,
            U_adjoint=operator.ut,
            V=operator.v,
            V_adjoint=operator.vt,
            **options,
        )
        self.operator = operator

    def A_dagger(self, y: Tensor, mask: Tensor | None = None, **parameters: Any) -> Tensor:
        # deepinv drops singular values below 1e-5; ours are zero where they should be dropped
        self.update_parameters(mask=mask, **parameters)
        return self.V(reciprocal(self.mask) * self.U_adjoint(y))


class PriorDenoiser(Denoiser):
    r"""D(x, sigma) = E[u | x = u + sigma n] for images u in [0, 1], as a prior predicts it.

    With a = 1 / (1 + 4 sigma^2), sqrt(a) (2 x - 1) is the x_t of a timestep with abar_t = a, and
    D = (x_{0|t} + 1) / 2. A prior knows the levels of its N timesteps only. ``timestep`` says what
    is done between them:

    * ``nearest``: the level nearest in log sigma, one image through the network for each; it is off
      by at most a fifth at the lowest levels of the linear schedule, and by 1 % above sigma = .05,
    * ``interpolated``: linear in sigma between D of both neighbours, two images for each.

    Below the lowest level, D is that of the lowest, or with ``interpolated`` between x itself and
    that; D(x, 0) = x. Calls take x (B, 3, H, W) and sigma, a number or (B,); they can be
    differentiated in x. Raises ValueError for a sigma above the highest level.
    """

    def __init__(self, prior: Prior, *, timestep: str = "nearest") -> None:
        check_kinds(PriorDenoiser.__init__, locals())
        check_choice("timestep", timestep, ("nearest", "interpolated"))
        super().__init__()
        self.prior, self.timestep = prior, timestep
        table = prior.schedule.alpha_bar
        self._levels = ((1 - table) / table).sqrt() / 2  # in [0, 1], rising

    def forward(self, x: Tensor, sigma: float | Tensor, **_: Any) -> Tensor:
        """D(x, sigma), (B, 3, H, W)."""
        given: Any = sigma
        if isinstance(sigma, (Tensor, np.ndarray, np.generic)):
            flat = sigma.reshape(-1).tolist()
            given = flat[0] if len(flat) == 1 else flat
        each = deviations("sigma", given, len(x))
        last = float(self._levels[-1])
        if float(each.max()) > 1.001 * last:  # other tables are rounded to float32
            raise ValueError(
                f"sigma: got {float(each.max()):.4g}; the prior knows levels up to {last:.4g} of "
                "images in [0, 1]"
            )
        clean = each == 0
        if self.timestep == "nearest":
            out = self._at(x, self._nearest(each))
        else:
            out = self._between(x, each)
        return torch.where(_like(clean, x), x, out)

    def _nearest(self, sigma: Tensor) -> Tensor:
        log = sigma.clamp(min=float(self._levels[0])).log()
        return (self._levels.log() - log[:, None]).abs().argmin(dim=1)

    def _between(self, x: Tensor, sigma: Tensor) -> Tensor:
        above = torch.searchsorted(self._levels, sigma.contiguous()).clamp(
            max=len(self._levels) - 1
        )
        below = above - 1
        low = torch.where(below >= 0, self._levels[below], 0.0)
        share = ((sigma - low) / (self._levels[above] - low)).clamp(0, 1)
        both = self._at(torch.cat([x, x]), torch.cat([below.clamp(min=0), above]))
        first, second = both.chunk(2)
        first = torch.where(_like(below >= 0, x), first, x)
        return torch.lerp(first, second, _like(share, x))

    def _at(self, x: Tensor, t: Tensor) -> Tensor:
        """D at the levels of the timesteps t (B,)."""
        signal, noise = self.prior.schedule.at(t, x)
        x_t = signal * (2 * x - 1)
        eps = self.prior(x_t, t.to(x.device))
        return (predict_x0(x_t, eps, signal, noise) + 1) / 2


def _like(each: Tensor, x: Tensor) -> Tensor:
    value = each.to(x.device)
    value = value if value.dtype == torch.bool else value.to(x.dtype)
    return value.reshape(-1, *[1] * (x.ndim - 1))
