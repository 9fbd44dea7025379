"""Systems of a batch are solved each by itself, and say when they are not solved."""

import pytest
import torch

from deqir_lite.conjugate_gradients import conjugate_gradients, least_squares

MATRIX = torch.diag(torch.linspace(1, 1e4, 50).double())


def test_conjugate_gradients_say_when_they_fail():
    b = torch.ones(2, 50).double()
    message = r"relative residual .* after 3 iterations; wanted 1.0e-10"
    with pytest.raises(RuntimeError, match=message):
        conjugate_gradients(lambda v: v @ MATRIX, b, tolerance=1e-10, max_iterations=3)
    b[1] = 0
    x = conjugate_gradients(lambda v: v @ MATRIX, b, tolerance=1e-10, max_iterations=500)
    torch.testing.assert_close(x[0] @ MATRIX, b[0], rtol=0, atol=1e-8)
    assert not x[1].any()


def test_an_entry_is_solved_as_if_it_were_alone():
    """Loose tolerances: an entry that went on while the others converge would come further."""
    b = torch.stack([torch.linspace(-1, 1, 50).exp(), torch.ones(50), torch.zeros(50)]).double()
    b[0, 20:] = 0  # fewer steps than the second

    def solve(b):
        return conjugate_gradients(lambda v: v @ MATRIX, b, tolerance=1e-2, max_iterations=99)

    def fit(b):
        a = MATRIX[:40] / 1e3 + 1
        return least_squares(b[:, :40], lambda x: x @ a.mT, lambda y: y @ a, max_iterations=999)

    for function in (solve, fit):
        alone = torch.cat([function(row[None]) for row in b])
        torch.testing.assert_close(function(b), alone, rtol=1e-6, atol=1e-9)
