"""The estimated error of x_0 beside its true one."""

from dataclasses import replace

import pytest
import torch

from deqir_lite import PAPER, PICTURE
from deqir_lite.bundled import load_bundled_photo
from deqir_lite.fixedpoint import FORMS
from deqir_lite.priors.load import load_prior
from deqir_lite.restoration import make_problem_chain, pose_problem, restore_parallel
from deqir_lite.solvers.stopping import ErrorEstimate


@pytest.fixture(scope="module")
def photo64():
    return load_prior("photo64")


def rms(difference):
    return difference.flatten(1).pow(2).mean(dim=1).sqrt()


def swept(rates, places):
    """The estimates and true errors of sweeps evaluated where the errors are ``places`` times those
    of the start, under a linear F with the factor ``rates`` (B,) in all directions."""
    generator = torch.Generator().manual_seed(0)
    shape = (2, len(rates), 3, 4, 4)
    limit, error = torch.randn(shape, generator=generator, dtype=torch.float64)
    factor = torch.tensor(rates, dtype=torch.float64)[:, None, None, None]
    estimate, found = ErrorEstimate(), []
    for place in places(factor):
        before = limit + place * error
        x0 = limit + factor * place * error
        estimate = estimate.after(before, x0)
        found.append((estimate.error, rms(x0 - limit)))
    return estimate, found


RATES = [0.1, 0.5, 0.9]


def test_it_is_exact_for_plain_sweeps_of_a_linear_map_with_one_factor():
    estimate, found = swept(RATES, lambda factor: [factor**j for j in range(5)])
    torch.testing.assert_close(found[0][0], estimate.corrections[0])  # nothing to compare with
    for said, true in found[1:]:
        torch.testing.assert_close(said, true)


def test_it_is_exact_wherever_a_solver_evaluates_its_sweeps():
    """The third is farther than the second, and tells by the first."""
    _, found = swept(RATES, lambda factor: [1.0, 0.2, 0.6, 0.05])
    for said, true in found[1:]:
        torch.testing.assert_close(said, true)


def told(corrections, ways):
    def of_one_image(values):
        return tuple(torch.tensor(values, dtype=torch.float64)[:, None])

    return ErrorEstimate((), of_one_image(corrections), of_one_image(ways))


def test_the_median_of_the_sweeps_with_larger_corrections_counts():
    """They tell 1, 3 and 2; the fourth sweep, whose correction was smaller, tells nothing."""
    estimate = told([5.0, 4.0, 3.0, 0.5, 1.0], [4.0, 9.0, 4.0, 50.0])
    assert estimate.error.item() == pytest.approx(2.0)


@pytest.mark.parametrize(
    ("corrections", "error"),
    [((1.0, 1.0), float("inf")), ((1.0, 2.0), float("inf")), ((1.0, 0.0), 0.0), ((0.0, 0.0), 0.0)],
    ids=["no progress", "growth", "rest", "rest from the start"],
)
def test_corrections_that_do_not_shrink(corrections, error):
    assert told(corrections, [1.0]).error.item() == error


HARD = {
    "T=100, uniform, eta=0.15, deblur-gaussian": (
        *([0.114, 0.346, 0.175, 0.0869, 0.0576, 0.0914, 0.0923, 0.0485],),
        *([0.0424, 0.0403, 0.0366, 0.034, 0.0282, 0.0248, 0.0168],),
        *([0.0925, 0.308, 0.159, 0.105, 0.0731, 0.115, 0.096, 0.0531],),
        *([0.0464, 0.0411, 0.0378, 0.0262, 0.0192, 0.0195], 0.0273),
    ),
    "T=200, cubic, eta=1, inpaint-random": (
        *([0.0944, 0.115, 0.108, 0.0802, 0.0787, 0.0653, 0.0548, 0.0491],),
        *([0.0422, 0.0434, 0.0355, 0.0377, 0.0299, 0.023, 0.0186],),
        *([0.212, 0.186, 0.167, 0.14, 0.123, 0.105, 0.0894, 0.0767],),
        *([0.0607, 0.0534, 0.0343, 0.0363, 0.0264, 0.0213], 0.0434),
    ),
}
"""Fifteen sweeps of the network of the book, which hardly progress, and the error after them. The
last correction is at most 0.02, and the error is more than that."""


@pytest.mark.parametrize("name", HARD)
def test_sweeps_that_progress_slowly(name):
    """The small last correction is not taken for a small error."""
    first, then, early, late, error = HARD[name]
    estimate = told([*first, *then], [*early, *late])
    assert estimate.corrections[-1].item() < 0.02 < error
    assert 0.95 < estimate.error.item() / error < 1.05


@pytest.mark.parametrize(("eta", "spacing"), [(1.0, "cubic"), (0.15, "uniform"), (0.0, "cubic")])
@pytest.mark.parametrize(
    ("task", "method"),
    [
        *[(task, "ddnm") for task in ("sr4", "inpaint-random", "colorization")],
        *[(task, "weighted") for task in ("inpaint-random", "inpaint-box")],
    ],
)
def test_a_restoration_is_within_what_was_asked(photo64, task, method, eta, spacing):
    """The network of the book, and 40 and 52 dB; at most one sweep after the first that is there,
    and the rule of residuals takes no fewer."""
    settings = {"num_steps": 10, "eta": eta, "spacing": spacing}
    problem = pose_problem(load_bundled_photo("coffee", size=32), task)
    chain = make_problem_chain(problem, photo64, method=method, settings=settings, seed=1)
    with torch.no_grad():
        exact = chain.sequential()[-1]
    most = restore_parallel(chain, tolerance=1e-3).sweeps
    for x0_tolerance in (0.02, 0.005):
        stopped = restore_parallel(chain, x0_tolerance=x0_tolerance, record=["x0"])
        errors = [rms(x0 - exact).item() for x0 in stopped.trace.x0]
        assert stopped.converged
        assert errors[-1] <= x0_tolerance
        assert all(error > x0_tolerance for error in errors[:-2])
        assert stopped.sweeps <= most


def test_the_first_of_the_corrections_may_tell_nothing():
    """It is as large as the start was bad, and x_0 has gone a long way since."""
    estimate = told([9.0, 4.0, 1.0], [16.0, 6.0])
    assert estimate.error.item() == pytest.approx(2.0)
    blind = replace(estimate, first_tells=False)
    assert blind.error.item() == pytest.approx(2.0)
    fooled = told([9.0, 1.0], [0.8])
    assert fooled.error.item() == pytest.approx(0.1)
    assert replace(fooled, first_tells=False).error.item() == 1.0


@pytest.mark.parametrize("settings", [PAPER, PICTURE], ids=["paper", "picture"])
@pytest.mark.parametrize("start", ["x_T", "measurement", "states"])
def test_a_solve_from_a_bad_start_is_within_what_was_asked(photo64, settings, start):
    """The Gaussian form takes the noise out of it in one sweep, and hardly less so on a blur: what
    the next sweep corrects looks like the rest of a quick success."""
    problem = pose_problem(load_bundled_photo("astronaut", size=32), "deblur-gaussian")
    chain = make_problem_chain(problem, photo64, method="ddnm", settings=settings, seed=1)
    states = chain.x_T.expand(chain.num_steps + 1, *chain.x_T.shape)
    begin = states if start == "states" else start
    with torch.no_grad():
        exact = chain.sequential()[-1]
    stopped = restore_parallel(chain, start=begin, x0_tolerance=0.02)
    assert stopped.converged
    assert rms(stopped.x0 - exact).item() <= 0.02


def test_every_other_form_is_refused(chain_for):
    for form in set(FORMS) - {"gaussian"}:
        with pytest.raises(ValueError, match="x0_tolerance: got a system in the form"):
            restore_parallel(chain_for(), form=form, x0_tolerance=0.02)
