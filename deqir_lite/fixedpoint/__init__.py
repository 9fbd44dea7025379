"""The whole chain as one fixed-point system, for any linear model of its steps."""

from deqir_lite.fixedpoint.cut import Cut, CutPrior
from deqir_lite.fixedpoint.denoisers import LinearDenoiser, data_held, noise_held, wiener
from deqir_lite.fixedpoint.forms import FORMS, make_model
from deqir_lite.fixedpoint.interpolation import InterpolatedPrior, interpolated_chains
from deqir_lite.fixedpoint.models import (
    DataFormModel,
    DenoiserModel,
    GaussianFormModel,
    IncrementModel,
    JacobiModel,
    LinearModel,
)
from deqir_lite.fixedpoint.noise_form import NoiseFormModel
from deqir_lite.fixedpoint.starts import (
    STARTS,
    gaussian_start,
    make_start,
    measurement_start,
    x_T_start,
)
from deqir_lite.fixedpoint.system import FixedPointSystem, Sweep

__all__ = [
    "FORMS",
    "STARTS",
    "Cut",
    "CutPrior",
    "DataFormModel",
    "DenoiserModel",
    "FixedPointSystem",
    "GaussianFormModel",
    "IncrementModel",
    "InterpolatedPrior",
    "JacobiModel",
    "LinearDenoiser",
    "LinearModel",
    "NoiseFormModel",
    "Sweep",
    "data_held",
    "gaussian_start",
    "interpolated_chains",
    "make_model",
    "make_start",
    "measurement_start",
    "noise_held",
    "wiener",
    "x_T_start",
]
