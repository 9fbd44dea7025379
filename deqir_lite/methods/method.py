"""A zero-shot method: a consistency step and a noise rule."""

from collections.abc import Callable
from dataclasses import dataclass

import torch

from deqir_lite._repr import short
from deqir_lite.checks import check_choice
from deqir_lite.measurement import Measurement
from deqir_lite.methods.coefficients import StepCoefficients
from deqir_lite.methods.consistency import ConsistencyStep
from deqir_lite.methods.ddnm import RangeNullConsistency
from deqir_lite.methods.ddnm_plus import DDNMPlusConsistency, DDNMPlusNoise
from deqir_lite.methods.ddrm import DDRMConsistency, DDRMNoise
from deqir_lite.methods.diffpir import DiffPIRConsistency, DiffPIRNoise
from deqir_lite.methods.dps import DPSConsistency
from deqir_lite.methods.ilvr import ILVRConsistency, ILVRNoise
from deqir_lite.methods.mmps import MMPSConsistency
from deqir_lite.methods.noise_rules import DDIMNoise, DDNMNoise, DDPMNoise, NoiseRule
from deqir_lite.methods.pigdm import PiGDMConsistency
from deqir_lite.methods.repaint import RePaintConsistency, RePaintNoise
from deqir_lite.methods.weighted import WeightedConsistency
from deqir_lite.priors.base import Prior
from deqir_lite.schedule import with_returns


@dataclass(frozen=True)
class Method:
    """``consistency`` makes the consistency step of a chain: a class of them will do;
    ``rule`` is the noise rule, unless the chain is given another one.

    ``num_steps``, ``spacing`` and ``returns`` are the timesteps of a chain for which nothing else
    is said, as :func:`deqir_lite.chain.making.make_chain` takes them; published methods have those
    of their publication.
    """

    consistency: Callable[[Measurement, StepCoefficients, Prior], ConsistencyStep]
    rule: NoiseRule
    num_steps: int = 20
    spacing: str | float = "cubic"
    returns: tuple[int, int] | None = None

    @property
    def eta(self) -> float | None:
        """The share of fresh noise in its noise rule, where that has one."""
        return getattr(self.rule, "eta", None)

    def path(self, grid: torch.Tensor) -> torch.Tensor:
        """The timesteps along a ``grid`` (T,) with the returns of the method, where T is enough."""
        if self.returns is None or self.returns[0] >= len(grid):
            return grid
        return with_returns(grid, length=self.returns[0], repeats=self.returns[1])

    def __repr__(self) -> str:
        step, rule = short(self.consistency), short(self.rule)
        return f"Method(consistency={step}, rule={rule})"


METHODS = {
    "ddnm": Method(RangeNullConsistency, DDNMNoise()),
    "ddnm+": Method(DDNMPlusConsistency, DDNMPlusNoise(), 100, "uniform"),
    "ddrm": Method(DDRMConsistency, DDRMNoise(), 20, "uniform"),
    "dps": Method(DPSConsistency, DDPMNoise(), 1000, "uniform"),
    "diffpir": Method(DiffPIRConsistency, DiffPIRNoise(), 100, "quadratic"),
    "ilvr": Method(ILVRConsistency, ILVRNoise(), 100, "uniform"),
    "repaint": Method(RePaintConsistency, RePaintNoise(), 250, "uniform", returns=(10, 10)),
    "pigdm": Method(PiGDMConsistency, DDIMNoise(1.0), 100, "uniform"),
    "mmps": Method(MMPSConsistency, DDPMNoise(), 100, "uniform"),
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
