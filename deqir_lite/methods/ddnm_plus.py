"""DDNM+: DDNM for noisy measurements, whose noise stands for a part of the fresh noise."""

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


class DDNMPlusConsistency(SpectralConsistency):
    """x0^ = x_{0|t} + V Lambda_t V^T (A^+ y - x_{0|t}), with Lambda_t of :class:`DDNMPlusNoise`.

    For exact y it is DDNM's step. Source: Wang et al. 2023, Sec. 3.3 and Appendix I.
    """

    def belief(self) -> torch.Tensor:
        """Lambda_t."""
        rule = check_rule(self.coefficients, DDNMPlusNoise)
        return rule.parts(self.coefficients.target, self.measurement)[0]


@dataclass(frozen=True)
class DDNMPlusNoise(SpectralNoise):
    r"""Per singular vector, with nu = sqrt(abar_s) sigma_y / s the noise that A^+ y brings along
    and sigma = sqrt(1 - abar_s) the noise that x_s should have:

    * nu <= sigma: Lambda = 1, c2 = 0, c1 = sqrt(sigma^2 - nu^2),
    * nu > sigma: Lambda = sqrt(1 - eta^2) sigma / nu, c2 = 0, c1 = eta sigma,
    * s = 0, or exact y: Lambda = 1 for s > 0, c2 = sqrt(1 - eta^2) sigma, c1 = eta sigma.

    So x_s has the noise of its level in all of them. ``eta`` in [0, 1] is .85 in the published
    code, which leaves out V^T before eps and has no Lambda for bicubic super-resolution and 2-D
    blurs; here every operator with singular values has it. Source: Wang et al. 2023,
    there (17) to (19).
    """

    eta: float = 0.85

    def __post_init__(self) -> None:
        object.__setattr__(self, "eta", check_interval("eta", self.eta, 0.0, 1.0))

    def parts(
        self, target: torch.Tensor, measurement: Measurement | None
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Lambda, c2 and c1, (T, 1 or B, ...)."""
        target = along_steps(target, measurement)
        assert measurement is not None
        noise = (1 - target).sqrt()
        kept = (1 - self.eta**2) ** 0.5 * noise
        of_pinv_y = measurement.pinv_noise()
        plain = (of_pinv_y == 0) | of_pinv_y.isinf()
        brought = target.sqrt() * of_pinv_y
        whole = brought <= noise
        believed = torch.where(whole, 1.0, kept / brought)
        left = (noise.square() - brought.square()).clamp(min=0).sqrt()
        c1 = torch.where(whole & ~plain, left, self.eta * noise)
        return believed, torch.where(plain, kept, 0.0), c1
