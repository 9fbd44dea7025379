"""The whole chain as one fixed-point system, for any linear model of its steps."""

from deqir_lite.fixedpoint.models import (
    FORMS,
    DataFormModel,
    GaussianFormModel,
    JacobiModel,
    LinearModel,
    NoiseFormModel,
    make_model,
)
from deqir_lite.fixedpoint.starts import (
    STARTS,
    gaussian_start,
    make_start,
    measurement_start,
    noise_start,
)
from deqir_lite.fixedpoint.system import FixedPointSystem

__all__ = [
    "FORMS",
    "STARTS",
    "DataFormModel",
    "FixedPointSystem",
    "GaussianFormModel",
    "JacobiModel",
    "LinearModel",
    "NoiseFormModel",
    "gaussian_start",
    "make_model",
    "make_start",
    "measurement_start",
    "noise_start",
]
