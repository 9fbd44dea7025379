"""The consistency step in the prior's norm: the measurement also tells what was not measured.

Range-null consistency leaves everything as it is that A does not see. But a pixel beside a hole
says something about the hole: how much, a Gaussian photo prior knows. Given x_t it expects x_0 at
the prediction x_{0|t} with the covariance C_t, and the best correction of the prediction is
    x0^ = x_{0|t} + K_t (y - A x_{0|t}),   K_t = C_t A^T (A C_t A^T + sigma_y^2 I)^-1.
"""

import warnings
from functools import cached_property

import torch

from deqir_lite.measurement import Measurement
from deqir_lite.methods.coefficients import StepCoefficients
from deqir_lite.methods.consistency import ConsistencyStep, Prediction, Steps
from deqir_lite.operators.base import check_adjoint
from deqir_lite.operators.spectral import SpectralOperator
from deqir_lite.priors.base import Prior, model_name
from deqir_lite.priors.conditioning import Conditioning, NotSolved
from deqir_lite.priors.gaussian import GaussianPrior
from deqir_lite.priors.load import foreign_gaussian, gaussian_of

_KEPT = 2**25
"""Values of T images up to which the filters of all steps are kept; else they are made anew."""


class WeightedConsistency(ConsistencyStep):
    """x0^ = x_{0|t} + K_t (y - A x_{0|t}), exactly E[x_0 | x_t, y] under the Gaussian prior.

    C_t = Lam (1 - abar_t) (abar_t Lam + 1 - abar_t)^-1 is the covariance of x_0 given x_t. Without
    noise K_t is the weighted pseudo-inverse of A (Elden 1982), A x0^ = y, and I - K_t A is an
    oblique projector onto the null space. C_t = I would be DDNM's step.

    ``gaussian`` is by default the Gaussian part of the prior; a prior without gets, and says so,
    the one of its folder or the bundled one. ``tolerance`` is that of the solves, by default 1e-11
    in float64. In float32 it is .02, and they end after 40 iterations: in pictures more changes
    less than .1 dB. Raises ValueError for an operator whose adjoint is none, and for a solve that
    does not converge.
    """

    knows_noise = True
    linear_is_null = True

    def __init__(
        self,
        measurement: Measurement,
        coefficients: StepCoefficients,
        prior: Prior,
        *,
        gaussian: GaussianPrior | None = None,
        tolerance: float | None = None,
    ) -> None:
        super().__init__(measurement, coefficients, prior)
        self.gaussian = gaussian or gaussian_of(prior)
        if gaussian is None and (source := foreign_gaussian(prior)):
            name = model_name(getattr(prior, "prior", prior))
            warnings.warn(
                f"prior: {name} has no Gaussian part; the weighted step takes the covariance of "
                f"{source}",
                stacklevel=1,  # from here, so that it is said once
            )
        operator = measurement.operator
        if not isinstance(operator, SpectralOperator):
            check_adjoint("operator", operator.applied, operator.adjoint, measurement.pinv_y)
        if not torch.equal(self.gaussian.schedule.alpha_bar, prior.schedule.alpha_bar):
            raise ValueError("gaussian: its noise schedule differs from that of the prior")
        self._double = measurement.pinv_y.dtype == torch.float64
        self.tolerance = (1e-11 if self._double else 0.02) if tolerance is None else tolerance

    def __call__(self, prediction: Prediction) -> torch.Tensor:
        """As above."""
        x0, m = prediction.x0, self.measurement
        y, known = (v.expand(len(x0), *v.shape).flatten(0, 1) for v in (m.y, m.pinv_y))
        return self._conditioned(x0.flatten(0, 1), y, known, prediction.steps).view_as(x0)

    @property
    def meets_y(self) -> bool:
        """Where no y has noise."""
        return all(self.measurement.exact)

    def linear(self, v: torch.Tensor, steps: Steps) -> torch.Tensor:
        """N v = (I - A^+ A) v instead of (I - K_t A) v: near enough for the linear model of a
        sweep, which may be any, and without a solve."""
        return self.measurement.null(v)

    def linear_adjoint(self, v: torch.Tensor, steps: Steps) -> torch.Tensor:
        """N v."""
        return self.measurement.null(v)

    def draw(self, white: torch.Tensor, white_y: torch.Tensor) -> torch.Tensor:
        """What a draw from p(x_0 | x_t, y) has beside its mean x0^, for all steps, under the
        Gaussian prior: z - K_t (A z + n) with z ~ N(0, C_t) and n ~ N(0, sigma_y^2 I).

        ``white`` and ``white_y`` (T, B, 3, H, W) are standard normal; the second stands for n in
        the singular basis and is not looked at without noise.
        """
        steps, m = slice(0, len(white)), self.measurement
        z = self._conditioning_of(steps).correlate(white.flatten(0, 1))
        n = torch.zeros_like(m.y).repeat(len(white), *[1] * (m.y.ndim - 1))
        if not self.meets_y:
            if not isinstance(m.operator, SpectralOperator):
                raise ValueError(
                    f"rule: draws with noise in y need a singular basis; {m.operator!r} has none"
                )
            n = m.operator.u((m.sigma_y[:, None, None, None] * white_y).flatten(0, 1))
        return self._conditioned(z, -n, torch.zeros_like(z), steps).view_as(white)

    def _conditioned(
        self, x: torch.Tensor, y: torch.Tensor, known: torch.Tensor, steps: Steps
    ) -> torch.Tensor:
        """x + K_t (y - A x) for n * B images; ``known`` is A^+ y, from which exact y are met.

        Where some images have noise and others none, each kind is solved for with zeros in place
        of the other: these are their own solution, so that every image gets what it would alone.
        """
        m, conditioning = self.measurement, self._conditioning_of(steps)
        exact = (m.sigma_y == 0).repeat(len(x) // len(m.y))
        of_x, of_y = (exact.reshape(-1, *[1] * (like.ndim - 1)) for like in (x, y))
        met = noisy = x
        try:
            if self.meets_y:
                return known + conditioning.project(x - known)
            if any(m.exact):
                met = known + conditioning.project(torch.where(of_x, x - known, 0))
            if not all(m.exact):
                missing = y - m.operator.applied(x)
                noisy = x + conditioning.gain(torch.where(of_y, 0, missing))
        except NotSolved as error:
            timestep = self.coefficients.timesteps[steps][error.entry // len(m.y)]
            raise ValueError(f"{error} (in the step from timestep {timestep})") from error
        return torch.where(of_x, met, noisy)

    def _conditioning_of(self, steps: Steps) -> Conditioning:
        """K_t of some steps, each for all images. Of small photos that of all steps is kept."""
        image = self.measurement.pinv_y[0].numel()
        if self.coefficients.num_steps * image <= _KEPT:
            return self._conditioning.of_groups(steps)
        return self._make_conditioning(steps, self._shares)

    @cached_property
    def _conditioning(self) -> Conditioning:
        return self._make_conditioning(slice(None), None)

    @cached_property
    def _shares(self) -> list[float] | None:
        """What is tried out once, with the first step, and serves all."""
        return self._make_conditioning(slice(1), None).shares

    def _make_conditioning(self, steps: Steps, shares: list[float] | None) -> Conditioning:
        m = self.measurement
        return Conditioning(
            self.gaussian,
            m.operator,
            self._variances(steps),
            like=m.pinv_y,
            sigma_y=m.sigma_y,
            tolerance=self.tolerance,
            floor=1e-9 if self._double else 1e-5,
            most_iterations=None if self._double else 40,
            shares=shares,
        )

    def _variances(self, steps: Steps) -> torch.Tensor:
        """C_t of n steps in the eigenbasis of Lam, (n, 3, H, W // 2 + 1)."""
        like = self.measurement.pinv_y
        source = self.coefficients.source.to(device=like.device, dtype=like.dtype)[steps]
        source, eigenvalues = source[:, None, None, None], self.gaussian.eigenvalues(like)
        return eigenvalues * (1 - source) / (source * eigenvalues + 1 - source)
