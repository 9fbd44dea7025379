"""The released Anderson acceleration, against a bordered system solved row by row."""

import numpy as np
import pytest
import torch

from deqir_lite.fixedpoint import FixedPointSystem, make_model, x_T_start
from deqir_lite.methods import ReleasedNoise
from deqir_lite.restoration import restore_parallel
from deqir_lite.solvers.released import ReleasedAnderson


def published(function, start, memory, ridge, sweeps):
    """All evaluated X (sweeps, T, ...): the published loop in NumPy, T rows of vectors."""
    shape, rows = start.shape, len(start)
    slots = [start, function(start)]
    evaluated, mapped = list(slots), [function(x) for x in slots]
    for _ in range(2, sweeps):
        x, f = (
            np.stack([v.reshape(rows, -1) for v in vs[-memory:]], 1) for vs in (evaluated, mapped)
        )
        n = x.shape[1]
        new = np.empty((rows, x.shape[2]))
        for row in range(rows):
            g = f[row] - x[row]
            bordered = np.zeros((n + 1, n + 1))
            bordered[0, 1:] = bordered[1:, 0] = 1
            bordered[1:, 1:] = g @ g.T + ridge * np.eye(n)
            alpha = np.linalg.solve(bordered, np.eye(n + 1)[0])[1:]
            new[row] = alpha @ f[row]
        evaluated.append(new.reshape(shape))
        mapped.append(function(evaluated[-1]))
    return np.stack(evaluated)


@pytest.mark.parametrize("memory", [2, 5])
def test_it_is_the_published_loop(chain_for, memory):
    chain = chain_for("sr2", num_steps=6, eta=None, rule=ReleasedNoise(0.1, 0.3))
    system = FixedPointSystem(chain, make_model("noise", chain))

    def function(x):
        full = torch.cat([chain.x_T[None], torch.from_numpy(x)])
        return system(full)[1:].numpy()

    start = x_T_start(chain)
    expected = published(function, start[1:].numpy(), memory, 1e-3, 9)
    solver = ReleasedAnderson(memory=memory)
    state = solver.init(system, start)
    for k in range(9):
        state = solver.step(system, state)
        np.testing.assert_allclose(state.output[1:].numpy(), expected[k], rtol=1e-7, atol=1e-8)


def test_it_comes_near_the_chain(chain_for):
    chain = chain_for("inpaint-random", num_steps=6, eta=0.0)
    solved = restore_parallel(
        chain, form="noise", solver=ReleasedAnderson(), start="x_T", max_sweeps=60, tolerance=1e-6
    )
    expected = chain.sequential()[-1]
    assert (solved.x0 - expected).norm() <= 1e-3 * expected.norm()


def test_near_the_chain_it_averages_the_iterates(chain_for):
    """Where the ridge is larger than the residuals; the plain iteration would take the last."""
    chain = chain_for("sr2", num_steps=4)
    system = FixedPointSystem(chain, make_model("data", chain))
    solver = ReleasedAnderson()
    state = solver.init(system, chain.sequential() + 1e-4)
    for _ in range(3):
        state = solver.step(system, state)
    torch.testing.assert_close(
        state.weights, torch.full_like(state.weights, 1 / 3), rtol=0, atol=1e-2
    )


@pytest.mark.parametrize(("name", "bad"), [("memory", 1), ("ridge", 0.0), ("ridge", float("nan"))])
def test_bad_arguments(name, bad):
    with pytest.raises(ValueError, match=f"^{name}: got "):
        ReleasedAnderson(**{name: bad})


def test_an_estimated_error_is_not_for_it(chain_for, gaussian_prior):
    """Its output is the mix at which the sweep was evaluated: nothing would seem to move."""
    with pytest.raises(ValueError, match="x0_tolerance: got 0.02 with ReleasedAnderson"):
        restore_parallel(
            chain_for("sr2"),
            solver=ReleasedAnderson(),
            gaussian=gaussian_prior,
            x0_tolerance=0.02,
        )
