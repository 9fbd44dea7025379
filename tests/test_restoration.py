"""One call from a chain to its restored photo."""

import pytest
import torch

from deqir_lite.fixedpoint import FORMS
from deqir_lite.restoration import restore_parallel, restore_sequential
from deqir_lite.solvers import SOLVERS, Picard


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("form", FORMS)
def test_parallel_is_sequential(chain_for, gaussian_prior, form, solver):
    chain = chain_for(num_steps=5, batch=2)
    sequential = restore_sequential(chain)
    assert (sequential.sweeps, sequential.nfe, sequential.converged) == (5, 10, True)
    parallel = restore_parallel(
        chain, form, solver, max_sweeps=100, tolerance=1e-13, gaussian=gaussian_prior
    )
    assert parallel.converged
    assert (parallel.states - sequential.states).abs().max() <= 1e-10
    assert not parallel.states.requires_grad


def test_the_start_may_be_named_or_given(chain_for, gaussian_prior):
    chain = chain_for(num_steps=10)
    goal = restore_sequential(chain).states
    options = {"solver": Picard(), "gaussian": gaussian_prior, "tolerance": 1e-4}
    given = restore_parallel(chain, "data", start=goal, **options)
    assert given.sweeps == 1
    for form, default in [("gaussian", "gaussian"), ("data", "measurement")]:
        unnamed = restore_parallel(chain, form, **options)
        named = restore_parallel(chain, form, start=default, **options)
        assert torch.equal(unnamed.states, named.states)


def test_the_bundled_gaussian_prior_serves_by_default(chain_for):
    chain = chain_for(num_steps=4, dtype=torch.float32)
    solution = restore_parallel(chain, tolerance=0.0)
    torch.testing.assert_close(solution.x0, restore_sequential(chain).x0, rtol=0, atol=1e-4)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"form": "newton"}, "form: .*known: noise, data, gaussian, jacobi"),
        ({"solver": "newton"}, "solver: .*known: picard"),
        ({"start": "zeros"}, "start: .*known: noise, measurement, gaussian"),
        ({"max_sweeps": 0}, "max_sweeps: got 0"),
    ],
)
def test_unknown_names(chain_for, gaussian_prior, options, message):
    with pytest.raises(ValueError, match=message):
        restore_parallel(chain_for(), gaussian=gaussian_prior, **options)
