"""Zero-shot methods: what each does with the prediction, and with its noise."""

from deqir_lite.methods.coefficients import StepCoefficients, step_coefficients
from deqir_lite.methods.consistency import ConsistencyStep, Prediction, Steps
from deqir_lite.methods.ddnm import RangeNullConsistency
from deqir_lite.methods.ddnm_plus import DDNMPlusConsistency, DDNMPlusNoise
from deqir_lite.methods.ddrm import DDRMConsistency, DDRMNoise
from deqir_lite.methods.diffpir import DiffPIRConsistency, DiffPIRNoise
from deqir_lite.methods.dps import DPSConsistency
from deqir_lite.methods.ilvr import ILVRConsistency, ILVRNoise
from deqir_lite.methods.method import METHODS, Method, base_name, check_returns, find_method
from deqir_lite.methods.mmps import MMPSConsistency
from deqir_lite.methods.noise_rules import (
    DDIMNoise,
    DDNMNoise,
    DDPMNoise,
    ExactNoise,
    NoiseRule,
    ReleasedNoise,
    Weights,
)
from deqir_lite.methods.pigdm import PiGDMConsistency
from deqir_lite.methods.repaint import RePaintConsistency, RePaintNoise
from deqir_lite.methods.weighted import WeightedConsistency

__all__ = [
    "METHODS",
    "ConsistencyStep",
    "DDIMNoise",
    "DDNMNoise",
    "DDNMPlusConsistency",
    "DDNMPlusNoise",
    "DDPMNoise",
    "DDRMConsistency",
    "DDRMNoise",
    "DPSConsistency",
    "DiffPIRConsistency",
    "DiffPIRNoise",
    "ExactNoise",
    "ILVRConsistency",
    "ILVRNoise",
    "MMPSConsistency",
    "Method",
    "NoiseRule",
    "PiGDMConsistency",
    "Prediction",
    "RangeNullConsistency",
    "RePaintConsistency",
    "RePaintNoise",
    "ReleasedNoise",
    "StepCoefficients",
    "Steps",
    "WeightedConsistency",
    "Weights",
    "base_name",
    "check_returns",
    "find_method",
    "step_coefficients",
]
