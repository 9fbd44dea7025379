"""First guesses for all states."""

import pytest
import torch

from deqir_lite.chain import make_chain
from deqir_lite.fixedpoint import (
    STARTS,
    gaussian_start,
    make_start,
    measurement_start,
    x_T_start,
)
from deqir_lite.operators.dense import MatrixOperator


@pytest.mark.parametrize("name", STARTS)
def test_starts_have_the_shape_of_the_chain_and_its_x_T(chain_for, gaussian_prior, name):
    chain = chain_for(batch=2, eta=0.5)
    start = make_start(name, chain, gaussian=gaussian_prior)
    assert start.shape == (7, 2, 3, 8, 8)
    assert torch.equal(start[0], chain.x_T)
    single = chain_for(batch=2, eta=0.5, dtype=torch.float32)
    assert make_start(name, single, gaussian=gaussian_prior).dtype == torch.float32


def test_the_papers_start_repeats_x_T(chain_for):
    chain = chain_for()
    start = x_T_start(chain)
    assert all(torch.equal(state, chain.x_T) for state in start)
    start[3] += 1  # its states do not share memory
    assert torch.equal(start[2], chain.x_T)


def test_measurement_start_is_the_noised_pseudo_inverse(chain_for):
    """x_s = sqrt(abar_s) A^+ y + sqrt(1 - abar_s) (sqrt(1 - eta^2) x_T + eta xi_{s+1})."""
    chain = chain_for(eta=0.6)
    start, tau = measurement_start(chain), chain.coefficients.timesteps
    for k in range(6):
        abar = float(chain.prior.schedule.alpha_bar[tau[k + 1]]) if k < 5 else 1.0
        noise = 0.8 * chain.x_T + 0.6 * chain.noise[k]
        expected = abar**0.5 * chain.measurement.pinv_y + (1 - abar) ** 0.5 * noise
        torch.testing.assert_close(start[k + 1], expected)
    torch.testing.assert_close(start[-1], chain.measurement.pinv_y)


def test_gaussian_start_is_the_chain_of_the_gaussian_prior(chain_for, gaussian_prior):
    torch.testing.assert_close(
        gaussian_start(chain_for(), gaussian_prior), chain_for(prior=gaussian_prior).sequential()
    )


def test_better_starts_are_nearer(chain_for, gaussian_prior):
    chain = chain_for(eta=0.15, num_steps=20)
    goal = chain.sequential()
    errors = [(make_start(n, chain, gaussian=gaussian_prior) - goal).norm() for n in STARTS]
    assert errors[2] < errors[1] < errors[0]


def test_unknown_start_and_missing_prior(chain_for):
    with pytest.raises(ValueError, match=r"^start: .*known: x_T, measurement, gaussian$"):
        make_start("zeros", chain_for())
    with pytest.raises(ValueError, match=r"^gaussian: got None"):
        make_start("gaussian", chain_for())


def test_a_point_in_the_plane_has_no_gaussian_start(mixture_prior, gaussian_prior):
    matrix, y = torch.eye(2).double()[:1], torch.zeros(1, 1).double()
    chain = make_chain(mixture_prior, MatrixOperator(matrix), y)
    with pytest.raises(ValueError, match=r"^start: the Gaussian start is for photos"):
        make_start("gaussian", chain, gaussian=gaussian_prior)
