"""One call from a chain to its restored photo: step by step, all timesteps at once, or a few of
them."""

import warnings
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, replace
from typing import Any

import torch

from deqir_lite._repr import short_repr
from deqir_lite.chain import RestorationChain, part_of_chain
from deqir_lite.chain.watch import PredictionWatch
from deqir_lite.checks import check_integer, check_kinds, check_like, shown
from deqir_lite.defaults import FORM, SOLVER, TOLERANCE, X0_TOLERANCE
from deqir_lite.fixedpoint import (
    Cut,
    FixedPointSystem,
    GaussianFormModel,
    LinearDenoiser,
    make_model,
    make_start,
)
from deqir_lite.fixedpoint.forms import read_form
from deqir_lite.priors.base import Prior
from deqir_lite.priors.gaussian import GaussianPrior
from deqir_lite.priors.load import gaussian_of
from deqir_lite.solvers import (
    Picard,
    Solution,
    Solver,
    Trace,
    make_solver,
    solve,
    solve_interpolated,
    solve_sliding,
)

_BFLOAT16_FLOOR = 7e-4
"""Relative residuals at which solves with the bundled prior in bfloat16 stay: see chapter 6."""


@dataclass(frozen=True, eq=False, kw_only=True)
class SolveOptions:
    """How all states of a chain are solved for: the arguments of :func:`restore_parallel`.

    * ``form``: the linear model of a sweep: ``noise`` (Proposition 1), ``data``, ``gaussian``,
      ``jacobi``, ``increment``, or a linear denoiser W; ``gaussian:kept=0.6`` keeps a share of
      the noise, see :class:`deqir_lite.fixedpoint.models.GaussianFormModel`. In Gaussian form
      and from the Gaussian start sweeps believe of a network what
      :class:`deqir_lite.fixedpoint.cut.Cut` leaves, but for methods that ask for its gradient,
    * ``solver``: a name of ``deqir_lite.solvers.SOLVERS`` or a solver,
    * ``start``: ``gaussian``, ``measurement``, ``x_T`` (the paper's), or states (T+1, B, 3, H, W)
      of an earlier solve,
    * ``gaussian``: the Gaussian prior of the Gaussian form and start, by default that of the
      chain's prior, or the bundled one,
    * ``max_sweeps``, ``tolerance``, ``x0_tolerance``: as in :func:`deqir_lite.solvers.solve`,
    * ``window``: how many steps are solved for at once, by default all T; with fewer, the window
      slides on and is swept plainly (Picard), whatever the ``solver``. There the tolerances hold
      for the states that it passes, ``max_sweeps`` for all windows together, and only x_T and x_0
      are kept; see :func:`deqir_lite.solvers.sliding.solve_sliding`.
    """

    form: str | LinearDenoiser = FORM
    solver: str | Solver[Any] = SOLVER
    start: str | torch.Tensor = "gaussian"
    gaussian: GaussianPrior | None = None
    max_sweeps: int | None = None
    tolerance: float = TOLERANCE
    x0_tolerance: float | None = None
    window: int | None = None

    __repr__ = short_repr

    def __post_init__(self) -> None:
        check_kinds(SolveOptions.__init__, vars(self))
        if self.window is not None:
            check_integer("window", self.window, 1)

    def loaded(self, chain: RestorationChain) -> "SolveOptions":
        """The same with a Gaussian prior, where one is needed and none was given."""
        form = read_form(self.form)[0] if isinstance(self.form, str) else ""
        if self.gaussian is None and "gaussian" in (form, self._start_name):
            return replace(self, gaussian=gaussian_of(chain.prior))
        return self

    def system(self, chain: RestorationChain) -> FixedPointSystem:
        """The fixed-point system of ``chain`` in this form."""
        gaussian = self.loaded(chain).gaussian
        model = make_model(self.form, chain, gaussian=gaussian)
        # States of an earlier solve are believed; a guided method would have to pull back twice.
        cold = self._start_name == "gaussian" and not chain.consistency.needs_pullback
        if gaussian is not None and cold and isinstance(model, GaussianFormModel):
            return FixedPointSystem(chain, model, cut=Cut(gaussian))
        return FixedPointSystem(chain, model)

    def first_states(self, chain: RestorationChain) -> torch.Tensor:
        """The states where the solve begins."""
        if isinstance(self.start, torch.Tensor):
            return self.start
        return make_start(self.start, chain, gaussian=self.loaded(chain).gaussian)

    @property
    def _start_name(self) -> str:
        return self.start if isinstance(self.start, str) else ""


def restore_sequential(
    chain: RestorationChain, *, keep_states: bool = True, show_progress: bool = False
) -> Solution:
    """Walk the chain step by step: T network calls, one after the other.

    Without ``keep_states`` the solution has x_0 as its only state. Raises ValueError when the
    prior predicts NaN or infinity on the way, or the chain grows without bounds.
    """
    check_kinds(restore_sequential, locals())
    watch = PredictionWatch(chain.prior)
    with torch.no_grad():
        walk = replace(chain, watch=watch).walk(show_progress=show_progress)
        states = torch.stack(list(walk)) if keep_states else _last(walk)[None]
    watch.check()
    if not bool(torch.isfinite(states).all()):
        raise ValueError("chain: its states became infinite; other methods may not diverge")
    evaluations = chain.asking_steps() * chain.x_T.shape[0]
    return Solution(states, chain.num_steps, evaluations, True, Trace())


@torch.no_grad()
def restore_interpolated(
    chain: RestorationChain,
    *,
    nodes: int | None = None,
    gaussian: GaussianPrior | None = None,
    max_sweeps: int | None = None,
    x0_tolerance: float = X0_TOLERANCE,
    record: Collection[str] = (),
    show_progress: bool = False,
) -> Solution:
    """Solve for the chain with its network asked at a few nodes only, and interpolated in between:
    x_0 comes near that of the chain, ``x0_tolerance`` by an estimate, with fewer evaluations than
    the chain has steps where that is long.

    It is for chains that keep most of their noise from step to step, as the paper's with eta = .15.
    ``gaussian``: as in :class:`SolveOptions`; the others as in
    :func:`deqir_lite.solvers.interpolated.solve_interpolated`. Raises ValueError for other chains,
    and when the prior predicts NaN or infinity.
    """
    check_kinds(restore_interpolated, locals())
    given = {} if max_sweeps is None else {"max_sweeps": max_sweeps}
    return solve_interpolated(
        replace(chain, watch=PredictionWatch(chain.prior)),
        gaussian or gaussian_of(chain.prior),
        nodes=nodes,
        x0_tolerance=x0_tolerance,
        record=record,
        show_progress=show_progress,
        **given,
    )


def _last(walk: Iterator[torch.Tensor]) -> torch.Tensor:
    """The last of the states; the others are let go."""
    for x in walk:
        last = x
    return last


def restore_parallel(
    chain: RestorationChain,
    *,
    form: str | LinearDenoiser = FORM,
    solver: str | Solver[Any] = SOLVER,
    start: str | torch.Tensor = "gaussian",
    gaussian: GaussianPrior | None = None,
    max_sweeps: int | None = None,
    tolerance: float = TOLERANCE,
    x0_tolerance: float | None = None,
    window: int | None = None,
    record: Collection[str] = (),
    show_progress: bool = False,
) -> Solution:
    """Solve for all states of the chain at once (Eqs. 8 to 11), or a ``window`` of them.

    ``form`` to ``window`` are explained in :class:`SolveOptions`, ``record`` in
    :func:`deqir_lite.solvers.solve`; a window keeps x_T and x_0 only, and records only "x0".
    Raises ValueError when the prior predicts NaN or infinity.
    """
    check_kinds(restore_parallel, locals())
    options = SolveOptions(
        form=form,
        solver=solver,
        start=start,
        gaussian=gaussian,
        max_sweeps=max_sweeps,
        tolerance=tolerance,
        x0_tolerance=x0_tolerance,
        window=window,
    )
    return solve_chain(chain, options, record=record, show_progress=show_progress)


@torch.no_grad()
def solve_chain(
    chain: RestorationChain,
    options: SolveOptions,
    *,
    record: Collection[str] = (),
    show_progress: bool = False,
) -> Solution:
    """:func:`restore_parallel` for options that were put together before."""
    check_kinds(solve_chain, locals())
    _check_rounding(chain.prior, options)
    options = options.loaded(chain)
    chain = replace(chain, watch=PredictionWatch(chain.prior))
    solver = make_solver(options.solver) if isinstance(options.solver, str) else options.solver
    if options.window is not None and options.window < chain.num_steps:
        if solver not in (make_solver(SOLVER), Picard()):
            warnings.warn(
                f"solver: got {shown(options.solver)}; a window that slides is swept plainly",
                stacklevel=3,
            )
        return _solve_in_window(chain, options, record, show_progress)
    return solve(
        options.system(chain),
        solver,
        options.first_states(chain),
        max_sweeps=options.max_sweeps,
        tolerance=options.tolerance,
        x0_tolerance=options.x0_tolerance,
        from_gaussian=options._start_name == "gaussian",
        record=record,
        show_progress=show_progress,
    )


def _check_rounding(prior: Prior, options: SolveOptions) -> None:
    """Warn where a tolerance is below what a network's rounding leaves of the residuals."""
    rounded = getattr(prior, "compute_dtype", None) == torch.bfloat16
    if rounded and 0 < options.tolerance < TOLERANCE and options.x0_tolerance is None:
        warnings.warn(
            f"tolerance: got {options.tolerance:g}; the residuals of a bfloat16 network come to "
            f"rest at about {_BFLOAT16_FLOOR:g}; take {TOLERANCE:g} or more, or float32",
            stacklevel=4,
        )


def _solve_in_window(
    chain: RestorationChain,
    options: SolveOptions,
    record: Collection[str],
    show_progress: bool,
) -> Solution:
    """In a window that slides on."""
    assert options.window is not None
    return solve_sliding(
        options.system(chain),
        _filling(chain, options),
        window=options.window,
        max_sweeps=options.max_sweeps,
        tolerance=options.tolerance,
        x0_tolerance=options.x0_tolerance,
        record=record,
        show_progress=show_progress,
    )


def _filling(
    chain: RestorationChain, options: SolveOptions
) -> Callable[[int, int, torch.Tensor], torch.Tensor]:
    """How the start guesses states[first], ..., states[last] from the first of them."""
    start = options.start
    if isinstance(start, torch.Tensor):
        check_like("start", start, (chain.num_steps + 1, *chain.x_T.shape), chain.x_T)
        return lambda first, last, x: torch.cat([x[None], start[first + 1 : last + 1]])
    if start == "gaussian" and options.gaussian is not None:
        walker = chain.with_prior(options.gaussian)  # once: its consistency step may be dear

        def walk(first: int, last: int, x: torch.Tensor) -> torch.Tensor:
            states = [x]
            for k in range(first, last):
                states.append(walker.step(states[-1], k))
            return torch.stack(states)

        return walk
    return lambda first, last, x: options.first_states(part_of_chain(chain, first, last, x_T=x))
