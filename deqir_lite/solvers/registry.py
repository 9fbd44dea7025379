"""Solvers by name, with the settings that served best in the book's measurements."""

from typing import Any

from deqir_lite.checks import check_choice
from deqir_lite.solvers.anderson import MIXINGS, Anderson
from deqir_lite.solvers.picard import Picard
from deqir_lite.solvers.state import Solver

SOLVERS = ("picard", *(f"anderson-{mixing}" for mixing in MIXINGS))


def make_solver(name: str) -> Solver[Any]:
    """``picard``, ``anderson-joint``, ``anderson-per-timestep`` or ``anderson-triangular``.

    Joint mixing gets the longer memory that one weight vector for the whole chain needs.
    """
    check_choice("solver", name, SOLVERS)
    if name == "picard":
        return Picard()
    mixing = name.removeprefix("anderson-")
    return Anderson(mixing, memory=8 if mixing == "joint" else 3)
