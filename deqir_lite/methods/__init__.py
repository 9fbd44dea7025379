"""Zero-shot methods: what each does with the prediction, and with its noise."""

from deqir_lite.methods.coefficients import StepCoefficients, step_coefficients
from deqir_lite.methods.consistency import ConsistencyStep, Prediction, Steps
from deqir_lite.methods.ddnm import RangeNullConsistency
from deqir_lite.methods.method import METHODS, Method, find_method
from deqir_lite.methods.noise_rules import (
    DDIMNoise,
    DDNMNoise,
    DDPMNoise,
    ExactNoise,
    NoiseRule,
    ReleasedNoise,
    Weights,
)
from deqir_lite.methods.weighted import WeightedConsistency

__all__ = [
    "METHODS",
    "ConsistencyStep",
    "DDIMNoise",
    "DDNMNoise",
    "DDPMNoise",
    "ExactNoise",
    "Method",
    "NoiseRule",
    "Prediction",
    "RangeNullConsistency",
    "ReleasedNoise",
    "StepCoefficients",
    "Steps",
    "WeightedConsistency",
    "Weights",
    "find_method",
    "step_coefficients",
]
