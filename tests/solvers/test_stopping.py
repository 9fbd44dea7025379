"""The estimated error of x_0 beside its true one."""

import pytest
import torch

from deqir_lite.bundled import load_bundled_photo
from deqir_lite.fixedpoint import FORMS
from deqir_lite.priors.load import load_prior
from deqir_lite.restoration import make_problem_chain, pose_problem, restore_parallel
from deqir_lite.solvers.stopping import LARGEST_RATE, ErrorEstimate


@pytest.fixture(scope="module")
def photo64():
    return load_prior("photo64")


def rms(difference):
    return difference.flatten(1).pow(2).mean(dim=1).sqrt()


def geometric(rates, sweeps, generator):
    """The limit (B, 3, 4, 4) and iterates whose errors shrink by ``rates`` (B,) a sweep."""
    limit, error = torch.randn(
        2, len(rates), 3, 4, 4, generator=generator, dtype=torch.float64
    )  # fmt: skip
    factors = torch.tensor(rates, dtype=torch.float64)[:, None, None, None]
    return limit, [limit + factors**j * error for j in range(sweeps + 1)]


def test_it_is_exact_where_errors_shrink_geometrically():
    limit, iterates = geometric([0.1, 0.5, 0.9], 5, torch.Generator().manual_seed(0))
    estimate = ErrorEstimate(iterates[0])
    for sweep, x0 in enumerate(iterates[1:], start=1):
        estimate = estimate.after(x0)
        if sweep == 1:
            assert estimate.error.tolist() == [float("inf")] * 3
        else:
            torch.testing.assert_close(estimate.error, rms(x0 - limit))


def test_of_two_ratios_the_larger_one_counts():
    """Moves of 1, 1/2 and 1/20: the next one may be a half again."""
    estimate = ErrorEstimate(torch.zeros(1, 1, dtype=torch.float64))
    for x0 in (1.0, 1.5, 1.55):
        estimate = estimate.after(torch.tensor([[x0]], dtype=torch.float64))
    assert estimate.error.item() == pytest.approx(0.05)


@pytest.mark.parametrize(
    ("moves", "error"),
    [((1.0, 1.0), LARGEST_RATE / (1 - LARGEST_RATE)), ((1.0, 0.0), 0.0), ((0.0, 0.0), 0.0)],
    ids=["no progress", "rest", "rest from the start"],
)
def test_rates_that_are_no_rates(moves, error):
    estimate, place = ErrorEstimate(torch.zeros(1, 1, dtype=torch.float64)), 0.0
    for move in moves:
        place += move
        estimate = estimate.after(torch.tensor([[place]], dtype=torch.float64))
    assert estimate.error.item() == pytest.approx(error)


@pytest.mark.parametrize("x0_tolerance", [0.02, 0.005])
@pytest.mark.parametrize(("eta", "spacing"), [(1.0, "cubic"), (0.15, "uniform"), (0.0, "cubic")])
@pytest.mark.parametrize(
    ("task", "method"),
    [
        *[(task, "ddnm") for task in ("sr4", "inpaint-random", "colorization")],
        *[(task, "weighted") for task in ("inpaint-random", "inpaint-box")],
    ],
)
def test_a_restoration_is_within_what_was_asked(photo64, task, method, eta, spacing, x0_tolerance):
    """The network of the book, and 40 and 52 dB; the rule of residuals takes more sweeps."""
    settings = {"num_steps": 10, "eta": eta, "spacing": spacing}
    problem = pose_problem(load_bundled_photo("coffee", size=32), task)
    chain = make_problem_chain(problem, photo64, method=method, settings=settings, seed=1)
    with torch.no_grad():
        exact = chain.sequential()[-1]
    stopped = restore_parallel(chain, x0_tolerance=x0_tolerance)
    assert stopped.converged
    assert rms(stopped.x0 - exact).item() <= x0_tolerance
    assert stopped.sweeps <= restore_parallel(chain, tolerance=1e-3).sweeps


def test_every_other_form_is_refused(chain_for):
    for form in set(FORMS) - {"gaussian"}:
        with pytest.raises(ValueError, match="x0_tolerance: got a system in the form"):
            restore_parallel(chain_for(), form=form, x0_tolerance=0.02)
