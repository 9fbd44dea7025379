"""The mutant lab: wrong versions of the method, and the checks that catch them."""

from deqir_lite.mutants.checks import CHECKS, Check, restoration_problem
from deqir_lite.mutants.lab import Verdicts, run_lab
from deqir_lite.mutants.mutants import MUTANTS
from deqir_lite.mutants.program import Problem, Program

__all__ = [
    "CHECKS",
    "MUTANTS",
    "Check",
    "Problem",
    "Program",
    "Verdicts",
    "restoration_problem",
    "run_lab",
]
