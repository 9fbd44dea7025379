"""Algorithm 2: the initial noise whose restored photo has the smallest loss."""

import math
import warnings
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any

import torch
from tqdm.auto import tqdm

from deqir_lite.chain import RestorationChain
from deqir_lite.checks import (
    check_choice,
    check_images,
    check_integer,
    check_interval,
    check_kinds,
    check_like,
    plain,
)
from deqir_lite.fixedpoint import LinearDenoiser
from deqir_lite.inversion.gradient import check_gradient
from deqir_lite.inversion.losses import Loss
from deqir_lite.inversion.outer import OuterProblem, result_of
from deqir_lite.inversion.progress import NoiseOptimization
from deqir_lite.inversion.saved import (
    Descent,
    answer_of,
    chain_digest,
    load_descent,
    save_descent,
)
from deqir_lite.priors.identity import prior_digest
from deqir_lite.restoration import SolveOptions

OPTIMIZERS = ("sgd", "adam")
"""``sgd`` is the plain descent of Algorithm 2, line 7; ``adam`` asks less of the step size."""


def optimize_initial_noise(
    chain: RestorationChain,
    loss: Loss,
    *,
    steps: int = 30,
    lr: float = 0.02,
    optimizer: str = "adam",
    gradient: str = "one-step",
    terms: int = 3,
    chunk: int = 4,
    gradient_form: str | LinearDenoiser | None = None,
    solve: SolveOptions | None = None,
    warm_start: bool = True,
    shell_weight: float = 0.0,
    on: str = "x0",
    reference: torch.Tensor | None = None,
    target: float | None = None,
    state_file: str | Path | None = None,
    resume: bool = False,
    show_progress: bool = False,
) -> NoiseOptimization:
    """Minimise L(x_0) over x_T (Algorithm 2 with the loss of Eq. 12 and the gradient of Eq. 13).

    Every outer step solves for all states, takes the gradient of the loss, and moves x_T against
    it. (The paper adds the step: its M = I carries a minus, see :func:`implicit_gradient`.)
    After ``steps`` moves the last x_T is evaluated too; the best one that was met is returned.

    * ``loss``: from x_0 (B, 3, H, W) to one number, or from all states (T+1, B, 3, H, W) with
      ``on="states"``; see :mod:`deqir_lite.inversion.losses`,
    * ``lr``, ``optimizer``: of the descent; ``optimizer`` is a name of :data:`OPTIMIZERS`,
    * ``gradient``, ``terms``, ``chunk``, ``gradient_form`` and ``solve``: as in
      :func:`solve_implicit`,
    * ``warm_start``: begin each solve at the last trajectory,
    * ``shell_weight``: of the pull (||x_T||^2 / d - 1)^2, mean over photos, towards the shell where
      Gaussian noise of d dimensions lies,
    * ``reference`` (1 or B, 3, H, W): photos for the PSNR in the rows. Reporting only: neither loss
      nor choice of the best x_T ever sees it,
    * ``target``: stop when the loss is not above it,
    * ``state_file``: written, all or nothing, after every outer step; with ``resume`` the run
      goes on from it as if it had not been interrupted. It may then get more ``steps``.

    Raises ValueError for bad arguments, for a loss that returns no single number, does not depend
    on x_0, or is constant because the measurement decides all that it looks at;
    :class:`InversionFailed` when loss or gradient become NaN, with the best x_T so far.
    """
    check_kinds(optimize_initial_noise, locals())
    steps = check_integer("steps", steps, 1)
    lr = check_interval("lr", lr, 0.0, math.inf)
    shell_weight = check_interval("shell_weight", shell_weight, 0.0, math.inf)
    if target is not None:
        target = check_interval("target", target, -math.inf, math.inf)
    check_choice("optimizer", optimizer, OPTIMIZERS)
    check_choice("on", on, ("x0", "states"))
    _check_reporting(reference, state_file, resume)
    terms, chunk = check_gradient(gradient, terms, chunk)
    problem = OuterProblem(
        chain=chain,
        loss=loss,
        solve=solve or SolveOptions(),
        gradient=gradient,
        terms=terms,
        chunk=chunk,
        gradient_form=gradient_form,
        warm_start=warm_start,
        shell_weight=shell_weight,
        on=on,
        reference=reference,
    )
    settings = _settings(problem, {"lr": lr, "optimizer": optimizer})
    path = None if state_file is None else Path(state_file)
    answer = None if path is None else answer_of(chain)
    run = _begin(chain, path if resume else None, answer, settings, steps)
    _check_same_loss(problem, run)
    mover = _mover(optimizer, run, lr)
    bar = tqdm(total=steps, initial=len(run.rows), disable=not show_progress, desc="outer steps")
    while True:
        slopes = problem.evaluate(run, last=len(run.rows) == steps)
        bar.set_postfix(loss=f"{run.rows[-1].loss:.3g}")
        stopped = _reason_to_stop(run, slopes, target)
        if stopped or slopes is None:
            break
        run.x_T.grad = slopes
        mover.step()
        run.optimizer = mover.state_dict()
        bar.update()
        if path is not None and answer is not None:
            save_descent(path, run, answer, settings)
    bar.close()
    return result_of(run, stopped or "steps")


def _begin(
    chain: RestorationChain,
    path: Path | None,
    answer: torch.Tensor | None,
    settings: dict[str, str],
    steps: int,
) -> Descent:
    """A new run from the chain's x_T, or the saved one of ``path``."""
    x_T = chain.x_T.detach()
    if path is None or answer is None:
        return Descent(x_T.clone())
    run = load_descent(path, answer, settings)
    check_like("state_file", run.x_T, x_T.shape, x_T)
    if len(run.rows) > steps:
        raise ValueError(f"steps: got {steps}; the saved run has done {len(run.rows)} already")
    return run


def _check_same_loss(problem: OuterProblem, run: Descent) -> None:
    """The loss of a resumed run must say of the last trajectory what it said before."""
    if run.states is None or not run.rows:
        return
    with torch.enable_grad():
        states = run.states.detach().clone().requires_grad_()
        value = float(problem.loss(states if problem.on == "states" else states[-1]).detach())
    if not math.isclose(value, run.rows[-1].loss, rel_tol=0.01, abs_tol=1e-9):
        raise ValueError(
            f"state_file: the loss says {value:.4g} of the last states; in the saved run it said "
            f"{run.rows[-1].loss:.4g}: it is another one"
        )


def _mover(optimizer: str, run: Descent, lr: float) -> torch.optim.Optimizer:
    mover: torch.optim.Optimizer
    mover = (torch.optim.SGD if optimizer == "sgd" else torch.optim.Adam)([run.x_T], lr=lr)
    if run.optimizer:
        mover.load_state_dict(run.optimizer)
    return mover


def _reason_to_stop(run: Descent, slopes: torch.Tensor | None, target: float | None) -> str:
    """Why not to go on, or an empty string."""
    row = run.rows[-1]
    if target is not None and row.loss <= target:
        return "target"
    if slopes is not None and not slopes.any():
        warnings.warn(
            f"the gradient of outer step {row.step} is zero, so x_T stays; if the loss can fall, "
            "the series is too short for its linear model: take more terms, the exact gradient, "
            "or the gaussian form",
            UserWarning,
            stacklevel=3,
        )
        return "zero gradient"
    return ""


def _settings(problem: OuterProblem, descent: dict[str, Any]) -> dict[str, str]:
    """What must not change between a run and its continuation, beside the prior."""
    names = ("gradient", "terms", "chunk", "gradient_form", "warm_start", "shell_weight", "on")
    values = descent | {name: getattr(problem, name) for name in names}
    solve = {f.name: getattr(problem.solve, f.name) for f in fields(problem.solve)}
    # Whatever its start, a solve ends at the same states.
    values |= {name: value for name, value in solve.items() if name not in ("start", "gaussian")}
    gaussian = problem.solve.loaded(problem.chain).gaussian
    values["gaussian"] = None if gaussian is None else prior_digest(gaussian, None)
    try:
        values["prior"] = prior_digest(problem.chain.prior, None)
    except ValueError:
        values["prior"] = "a function"
    settings = {name: _named(value) for name, value in values.items()}
    return settings | {"chain": chain_digest(problem.chain)}


def _named(value: Any) -> str:
    """A value as text that is the same in the next process; of a function only its name."""
    value = plain(value)
    if isinstance(value, str):
        return value
    says_all = value is None or isinstance(value, (int, float)) or is_dataclass(value)
    return repr(value) if says_all else getattr(value, "__qualname__", type(value).__qualname__)


def _check_reporting(
    reference: torch.Tensor | None, state_file: str | Path | None, resume: bool
) -> None:
    if reference is not None:
        check_images("reference", reference)
    if resume and state_file is None:
        raise ValueError("state_file: got None; resume needs the file to go on from")
