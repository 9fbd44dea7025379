"""One call from a chain to its restored photo, step by step or all timesteps at once."""

import warnings
from collections.abc import Collection

import torch

from deqir_lite.chain import RestorationChain
from deqir_lite.fixedpoint import FixedPointSystem, make_model, make_start
from deqir_lite.priors.gaussian import GaussianPrior
from deqir_lite.priors.load import load_gaussian
from deqir_lite.solvers import ConvergenceWarning, Solution, Solver, Trace, make_solver, solve


def restore_sequential(chain: RestorationChain, show_progress: bool = False) -> Solution:
    """Walk the chain step by step: T network calls, one after the other.

    ``converged`` is False, with a warning, when the prior returned NaN or infinity on the way.
    """
    with torch.no_grad():
        states = chain.sequential(show_progress)
    finite = bool(torch.isfinite(states).all())
    if not finite:
        warnings.warn("the chain became infinite or NaN", ConvergenceWarning, stacklevel=2)
    evaluations = chain.num_steps * chain.x_T.shape[0]
    return Solution(states, chain.num_steps, evaluations, finite, Trace())


def restore_parallel(
    chain: RestorationChain,
    form: str = "gaussian",
    solver: str | Solver = "anderson-triangular",
    start: str | torch.Tensor | None = None,
    max_sweeps: int | None = None,
    tolerance: float = 1e-3,
    pixel_tolerance: float | None = None,
    gaussian: GaussianPrior | None = None,
    record: Collection[str] = (),
    show_progress: bool = False,
) -> Solution:
    """Solve for all states of the chain at once (Eqs. 8 to 11).

    * ``form``: the linear model of a sweep, ``noise`` (Proposition 1), ``data``, ``gaussian`` or
      ``jacobi``,
    * ``solver``: a name of ``deqir_lite.solvers.SOLVERS`` or a solver,
    * ``start``: ``noise``, ``measurement``, ``gaussian``, or states (T+1, B, 3, H, W) of an
      earlier solve; by default the Gaussian chain for the Gaussian form and the noised A^+ y for
      the others,
    * ``gaussian``: the Gaussian prior of the Gaussian form and start, by default the bundled one.

    The other arguments are those of :func:`deqir_lite.solvers.solve`.
    """
    start = start if start is not None else ("gaussian" if form == "gaussian" else "measurement")
    if gaussian is None and "gaussian" in (form, start if isinstance(start, str) else ""):
        gaussian = load_gaussian(chain.prior.schedule)
    with torch.no_grad():
        system = FixedPointSystem(chain, make_model(form, chain, gaussian))
        states = make_start(start, chain, gaussian) if isinstance(start, str) else start
        return solve(
            system,
            make_solver(solver) if isinstance(solver, str) else solver,
            states,
            max_sweeps,
            tolerance,
            pixel_tolerance,
            record,
            show_progress,
        )
