"""Gradients through the equilibrium, and the initial noise that a loss asks for (Sec. 4.2)."""

from deqir_lite.inversion.accuracy import GradientError, gradient_errors
from deqir_lite.inversion.adjoint import neumann_series, reverse_substitution, step_pullback
from deqir_lite.inversion.gradient import GRADIENTS, implicit_gradient
from deqir_lite.inversion.implicit import attach_gradient, solve_implicit
from deqir_lite.inversion.losses import (
    chroma_loss,
    color_statistics_loss,
    measurement_loss,
    oracle_loss,
    perceptual_loss,
    restorer_loss,
)
from deqir_lite.inversion.optimize import OPTIMIZERS, optimize_initial_noise
from deqir_lite.inversion.progress import InversionFailed, NoiseOptimization, OuterStep

__all__ = [
    "GRADIENTS",
    "OPTIMIZERS",
    "GradientError",
    "InversionFailed",
    "NoiseOptimization",
    "OuterStep",
    "attach_gradient",
    "chroma_loss",
    "color_statistics_loss",
    "gradient_errors",
    "implicit_gradient",
    "measurement_loss",
    "neumann_series",
    "optimize_initial_noise",
    "oracle_loss",
    "perceptual_loss",
    "restorer_loss",
    "reverse_substitution",
    "solve_implicit",
    "step_pullback",
]
