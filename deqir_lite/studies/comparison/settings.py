"""What is compared: methods, forms, tasks, sizes, noise and chains."""

import warnings
from collections.abc import Iterable, Iterator, Sequence
from itertools import product
from typing import NamedTuple

import torch

from deqir_lite.chain import ChainSettings
from deqir_lite.checks import check_choice, check_deviation, check_integer, check_interval
from deqir_lite.fixedpoint.forms import FORMS, read_form
from deqir_lite.methods import METHODS, base_name, check_returns, find_method
from deqir_lite.operators import TASKS
from deqir_lite.priors.base import Prior
from deqir_lite.restoration import Problem, SolveOptions, make_problem_chain, pose_problem
from deqir_lite.schedule import spacing_power
from deqir_lite.studies.evaluation.settings import check_sizes

SIMPLE = ("pinv", "baseline", "gaussian")
"""A^+ y, the usual baseline of an operator, and the mean of the Gaussian posterior: no network."""

SEQUENTIAL = "none"
"""Stands in place of a form where the chain is walked step by step."""

MASK_SEED = 0
"""Masks, subsets and the noise of y are the same for all photos, methods and seeds."""


class Setting(NamedTuple):
    """One method on one task; ``spacing`` is the exponent of the grid, and ``eta`` None where the
    noise rule has no share of fresh noise. Simple methods have a chain of no step."""

    method: str
    form: str
    task: str
    size: int
    sigma_y: float
    timesteps: int
    spacing: float
    eta: float | None

    @property
    def chain(self) -> ChainSettings:
        """As :func:`restore_problem` takes it."""
        made: ChainSettings = {"num_steps": self.timesteps, "spacing": self.spacing}
        if self.eta is not None:
            made["eta"] = self.eta
        return made

    def pose(self, photos: torch.Tensor) -> Problem:
        """The photos (B, 3, H, W), degraded."""
        return pose_problem(photos, self.task, mask_seed=MASK_SEED, sigma_y=self.sigma_y)


def plan(
    methods: Sequence[str],
    tasks: Sequence[str],
    sizes: Sequence[int],
    *,
    forms: Sequence[str] = (SEQUENTIAL,),
    sigma_y: Sequence[float] = (0.0,),
    timesteps: Sequence[int | None] = (None,),
    spacing: Sequence[str | float | None] = (None,),
    eta: Sequence[float | None] = (None,),
) -> list[Setting]:
    """All settings, task by task and method by method.

    Methods may have parameters, see :func:`deqir_lite.methods.method.find_method`. None stands for
    a method's own. ``eta`` counts for methods whose noise rule
    has a share of fresh noise. Raises ValueError for unknown names, and for numbers out of range.
    """
    for name, values, known in (
        ("methods", map(base_name, methods), [*SIMPLE, *METHODS]),
        ("forms", map(base_name, forms), [SEQUENTIAL, *FORMS]),
        ("tasks", tasks, TASKS),
    ):
        for value in values:
            check_choice(name, value, known)
    for form in forms:
        if ":" in form:
            read_form(form)
    check_sizes(tasks, sizes)
    for level in sigma_y:
        check_deviation("sigma-y", level)
    for count in timesteps:
        if count is not None:
            check_integer("timesteps", count, 1)
    for share in eta:
        check_interval("eta", 0.0 if share is None else share, 0.0, 1.0)
    chains = list(product(forms, timesteps, spacing, eta))
    made = (
        setting
        for size, level, task, method in product(sizes, sigma_y, tasks, methods)
        for setting in _of_method(method, task, size, level, chains)
    )
    return list(dict.fromkeys(made))


Chain = tuple[str, int | None, str | float | None, float | None]
"""Form, timesteps, spacing and eta."""


def _of_method(
    method: str, task: str, size: int, level: float, chains: Iterable[Chain]
) -> Iterator[Setting]:
    if method in SIMPLE:
        yield Setting(method, SEQUENTIAL, task, size, level, 0, 1.0, None)
        return
    own = find_method(method, argument="methods")
    for form, count, spacing, eta in chains:
        steps = own.num_steps if count is None else count
        check_returns(method, steps)
        yield Setting(
            *(method, form, task, size, level),
            steps,
            spacing_power(own.spacing if spacing is None else spacing),
            own.eta if own.eta is None or eta is None else float(eta),
        )


def possible(
    wanted: Iterable[Setting], prior: Prior, *, device: torch.device | str = "cpu"
) -> tuple[list[Setting], list[str]]:
    """What ``prior`` lets be done of a plan, and a line for each method and task that is left out.

    Each method is asked once to make a short chain for each task and noise level. Warns once of
    each method that does not know the noise that y has.
    """
    reasons: dict[tuple[str, str, str, int, float], str | None] = {}
    blind: dict[str, str] = {}
    done = []
    for setting in wanted:
        kind = setting[:5]
        if kind not in reasons:
            reasons[kind], said = _try(setting, prior, device)
            for text in said:
                blind.setdefault(setting.method, text)
        if reasons[kind] is None:
            done.append(setting)
    for method, text in blind.items():
        warnings.warn(f"{method}: {text}", stacklevel=2)
    lines = (
        f"left out: {method}{of_form(form)} cannot do {task}: {why}"
        for (method, form, task, _, _), why in reasons.items()
        if why is not None
    )
    return done, list(dict.fromkeys(lines))


def of_form(form: str) -> str:
    """What follows the name of a method, in tables and messages."""
    return "" if form == SEQUENTIAL else f", {form} form"


def _try(
    setting: Setting, prior: Prior, device: torch.device | str
) -> tuple[str | None, list[str]]:
    """Why a setting cannot be done, or None, and what is warned of."""
    if setting.method in SIMPLE:
        return None, []
    problem = setting.pose(torch.zeros(1, 3, setting.size, setting.size, device=device))
    own = find_method(setting.method)
    least = 2 if own.returns is None else own.returns[0] + 1
    short = setting._replace(timesteps=min(setting.timesteps, least))
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        try:
            chain = make_problem_chain(problem, prior, method=setting.method, settings=short.chain)
            if setting.form != SEQUENTIAL:
                SolveOptions(form=setting.form).system(chain)
        except ValueError as error:
            return " ".join(str(error).split()), []
    return None, [str(warning.message) for warning in said]
