"""Memory is known before it is needed: the estimate, and the way that fits."""

import subprocess
import sys
from pathlib import Path

import pytest
import torch

from deqir_lite.operators import make_task
from deqir_lite.priors.load import load_gaussian, load_prior
from deqir_lite.restoration import Problem, SolveOptions, pose_problem, restore_problem
from deqir_lite.restoration.plan import plan_restoration

GB = 10**9
SCRIPT = Path(__file__).parent / "memory_of.py"


@pytest.fixture(scope="module")
def prior():
    return load_prior("photo64")


def problem(height, width, task="sr2", batch=1):
    operator = make_task(task, (height, width))
    y = torch.zeros(batch, *operator.measurement_shape((height, width)))
    return Problem(task, operator, y, None)


MEASURED = [
    (512, 512, 1, "sequential", "ddnm"),
    (192, 256, 4, "parallel", "ddnm"),
    (128, 192, 4, "parallel", "weighted"),
    (192, 256, 4, "sequential", "ddrm"),
    (128, 160, 4, "parallel", "dps"),
]


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc/self/status")
def test_the_estimate_is_of_the_order_of_what_a_process_takes(prior):
    command = [sys.executable, str(SCRIPT), *(",".join(map(str, case)) for case in MEASURED)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    for case, line in zip(MEASURED, done.stdout.splitlines(), strict=True):
        *size, steps, sampler, method = case
        plan = plan_restoration(
            problem(*size), prior, method=method, num_steps=steps, sampler=sampler, max_batch=1,
            available=100 * GB,
        )  # fmt: skip
        assert plan.sampler == sampler
        assert plan.window is None
        assert plan.needed / 2 < int(line) < 2 * plan.needed, case


def test_a_small_photo_is_sampled_in_parallel_whole(prior):
    plan = plan_restoration(problem(64, 64), prior, sampler="parallel", available=8 * GB)
    assert (plan.sampler, plan.window, plan.tiles) == ("parallel", None, None)
    assert plan.prior.max_batch >= 20
    assert plan.prior is not prior
    assert plan.describe().startswith("parallel, ")
    assert plan.describe().endswith(" of 8.0 GB of memory")


@pytest.mark.parametrize("method", ["ddnm", "weighted"])
def test_twelve_megapixels_fit_into_four_gigabytes(prior, method):
    large = problem(3024, 4032, "colorization")
    plan = plan_restoration(large, prior, method=method, available=5 * GB)
    assert (plan.sampler, plan.prior.max_batch) == ("sequential", 1)
    assert plan.tiles is not None
    assert plan.prior.tiles == plan.tiles
    assert plan.needed <= 4 * GB
    assert plan.describe().startswith("sequential (a batch brings a CPU next to nothing; ")
    longer = plan_restoration(large, prior, method=method, num_steps=200, available=5 * GB)
    assert longer.needed == plan.needed


def test_less_memory_means_shorter_windows_then_steps_and_smaller_tiles(prior):
    found = []
    for available in (4.0, 2.0, 1.0):
        free = int(available * GB)
        plan = plan_restoration(problem(512, 512), prior, sampler="parallel", available=free)
        assert plan.needed <= 0.8 * free
        found.append((plan.sampler, plan.window))
    assert found[0] == ("parallel", None)
    assert found[1][1] > found[2][1]
    with pytest.raises(ValueError, match="--sampler sequential"):
        plan_restoration(problem(512, 512), prior, sampler="parallel", available=GB // 10)
    steps = plan_restoration(problem(512, 512), prior, available=3 * GB // 10)
    assert (steps.sampler, steps.window) == ("sequential", None)
    whole, tiled = (
        plan_restoration(problem(1024, 1024), prior, available=n * GB // 10) for n in (20, 5)
    )
    assert whole.tiles is None
    assert tiled.tiles.side == 512


@pytest.mark.parametrize(
    ("size", "how", "available", "message"),
    [
        ((512, 512), {"max_batch": 64}, GB, "1 image of 512x512 pixels, 64 at once through the "
         r"network, needs about \S+ GB, "
         r"more than 80% of the 1\.0 GB that are free on cpu; less is needed with "
         "a smaller photo, --max-batch below 64"),
        ((3024, 4032), {}, GB, "1 image of 4032x3024 pixels, 1 at once"),
        ((512, 512), {"sampler": "parallel", "samples": 4}, GB // 10,
         "4 images .* a smaller photo, fewer samples .*, --sampler sequential"),
    ],
)  # fmt: skip
def test_more_than_there_is(prior, size, how, available, message):
    with pytest.raises(ValueError, match=f"^memory: {message}") as caught:
        plan_restoration(problem(*size), prior, available=available, **how)
    assert "\n" not in str(caught.value)


def test_a_cpu_walks_unless_it_is_asked_to_solve(prior, nonlinear_prior):
    """There a batch is hardly faster than its images one by one, and a walk has fewer of them."""
    small = problem(64, 64)
    plan = plan_restoration(small, prior, available=8 * GB)
    assert (plan.sampler, plan.window) == ("sequential", None)
    report = restore_problem(problem(16, 16), nonlinear_prior, method="ddnm")
    assert report.solution.sweeps == report.solution.nfe == 20
    solved = restore_problem(problem(16, 16), nonlinear_prior, method="ddnm", solve=SolveOptions())
    assert solved.solution.nfe > 20
    assert torch.allclose(report.restored, solved.restored, atol=1e-2)


def test_ranks_share_what_goes_through_the_network(prior):
    """So that more steps fit at once; and together they solve on a CPU too."""
    how = {"sampler": "parallel", "available": 2 * GB}
    one = plan_restoration(problem(512, 512), prior, **how)
    four = plan_restoration(problem(512, 512), prior, ranks=4, **how)
    assert one.window <= four.window
    assert four.needed <= 0.8 * 2 * GB
    plan = plan_restoration(problem(64, 64), prior, available=8 * GB, ranks=4)
    assert (plan.sampler, plan.window, plan.prior.max_batch) == ("parallel", None, 5)
    assert plan.describe().startswith("parallel, network's batch over 4 ranks, 5 at once; about")
    with pytest.raises(ValueError, match="ranks: got 0"):
        plan_restoration(problem(32, 32), prior, ranks=0)


def test_what_is_asked_for_is_kept(prior):
    plan = plan_restoration(
        problem(2048, 2048), prior, sampler="parallel", num_steps=8, max_batch=2, available=64 * GB
    )
    assert (plan.sampler, plan.prior.max_batch) == ("parallel", 2)
    for name, value in (("sampler", "fast"), ("samples", 0), ("max_batch", 0)):
        with pytest.raises(ValueError, match=f"^{name}: "):
            plan_restoration(problem(32, 32), prior, **{name: value})


def test_a_prior_without_a_network_has_no_tiles():
    gaussian = load_gaussian()
    plan = plan_restoration(problem(700, 700), gaussian, available=8 * GB)
    assert plan.prior is gaussian
    assert (plan.sampler, plan.tiles, plan.max_batch) == ("sequential", None, None)


def test_where_the_system_does_not_tell_all_is_allowed(prior, monkeypatch):
    monkeypatch.setattr("deqir_lite.restoration.plan.available_memory", lambda device: None)
    plan = plan_restoration(problem(64, 64), prior, sampler="parallel", num_steps=1000)
    assert (plan.sampler, plan.window, plan.available) == ("parallel", None, None)


def test_a_window_of_steps_gives_the_sequential_sample(nonlinear_prior, gaussian_prior):
    from deqir_lite.restoration import SolveOptions

    photo = gaussian_prior.sample((2, 8, 8), torch.Generator().manual_seed(7)).clamp(-1, 1)
    posed = pose_problem(photo, "sr2")
    how = {"method": "ddnm", "settings": {"num_steps": 7, "eta": 0.7, "spacing": "cubic"}}
    walked = restore_problem(posed, nonlinear_prior, sampler="sequential", **how)
    solve = SolveOptions(window=3, tolerance=1e-12, gaussian=gaussian_prior)
    solved = restore_problem(posed, nonlinear_prior, solve=solve, **how)
    assert (solved.solution.x0 - walked.solution.x0).abs().max() <= 1e-10
    assert solved.solution.converged
    assert len(walked.solution.states) == 1


def test_the_interpolated_sampler(nonlinear_prior, gaussian_prior):
    """A few images at once through the network, and of the options of a solve only its own."""
    prior = load_prior("photo64")
    how = {"method": "ddnm", "num_steps": 100, "available": 8 * GB}
    few, all_steps = (
        plan_restoration(problem(64, 64), prior, sampler=sampler, **how)
        for sampler in ("interpolated", "parallel")
    )
    assert (few.sampler, few.window, few.prior.max_batch) == ("interpolated", None, 14)
    assert all_steps.prior.max_batch == 100
    assert few.needed < all_steps.needed
    photo = gaussian_prior.sample((2, 8, 8), torch.Generator().manual_seed(7)).clamp(-1, 1)
    posed = pose_problem(photo, "sr2")
    settings = {"num_steps": 20, "eta": 0.15, "spacing": "uniform"}
    chain = {"method": "ddnm", "settings": settings, "sampler": "interpolated"}
    own = SolveOptions(gaussian=gaussian_prior, x0_tolerance=1e-3)
    report = restore_problem(posed, gaussian_prior, solve=own, **chain)
    assert (report.solution.sweeps, report.solution.nfe) == (1, 14)
    for options, message in (
        ({"form": "noise"}, "form: got 'noise'; it is of the parallel sampler"),
        ({"window": 3}, "window: got 3"),
        ({"start": torch.zeros(21, 2, 3, 8, 8)}, "start: got .*; it is of the parallel sampler"),
    ):
        with pytest.raises(ValueError, match=message):
            restore_problem(posed, gaussian_prior, solve=SolveOptions(**options), **chain)
