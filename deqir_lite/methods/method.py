"""A zero-shot method: a consistency step and a noise rule."""

from collections.abc import Callable
from dataclasses import dataclass

from deqir_lite._repr import short_repr
from deqir_lite.checks import check_choice
from deqir_lite.measurement import Measurement
from deqir_lite.methods.coefficients import StepCoefficients
from deqir_lite.methods.consistency import ConsistencyStep
from deqir_lite.methods.ddnm import RangeNullConsistency
from deqir_lite.methods.noise_rules import DDNMNoise, NoiseRule
from deqir_lite.methods.weighted import WeightedConsistency
from deqir_lite.priors.base import Prior


@dataclass(frozen=True)
class Method:
    """``consistency`` makes the consistency step of a chain: a class of them will do;
    ``rule`` is the noise rule, unless the chain is given another one."""

    consistency: Callable[[Measurement, StepCoefficients, Prior], ConsistencyStep]
    rule: NoiseRule

    __repr__ = short_repr


METHODS = {
    "ddnm": Method(RangeNullConsistency, DDNMNoise()),
    "weighted": Method(WeightedConsistency, DDNMNoise()),
}
"""Methods by name: ``ddnm`` is the step of DDNM and of DeqIR, ``weighted`` that in the norm of the
prior."""


def find_method(method: str | Method) -> Method:
    """The method of a name of :data:`METHODS`, or the given one; ValueError for another name."""
    if isinstance(method, Method):
        return method
    check_choice("method", method, METHODS)
    return METHODS[method]
