"""DDRM: each singular coefficient is drawn around the prediction or around y, whichever is less
noisy."""

from dataclasses import dataclass

import torch

from deqir_lite.checks import check_interval
from deqir_lite.measurement import Measurement
from deqir_lite.methods.spectral import (
    SpectralConsistency,
    SpectralNoise,
    along_steps,
    check_rule,
)


class DDRMConsistency(SpectralConsistency):
    """x0^ = x_{0|t} + V Lambda_t V^T (A^+ y - x_{0|t}), with Lambda_t of :class:`DDRMNoise`.

    The chain begins where y is known already: V^T x_T = sqrt(abar_T) V^T A^+ y +
    sqrt(1 - abar_T - nu^2) z where nu <= sqrt(1 - abar_T), and sqrt(1 - abar_T) z elsewhere.
    Source: Kawar et al. 2022, there (7) and (8).
    """

    def belief(self) -> torch.Tensor:
        """Lambda_t."""
        rule = check_rule(self.coefficients, DDRMNoise)
        return rule.parts(self.coefficients.target, self.measurement)[0]

    def start(self, white: torch.Tensor, *, informed: bool) -> torch.Tensor:
        """As above; ``informed`` or not."""
        m = self.measurement
        rule = DDRMNoise(eta=1.0)
        known, _, noise = (
            w.to(white) for w in rule.parts(self.coefficients.alpha_bar[:1], measurement=m)
        )
        root = float(self.coefficients.alpha_bar[0]) ** 0.5
        return m.weigh(root * known, m.pinv_y[None])[0] + m.weigh(noise, white[None])[0]


@dataclass(frozen=True)
class DDRMNoise(SpectralNoise):
    r"""Per singular vector, with nu = sqrt(abar_s) sigma_y / s the noise that A^+ y brings along
    and sigma = sqrt(1 - abar_s) the noise that x_s should have:

    * nu <= sigma: Lambda = eta_b, c2 = 0, c1 = sqrt(sigma^2 - eta_b^2 nu^2),
    * nu > sigma: Lambda = sqrt(1 - eta^2) sigma / nu, c2 = 0, c1 = eta sigma,
    * s = 0: Lambda = 0, c2 = sqrt(1 - eta^2) sigma, c1 = eta sigma.

    ``eta`` is .85 and ``eta_b`` 1 as published, each in [0, 1]; with eta_b = 1 and noise in y this
    is the rule of DDNM+. For exact y the range has no eps at all, where DDNM's has. The published
    code asks for nu < sigma (``strict``), and so ends with the prediction itself when y is exact,
    which does not meet y; the equation does. Source: Kawar et al. 2022, (7) and (8) there, in the
    variance-exploding scale x_t / sqrt(abar_t).
    """

    eta: float = 0.85
    eta_b: float = 1.0
    strict: bool = False

    def __post_init__(self) -> None:
        for name in ("eta", "eta_b"):
            object.__setattr__(self, name, check_interval(name, getattr(self, name), 0.0, 1.0))

    def parts(
        self, target: torch.Tensor, measurement: Measurement | None
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Lambda, c2 and c1, (T, 1 or B, ...)."""
        target = along_steps(target, measurement)
        assert measurement is not None
        noise = (1 - target).sqrt()
        kept = (1 - self.eta**2) ** 0.5 * noise
        of_pinv_y = measurement.pinv_noise()
        brought = target.sqrt() * of_pinv_y
        whole = (brought < noise) if self.strict else (brought <= noise)
        believed = torch.where(whole, self.eta_b, kept / torch.where(brought > 0, brought, 1))
        left = (noise.square() - (self.eta_b * brought).square()).clamp(min=0).sqrt()
        c1 = torch.where(whole, left, self.eta * noise)
        return believed, torch.where(of_pinv_y.isinf(), kept, 0.0), c1
