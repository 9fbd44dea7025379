"""Solvers by name."""

import pytest

from deqir_lite.solvers import SOLVERS, Anderson, Picard, make_solver


def test_every_name_makes_its_solver():
    assert SOLVERS == (
        "picard",
        "anderson-joint",
        "anderson-per-timestep",
        "anderson-triangular",
    )
    assert make_solver("picard") == Picard()
    for name in SOLVERS[1:]:
        solver = make_solver(name)
        assert isinstance(solver, Anderson)
        assert f"anderson-{solver.mixing}" == name


def test_unknown_names_get_a_list_of_the_known_ones():
    with pytest.raises(ValueError, match=r"^solver: unknown value 'newton'; known: picard, ander"):
        make_solver("newton")
