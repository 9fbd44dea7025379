"""Solvers for the fixed-point system: Picard and Anderson acceleration."""

from deqir_lite.solvers.anderson import MIXINGS, Anderson, AndersonState
from deqir_lite.solvers.interpolated import solve_interpolated
from deqir_lite.solvers.picard import Picard, PicardState
from deqir_lite.solvers.registry import SOLVERS, make_solver
from deqir_lite.solvers.released import ReleasedAnderson
from deqir_lite.solvers.sliding import solve_sliding
from deqir_lite.solvers.solve import ConvergenceWarning, solve
from deqir_lite.solvers.state import Solution, Solver, SolverState, Trace

__all__ = [
    "MIXINGS",
    "SOLVERS",
    "Anderson",
    "AndersonState",
    "ConvergenceWarning",
    "Picard",
    "PicardState",
    "ReleasedAnderson",
    "Solution",
    "Solver",
    "SolverState",
    "Trace",
    "make_solver",
    "solve",
    "solve_interpolated",
    "solve_sliding",
]
