"""The consistency step of a method: from what the network predicts to an x0^ that explains y."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass

import torch

from deqir_lite._repr import short_repr
from deqir_lite.measurement import Measurement
from deqir_lite.methods.coefficients import StepCoefficients
from deqir_lite.priors.base import Prior

Steps = slice | torch.Tensor
"""Which steps of a chain, to index what has one entry a step; a tensor lies where the states are.
"""


@dataclass(frozen=True, eq=False)
class Prediction:
    """What one batched network call says about n states of a chain, each (n, B, 3, H, W).

    * ``states``: x_{s+1}, which the network was asked about,
    * ``eps``: the predicted noise; ``x0``: x_{0|t} = (x_{s+1} - sqrt(1 - abar) eps) / sqrt(abar),
    * ``steps``: which steps these are,
    * ``pullback``: v -> (d x0 / d states)^T v, one backward pass of the network; None unless the
      method asks for it with ``needs_pullback``.
    """

    states: torch.Tensor
    eps: torch.Tensor
    x0: torch.Tensor
    steps: Steps
    pullback: Callable[[torch.Tensor], torch.Tensor] | None = None

    __repr__ = short_repr


class ConsistencyStep(ABC):
    """x0^ = C(x_{0|t}): one for each chain, since it may depend on y, on the timesteps and on the
    prior.

    ``knows_noise`` says that x0^ takes the noise sigma_y in y into account; ``needs_pullback``
    that predictions must bring one; ``linear_is_null`` that :meth:`linear` is N = I - A^+ A in all
    steps: then sums of steps have closed forms. So they have where ``linear_weight`` says that it
    is V diag(w_t) V^T with the singular vectors V of the operator, (T, 1 or B, ...).
    """

    knows_noise = False
    needs_pullback = False
    linear_is_null = False
    linear_weight: torch.Tensor | None = None

    @property
    def meets_y(self) -> bool:
        """Whether A x0^ = y whatever x_{0|t} is."""
        return False

    def __init__(
        self, measurement: Measurement, coefficients: StepCoefficients, prior: Prior
    ) -> None:
        self.measurement, self.coefficients, self.prior = measurement, coefficients, prior

    def start(self, white: torch.Tensor, *, informed: bool) -> torch.Tensor:
        """x_T (B, 3, H, W) from ``white`` noise: that itself, or A^+ y at its noise level where the
        chain begins late and is ``informed``."""
        if not informed:
            return white
        abar = self.coefficients.alpha_bar[0]
        return float(abar.sqrt()) * self.measurement.pinv_y + float((1 - abar).sqrt()) * white

    def draw(self, white: torch.Tensor, white_y: torch.Tensor) -> torch.Tensor:
        """What a draw of x_0 has beside x0^ (T, B, 3, H, W), for steps that know a spread."""
        raise ValueError(
            f"rule: it draws around x0^, but {type(self).__name__} knows no spread of it; take the "
            "weighted step"
        )

    @abstractmethod
    def __call__(self, prediction: Prediction) -> torch.Tensor:
        """x0^ (n, B, 3, H, W)."""

    @abstractmethod
    def linear(self, v: torch.Tensor, steps: Steps) -> torch.Tensor:
        """C v (n, B, 3, H, W): the linear part, which answers a change v of x_{0|t}; or something
        near it that is cheaper, since it only serves the linear models of sweeps."""

    @abstractmethod
    def linear_adjoint(self, v: torch.Tensor, steps: Steps) -> torch.Tensor:
        """C^T v, shapes as in :meth:`linear`."""

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.measurement.operator!r})"
