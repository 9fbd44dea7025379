"""DiffPIR: x0^ is the proximal point of the measurement's misfit, and eps is found anew from it."""

from dataclasses import dataclass

import torch

from deqir_lite.checks import check_interval
from deqir_lite.measurement import Measurement
from deqir_lite.methods.coefficients import StepCoefficients
from deqir_lite.methods.noise_rules import NoiseRule, Weights
from deqir_lite.methods.spectral import SpectralConsistency, along_steps
from deqir_lite.priors.base import Prior

_LEAST_NOISE = 0.002
"""sigma_y is taken as .001 at least, of images in [0, 1]."""


class DiffPIRConsistency(SpectralConsistency):
    """x0^ = argmin_x |y - A x|^2 + rho_t |x - x_{0|t}|^2, rho_t = weight sigma_n^2 abar_t /
    (1 - abar_t), which is Lambda_t = s^2 / (s^2 + rho_t).

    sigma_n = max(sigma_y, .002) / 2 is the noise of images in [0, 1], beside a noise level of
    images in [-1, 1], as in the published code: its ``weight`` 1 is 1/4 in equal units. ``clip``,
    as there. The published code leaves this step out at the last timestep; the paper's algorithm,
    which is followed here, does not. Source: Zhu et al. 2023, there (13) and Algorithm 1.
    """

    def __init__(
        self,
        measurement: Measurement,
        coefficients: StepCoefficients,
        prior: Prior,
        *,
        weight: float = 1.0,
        clip: bool = True,
    ) -> None:
        self.weight = check_interval("weight", weight, 0.0, float("inf"))
        super().__init__(measurement, coefficients, prior, clip=clip)

    def belief(self) -> torch.Tensor:
        """Lambda_t."""
        source = along_steps(self.coefficients.source, self.measurement)
        of_pinv_y = self.measurement.pinv_noise(least=_LEAST_NOISE) / 2
        share = self.weight**0.5 * of_pinv_y * (source / (1 - source)).sqrt()
        return torch.where(of_pinv_y.isinf(), 0, 1 / (1 + share.square()))


@dataclass(frozen=True)
class DiffPIRNoise(NoiseRule):
    """x_s = sqrt(abar_s) x0^ + sqrt(1 - abar_s) (sqrt(1 - zeta) eps^ + sqrt(zeta) xi), with the
    noise eps^ = (x_{s+1} - sqrt(abar_{s+1}) x0^) / sqrt(1 - abar_{s+1}) that x0^ leaves in x_{s+1}.

    ``zeta`` in [0, 1] is the share of the variance: with eta^2 = zeta it is DDNM's rule for another
    eps. Published are .1 for blur, .25 for super-resolution and 1 for inpainting. Source: Zhu et
    al. 2023, there (14) and (15).
    """

    zeta: float = 0.1

    def __post_init__(self) -> None:
        object.__setattr__(self, "zeta", check_interval("zeta", self.zeta, 0.0, 1.0))

    def weights(
        self, source: torch.Tensor, target: torch.Tensor, measurement: Measurement | None = None
    ) -> Weights:
        """As above."""
        noise = (1 - target).sqrt()
        b = (1 - self.zeta) ** 0.5 * noise / (1 - source).sqrt()
        none = torch.zeros_like(target)
        return Weights(target.sqrt() - b * source.sqrt(), b, none, self.zeta**0.5 * noise)
