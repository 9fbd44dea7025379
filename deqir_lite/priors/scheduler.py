"""The table of a model of diffusers: what its scheduler, instantiated by diffusers, computes."""

import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import diffusers
import torch
from diffusers import SchedulerMixin
from diffusers.utils import logging

from deqir_lite._json import of_schema
from deqir_lite.priors.base import PREDICTION_TYPES
from deqir_lite.priors.files import SCHEDULER_FILE
from deqir_lite.priors.schemas import SchedulerConfig
from deqir_lite.schedule import NoiseSchedule

BETA_SCHEDULES = ("linear", "scaled_linear", "squaredcos_cap_v2", "sigmoid", "laplace", "exp")
"""The names that diffusers has; which of them a scheduler knows, it decides itself."""

SMALLEST_ALPHA_BAR = 2.0**-24
"""In place of a terminal 0, from which no x_0 can be told: what diffusers' own solvers take; or
half of the entry before, if that is smaller."""

_EXPECTED = "expected one with alphas_cumprod, such as DDPMScheduler or DDIMScheduler"


def scheduler_from_config(config: Mapping[str, Any], where: str = SCHEDULER_FILE) -> Any:
    """The scheduler that a scheduler_config.json describes, DDPMScheduler when it names none.

    Raises ValueError, beginning with ``where``, for one that diffusers cannot make.
    """
    parsed = of_schema(dict(config), SchedulerConfig, where)
    kind = getattr(diffusers, parsed.class_name, None)
    if packages := getattr(kind, "_backends", None):  # a stand-in for a class that cannot be used
        raise ValueError(
            f"{where}: {parsed.class_name} needs packages that are not installed, of "
            f"{', '.join(packages)}; {_EXPECTED}"
        )
    if not (isinstance(kind, type) and issubclass(kind, SchedulerMixin)):
        raise ValueError(
            f"{where}: _class_name: got {parsed.class_name!r}, no scheduler of diffusers "
            f"{diffusers.__version__}; {_EXPECTED}"
        )
    try:
        return _made(kind, config)
    except Exception as error:  # each scheduler has checks, and packages, of its own
        if parsed.beta_schedule is not None and not _knows(kind, parsed.beta_schedule):
            known = [name for name in BETA_SCHEDULES if _knows(kind, name)]
            raise ValueError(
                f"{where}: beta_schedule: unknown value {parsed.beta_schedule!r} for "
                f"{parsed.class_name}; known: {', '.join(known) or 'none'}"
            ) from error
        reason = " ".join(str(error).split())[:200]
        raise ValueError(
            f"{where}: diffusers makes no {parsed.class_name} of it: {reason}"
        ) from error


def schedule_of(scheduler: Any, where: str = "scheduler") -> NoiseSchedule:
    """``alphas_cumprod`` of a scheduler of diffusers, to the last bit.

    A terminal zero signal-to-noise ratio becomes :data:`SMALLEST_ALPHA_BAR`. Raises ValueError,
    beginning with ``where``, for the schedulers of other diffusions: continuous ones,
    variance-exploding ones, flows.
    """
    name, config = type(scheduler).__name__, getattr(scheduler, "config", {})
    table = getattr(scheduler, "alphas_cumprod", None)
    other = config.get("timestep_type") == "continuous" or config.get("use_flow_sigmas")
    if not isinstance(table, torch.Tensor) or table.ndim != 1 or other:
        raise ValueError(
            f"{where}: {name} is no schedule of a variance-preserving diffusion with discrete "
            f"timesteps; {_EXPECTED}"
        )
    alpha_bar = table.detach().cpu().double().clone()
    no_signal = table[-1] == 0 or bool(config.get("rescale_betas_zero_snr"))
    if no_signal and len(alpha_bar) > 1:
        alpha_bar[-1] = min(SMALLEST_ALPHA_BAR, float(alpha_bar[-2]) / 2)
    try:
        schedule = NoiseSchedule(alpha_bar)
    except ValueError as error:
        raise ValueError(f"{where}: the table of {name} is none of a diffusion: {error}") from error
    if no_signal and prediction_type_of(scheduler, where) == "epsilon":
        warnings.warn(
            f"{where}: at the last timestep there is no signal, so noise that is predicted there "
            "(prediction_type epsilon) tells nothing of the photo; expect artefacts",
            stacklevel=2,
        )
    return schedule


def prediction_type_of(scheduler: Any, where: str = "scheduler") -> str:
    """What the network of ``scheduler`` predicts; ValueError unless it is of PREDICTION_TYPES."""
    kind = scheduler.config.get("prediction_type") or "epsilon"
    if kind not in PREDICTION_TYPES:
        known = ", ".join(PREDICTION_TYPES)
        raise ValueError(f"{where}: prediction_type: unknown value {kind!r}; known: {known}")
    return str(kind)


def _made(kind: Any, config: Mapping[str, Any]) -> Any:
    with silent_diffusers(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return kind.from_config(dict(config))


def _knows(kind: Any, beta_schedule: str) -> bool:
    try:
        _made(kind, {"beta_schedule": beta_schedule})
    except Exception:  # for most it is NotImplementedError
        return False
    return True


@contextmanager
def silent_diffusers() -> Iterator[None]:
    """Without diffusers' own log on standard error: what matters in it is raised here."""
    level = logging.get_verbosity()
    logging.set_verbosity(logging.CRITICAL)
    try:
        yield
    finally:
        logging.set_verbosity(level)
