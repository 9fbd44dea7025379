"""A zero-shot method: a consistency step and a noise rule."""

import inspect
from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from functools import partial
from typing import Any, cast

import torch

from deqir_lite._repr import short
from deqir_lite.checks import check_choice, check_integer, shown
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
from deqir_lite.schedule import RETURNS_FROM, spacing_power, with_returns


@dataclass(frozen=True)
class Method:
    """``consistency`` makes the consistency step of a chain: a class of them will do;
    ``rule`` is the noise rule, unless the chain is given another one.

    ``num_steps``, ``spacing``, ``returns`` and ``returns_from`` are the path of a chain for which
    nothing else is said, as :func:`deqir_lite.chain.making.make_chain` takes them; published
    methods have those of their publication.
    """

    consistency: Callable[[Measurement, StepCoefficients, Prior], ConsistencyStep]
    rule: NoiseRule
    num_steps: int = 20
    spacing: str | float = "cubic"
    returns: tuple[int, int] | None = None
    returns_from: str = "state"

    @property
    def eta(self) -> float | None:
        """The share of fresh noise in its noise rule, where that has one."""
        return getattr(self.rule, "eta", None)

    def path(self, grid: torch.Tensor) -> torch.Tensor:
        """The timesteps along a ``grid`` (T,) with the returns of the method, where T is enough."""
        if self.returns is None or self.returns[0] >= len(grid):
            return grid
        length, repeats = self.returns
        return with_returns(grid, length=length, repeats=repeats, returns_from=self.returns_from)

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


def find_method(method: str | Method, *, argument: str = "method") -> Method:
    """The method of a name of :data:`METHODS`, or the given one.

    A name may bring parameters, as in ``dps:scale=1:timesteps=100`` or ``ddnm:returns=5x3``: those
    of the consistency step and of the noise rule that are numbers, or yes and no; ``timesteps``,
    ``spacing``, and ``returns``, length and repeats of :func:`with_returns`, with
    ``returns_from`` (ddnm:returns=1x3:returns_from=x0). Raises ValueError, which calls it
    ``argument``, for another name or parameter, and for values out of range as far as these are
    known before there is a chain.
    """
    if isinstance(method, Method):
        return method
    name, *words = method.split(":") if isinstance(method, str) else [method]
    check_choice(argument, name, METHODS)
    found = METHODS[name]
    for word in words:
        parameter, _, text = word.partition("=")
        known = _parameters(found)
        if parameter not in known:
            raise ValueError(
                f"{argument}: got {shown(method)}; parameters of {name}, after a colon each: "
                f"{', '.join(f'{key}={_written(value)}' for key, value in known.items())}"
            )
        try:
            found = _with_parameter(found, parameter, _read(parameter, text, known[parameter]))
        except ValueError as error:
            raise ValueError(f"{argument}: got {shown(method)}; {error}") from None
    return found


def check_returns(method: str | Method, num_steps: int) -> None:
    """Refuse returns that a name brings and that a chain of ``num_steps`` is too short for; those
    that a method has by itself are then left out."""
    if isinstance(method, str) and ":returns=" in method:
        length, repeats = cast(tuple[int, int], find_method(method).returns)
        with_returns(torch.arange(num_steps), length=length, repeats=repeats)


def base_name(method: str | Method) -> str:
    """The name without parameters; empty for a method that has none."""
    return method.partition(":")[0] if isinstance(method, str) else ""


def _parameters(method: Method) -> dict[str, Any]:
    """What can be said of a method beside its name, with the present values."""
    step = inspect.signature(method.consistency).parameters.values()
    of_step = {p.name: p.default for p in step if isinstance(p.default, (bool, int, float))}
    rule: Any = method.rule
    of_rule = {field.name: getattr(rule, field.name) for field in fields(rule)}
    chain = {name: getattr(method, of) for name, of in _OF_CHAIN.items()}
    return of_step | of_rule | chain


_OF_CHAIN = {
    "timesteps": "num_steps",
    "spacing": "spacing",
    "returns": "returns",
    "returns_from": "returns_from",
}


def _with_parameter(method: Method, name: str, value: Any) -> Method:
    if name in _OF_CHAIN:
        return replace(method, **{_OF_CHAIN[name]: value})
    if name in inspect.signature(method.consistency).parameters:
        return replace(method, consistency=partial(method.consistency, **{name: value}))
    rule: Any = method.rule
    return replace(method, rule=cast(NoiseRule, replace(rule, **{name: value})))


def _read(name: str, text: str, present: Any) -> Any:
    """The value that a ``text`` stands for; ValueError says what would be one."""
    if name == "returns":
        pair = text.split("x")
        if len(pair) != 2 or not all(part.isdecimal() for part in pair):
            raise ValueError("expected returns=LENGTHxREPEATS, such as returns=5x3")
        return tuple(check_integer(name, int(part), 1) for part in pair)
    if name == "returns_from":
        check_choice(name, text, RETURNS_FROM)
        return text
    if name == "spacing":
        return spacing_power(text) if text[:1].isalpha() else spacing_power(_number(name, text))
    if isinstance(present, bool):
        check_choice(name, text, _ANSWERS)
        return _ANSWERS[text]
    if isinstance(present, int):
        if not text.isdecimal():
            raise ValueError(f"expected an integer as {name}")
        return check_integer(name, int(text), 1)
    return _number(name, text)


def _number(name: str, text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise ValueError(f"expected a number as {name}") from None


_ANSWERS = {"yes": True, "no": False}


def _written(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if value is None:
        return "LENGTHxREPEATS"
    return "x".join(map(str, value)) if isinstance(value, tuple) else f"{value}"
