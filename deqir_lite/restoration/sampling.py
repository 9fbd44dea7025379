"""One call from a chain to its restored photo, step by step or all timesteps at once."""

from collections.abc import Collection
from dataclasses import dataclass, replace
from typing import Any

import torch

from deqir_lite.chain import RestorationChain
from deqir_lite.chain.watch import PredictionWatch
from deqir_lite.defaults import FORM, SOLVER, TOLERANCE
from deqir_lite.fixedpoint import FixedPointSystem, LinearDenoiser, make_model, make_start
from deqir_lite.priors.gaussian import GaussianPrior
from deqir_lite.priors.load import gaussian_of
from deqir_lite.solvers import Solution, Solver, Trace, make_solver, solve


@dataclass(frozen=True, eq=False, kw_only=True)
class SolveOptions:
    """How all states of a chain are solved for: the arguments of :func:`restore_parallel`.

    * ``form``: the linear model of a sweep: ``noise`` (Proposition 1), ``data``, ``gaussian``,
      ``jacobi``, ``increment``, or a linear denoiser W,
    * ``solver``: a name of ``deqir_lite.solvers.SOLVERS`` or a solver,
    * ``start``: ``gaussian``, ``measurement``, ``x_T`` (the paper's), or states (T+1, B, 3, H, W)
      of an earlier solve,
    * ``gaussian``: the Gaussian prior of the Gaussian form and start, by default that of the
      chain's prior, or the bundled one,
    * ``max_sweeps``, ``tolerance``, ``pixel_tolerance``: as in :func:`deqir_lite.solvers.solve`.
    """

    form: str | LinearDenoiser = FORM
    solver: str | Solver[Any] = SOLVER
    start: str | torch.Tensor = "gaussian"
    gaussian: GaussianPrior | None = None
    max_sweeps: int | None = None
    tolerance: float = TOLERANCE
    pixel_tolerance: float | None = None

    def loaded(self, chain: RestorationChain) -> "SolveOptions":
        """The same with a Gaussian prior, where one is needed and none was given."""
        if self.gaussian is None and "gaussian" in (self.form, self._start_name):
            return replace(self, gaussian=gaussian_of(chain.prior))
        return self

    def system(self, chain: RestorationChain) -> FixedPointSystem:
        """The fixed-point system of ``chain`` in this form."""
        gaussian = self.loaded(chain).gaussian
        return FixedPointSystem(chain, make_model(self.form, chain, gaussian=gaussian))

    def first_states(self, chain: RestorationChain) -> torch.Tensor:
        """The states where the solve begins."""
        if isinstance(self.start, torch.Tensor):
            return self.start
        return make_start(self.start, chain, gaussian=self.loaded(chain).gaussian)

    @property
    def _start_name(self) -> str:
        return self.start if isinstance(self.start, str) else ""


def restore_sequential(chain: RestorationChain, *, show_progress: bool = False) -> Solution:
    """Walk the chain step by step: T network calls, one after the other.

    Raises ValueError when the prior predicts NaN or infinity on the way, or the chain grows without
    bounds.
    """
    watch = PredictionWatch(chain.prior)
    with torch.no_grad():
        states = replace(chain, watch=watch).sequential(show_progress=show_progress)
    watch.check()
    if not bool(torch.isfinite(states).all()):
        raise ValueError("chain: its states became infinite; other methods may not diverge")
    evaluations = chain.asking_steps() * chain.x_T.shape[0]
    return Solution(states, chain.num_steps, evaluations, True, Trace())


def restore_parallel(
    chain: RestorationChain,
    *,
    form: str | LinearDenoiser = FORM,
    solver: str | Solver[Any] = SOLVER,
    start: str | torch.Tensor = "gaussian",
    gaussian: GaussianPrior | None = None,
    max_sweeps: int | None = None,
    tolerance: float = TOLERANCE,
    pixel_tolerance: float | None = None,
    record: Collection[str] = (),
    show_progress: bool = False,
) -> Solution:
    """Solve for all states of the chain at once (Eqs. 8 to 11).

    ``form`` to ``pixel_tolerance`` are explained in :class:`SolveOptions`, ``record`` in
    :func:`deqir_lite.solvers.solve`. Raises ValueError when the prior predicts NaN or infinity.
    """
    options = SolveOptions(
        form=form,
        solver=solver,
        start=start,
        gaussian=gaussian,
        max_sweeps=max_sweeps,
        tolerance=tolerance,
        pixel_tolerance=pixel_tolerance,
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
    solver, options = options.solver, options.loaded(chain)
    chain = replace(chain, watch=PredictionWatch(chain.prior))
    return solve(
        options.system(chain),
        make_solver(solver) if isinstance(solver, str) else solver,
        options.first_states(chain),
        max_sweeps=options.max_sweeps,
        tolerance=options.tolerance,
        pixel_tolerance=options.pixel_tolerance,
        record=record,
        show_progress=show_progress,
    )
