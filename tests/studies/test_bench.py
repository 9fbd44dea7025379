"""The benchmark: what the relatives are, and what its numbers count."""

import json
from dataclasses import replace

import pytest
import torch

from deqir_lite.fixedpoint import FixedPointSystem, LinearModel, make_model, make_start, x_T_start
from deqir_lite.priors import GaussianPrior, PhotoSpectrum, power_law_spectrum
from deqir_lite.solvers import Picard
from deqir_lite.studies.bench.measure import END, STOP, make_run_chain, measure, measure_all
from deqir_lite.studies.bench.peers import (
    BandedModel,
    UnprojectedModel,
    paradigms,
    quasi_deer,
    srds,
    swept,
)
from deqir_lite.studies.bench.runs import BenchRun, count_runs, quality_runs, timed_runs
from deqir_lite.studies.bench.samplers import (
    CHECKED,
    CONTROLLED,
    DIFFUSERS,
    FORGETFUL,
    INTERPOLATED,
    INTERPOLATES,
    NETWORK,
    OURS,
    PEERS,
    SLIDING,
    WALK,
    WINDOW,
    sampling,
)
from deqir_lite.studies.bench.study import STUDY, find, table

PRIOR = GaussianPrior(power_law_spectrum(size=8))
RUN = BenchRun(OURS, "ddnm", "sr2", "coffee", 16, 1, 6, 0.15, "uniform")


@pytest.fixture(autouse=True)
def _no_gradients():
    with torch.no_grad():
        yield


def error(x, expected):
    return float((x - expected).norm() / expected.norm())


@pytest.mark.parametrize("start", ["own", "gaussian"])
@pytest.mark.parametrize("name", [OURS, *PEERS])
def test_every_sampler_comes_to_the_walk(chain_for, gaussian_prior, name, start):
    """ParaDiGMS to its own tolerance, the released acceleration to its ridge."""
    chain = chain_for("sr2", num_steps=6)
    if start == "gaussian" and name not in (OURS, *CONTROLLED):
        pytest.skip("has a start of its own")
    x0 = chain.sequential()[-1]
    for now in sampling(name, chain, gaussian_prior, start=start):
        last = now
        if now.sweeps == 60:
            break
    loose = {"ParaDiGMS": 0.1, "ParaDiGMS, window 20": 0.1, "DeqIR, released": 1e-2}
    loose["DEQ-DDIM"] = 1e-2
    assert error(last.x0, x0) <= loose.get(name, 1e-8)


@pytest.mark.parametrize("window", [1, 2, 4, 6, 9])
def test_a_window_that_tolerates_nothing_ends_exactly(chain_for, window):
    chain = chain_for("inpaint-random", num_steps=6, batch=2)
    *_, last = paradigms(chain, x_T_start(chain), window=window, tolerance=0.0)
    assert error(last.x0, chain.sequential()[-1]) <= 1e-12
    if window == 1:  # the walk itself
        assert (last.sweeps, last.calls, last.nfe) == (6, 6, 12)


def test_a_window_over_all_is_picard_with_the_identity(chain_for):
    chain = chain_for("sr2", num_steps=6)
    start = x_T_start(chain)
    system, states = FixedPointSystem(chain, make_model("increment", chain)), start
    for now in paradigms(chain, start, window=6, tolerance=0.0):
        assert error(now.x0, states[-1]) <= 1e-12
        states = system(states)


def test_what_rests_is_not_asked_about_again(chain_for):
    chain = chain_for("sr2", num_steps=6)
    exact = chain.sequential()
    start, *sweeps = paradigms(chain, exact, window=6)
    assert [(now.sweeps, now.nfe) for now in sweeps] == [(1, 6)]
    assert torch.equal(start.x0, exact[-1])


def test_linear_models_of_the_relatives(chain_for):
    chain = chain_for("sr2", num_steps=6)
    residual = torch.randn(5, *chain.x_T.shape, generator=torch.Generator().manual_seed(1)).double()
    banded, unprojected = BandedModel(chain), UnprojectedModel(chain)
    plain = LinearModel.correction(unprojected, residual, 1)
    torch.testing.assert_close(unprojected.correction(residual, 1), plain)
    banded.order = 6  # all states before it
    noise = make_model("noise", chain)
    torch.testing.assert_close(banded.correction(residual, 1), noise.correction(residual, 1))
    banded.order = 1  # the one before it
    torch.testing.assert_close(banded.correction(residual, 1), residual)
    banded.order = 3
    terms, total = residual, residual
    for _ in range(2):
        moved = [noise.apply(v, 1 + i) for i, v in enumerate(terms[:-1], start=1)]
        terms = torch.stack([torch.zeros_like(residual[0]), *moved])
        total = total + terms
    torch.testing.assert_close(banded.correction(residual, 1), total)


def test_the_banded_system_is_for_projectors(chain_for):
    model = BandedModel(chain_for("sr2", method="dps", eta=None))
    with pytest.raises(ValueError, match="^method: the banded system needs"):
        model.correction(torch.zeros(2, 1, 3, 8, 8).double())


def test_quasi_deer_is_newton_where_the_jacobian_is_diagonal(chain_for):
    """White photos behind a mask: every pixel is by itself, and one sweep is enough."""
    alone = torch.eye(3).double()[:, :, None, None].repeat(1, 1, 8, 8)
    white = GaussianPrior(PhotoSpectrum(torch.zeros(3).double(), alone))
    chain = chain_for("inpaint-random", prior=white, num_steps=6)
    _, first, *_ = quasi_deer(chain, x_T_start(chain))
    assert error(first.x0, chain.sequential()[-1]) <= 1e-10
    assert (first.sweeps, first.calls, first.nfe) == (1, 1, 12)


def test_what_srds_costs(chain_for):
    """Three blocks of three steps: a coarse walk, then rounds over all blocks not yet exact."""
    chain = chain_for("sr2", num_steps=9, batch=2)
    found = [(now.sweeps, now.calls, now.nfe) for now in srds(chain)]
    assert found == [
        (0, 3, 2 * 3),
        (1, 3 + 3 + 2, 2 * (3 + 9 + 2)),
        (2, 3 + 3 + 2 + 3 + 1, 2 * (3 + 9 + 2 + 6 + 1)),
        (3, 3 + 3 + 2 + 3 + 1 + 3, 2 * (3 + 9 + 2 + 6 + 1 + 3)),
    ]


def test_srds_on_blocks_of_different_lengths(chain_for):
    chain = chain_for("sr2", num_steps=7)
    *_, last = srds(chain)
    assert error(last.x0, chain.sequential()[-1]) <= 1e-10


def test_sweeps_and_calls_of_a_solver_are_counted(chain_for):
    chain = chain_for("sr2", num_steps=4, batch=2)
    start = make_start("measurement", chain)
    found = [
        (now.sweeps, now.calls, now.nfe)
        for now in swept(chain, make_model("jacobi", chain), Picard(), start)
    ]
    assert found == [(0, 0, 0), (1, 1, 8), (2, 2, 14), (3, 3, 18), (4, 4, 20)]


def costs_of(*runs):
    return {cost.run: cost for cost in measure_all(runs, PRIOR)}


def test_marks_under_the_gaussian_prior():
    """There one sweep is enough for the Gaussian form, and its start is the sample."""
    walked = replace(RUN, sampler=WALK)
    costs = costs_of(RUN, walked, replace(RUN, sampler="DeqIR, plain"))
    ours, walk, plain = (cost.marks for cost in costs.values())
    assert (ours["50"].sweeps, ours["50"].nfe, ours["50"].seconds) == (0, 0, ())
    assert ours[STOP].sweeps == 1  # which finds nothing left to do
    assert walk.keys() == {"40", "50"}
    assert (walk["40"].sweeps, walk["40"].calls, walk["40"].nfe) == (6, 6, 6)
    assert 1 < plain["40"].sweeps <= plain["50"].sweeps <= 6
    assert plain["50"].psnr == pytest.approx(walk["50"].psnr, abs=0.1)
    assert walk["50"].consistency < 1e-5
    assert costs[walked].network is None


def test_the_stop_is_where_the_rule_stops(chain_for, gaussian_prior, nonlinear_prior):
    from deqir_lite.restoration import restore_parallel

    for eta in (0.15, 1.0):
        chain = chain_for("inpaint-random", num_steps=10, eta=eta, size=(16, 16))
        run = replace(RUN, task="inpaint-random", num_steps=10)
        marks = measure(run, chain, chain.sequential()[-1] + 1, gaussian_prior).marks
        stopped = restore_parallel(chain, gaussian=gaussian_prior, x0_tolerance=0.02, tolerance=0)
        assert marks[STOP].sweeps == stopped.sweeps
        assert marks[STOP].nfe == stopped.nfe
        assert "40" not in marks  # it is compared with something else


def test_interpolated_runs(chain_for, gaussian_prior):
    from deqir_lite.restoration import restore_interpolated

    few = replace(RUN, sampler=INTERPOLATED, num_steps=20)
    cost = costs_of(few)[few]
    chain = make_run_chain(few, PRIOR, torch.device("cpu"))
    solution = restore_interpolated(chain)
    assert cost.marks[STOP].sweeps == cost.marks[STOP].calls == solution.sweeps
    assert cost.marks[STOP].nfe == solution.nfe
    whole = replace(few, sampler=CHECKED)
    marks = costs_of(whole)[whole].marks
    assert marks[STOP].nfe == solution.nfe + 20
    assert marks[STOP].decibel >= 40
    noisy = count_runs((20,), (64,), chains=((1.0, "cubic"),))
    assert not {run.sampler for run in noisy} & set(INTERPOLATES)
    beside = {run.sampler for run in timed_runs([few], repeats=1, device="", graphs=False)}
    assert {WALK, NETWORK, INTERPOLATED} <= beside


def test_runs_in_a_window(chain_for, gaussian_prior):
    """They end as the package's own solve does."""
    from deqir_lite.restoration import SolveOptions
    from deqir_lite.restoration.sampling import solve_chain

    slid = replace(RUN, sampler=SLIDING, num_steps=20, eta=1.0)
    marks = costs_of(slid)[slid].marks
    chain = make_run_chain(slid, PRIOR, torch.device("cpu"))
    solution = solve_chain(chain, SolveOptions(window=WINDOW, x0_tolerance=0.02))
    assert (marks[STOP].calls, marks[STOP].nfe) == (solution.sweeps, solution.nfe)
    assert marks[STOP] == marks["40"]


@pytest.mark.parametrize("sampler", [OURS, SLIDING, INTERPOLATED, WALK])
def test_a_walk_without_bounds_has_no_marks(gaussian_prior, chain_for, sampler):
    chain = chain_for("sr2", num_steps=6)
    nowhere = chain.x_T * torch.inf
    assert measure(replace(RUN, sampler=sampler), chain, nowhere, gaussian_prior).marks == {}


def test_times():
    runs = timed_runs([RUN], repeats=2, device="here", graphs=False)
    assert FORGETFUL not in {run.sampler for run in runs}  # nobody asked for it
    wanted = [
        run
        for run in runs
        if run.sampler in (OURS, WALK, DIFFUSERS) or (run.sampler, run.batch) == (NETWORK, 6)
    ]
    assert {run.repeats for run in wanted} == {2}
    costs = costs_of(*wanted)
    for run, cost in costs.items():
        for mark in cost.marks.values():
            median, least, most = mark.seconds
            assert 0 < least <= median <= most
        assert 0 <= cost.network <= 1
        lone = run.sampler in (NETWORK, DIFFUSERS)
        assert (END in cost.marks) is lone
        assert all((mark.decibel is None) is lone for mark in cost.marks.values())
    call = next(cost for run, cost in costs.items() if run.sampler == NETWORK)
    assert (call.marks[END].calls, call.marks[END].nfe) == (1, 6)


# Sweeps to 40 dB that the authors' own programs took, on the paper's chain at 64 pixels, with a
# prior like the bundled one, on three problems: the least and the most.
PROGRAMS = {
    ("DeqIR, plain", 20): (13, 14),
    ("ParaTAA", 20): (12, 15),
    ("ParaDiGMS", 20): (11, 15),
    ("ParaDiGMS, window 20", 20): (11, 15),
    ("ParaTAA", 50): (25, 33),
}


@pytest.mark.parametrize(("sampler", "steps"), PROGRAMS)
def test_short_versions_count_what_the_authors_programs_count(sampler, steps):
    """On file, on problems of our own; a sweep more or less is the prior's."""
    run = {"sampler": sampler, "num_steps": steps, "eta": 0.15, "spacing": "uniform"}
    found = find(STUDY.load(), **run, size=64, batch=1, start="own")
    sweeps = [cost.marks["40"].sweeps for cost in found]
    least, most = PROGRAMS[sampler, steps]
    assert sweeps
    assert least - 1 <= min(sweeps) <= max(sweeps) <= most + 1


def test_nothing_is_begun_after_the_time():
    assert list(measure_all([RUN], PRIOR, minutes=0.0)) == []


def test_the_file_holds_what_was_measured(tmp_path):
    out = tmp_path / "bench.json"
    runs = [RUN, replace(RUN, sampler=WALK, repeats=1, device="here")]
    measured = STUDY.run(out, runs, prior=PRIOR)
    read = STUDY.load(out)
    assert [cost.run for cost in read] == runs
    assert read[0].marks.keys() == measured[0].marks.keys()
    assert read[1].marks["40"].seconds == pytest.approx(measured[1].marks["40"].seconds, abs=1e-5)
    content = json.loads(out.read_text())
    assert content["command"] == "deqir-lite bench"
    assert {"versions", "machine", "commit"} <= content.keys()
    assert len(find(read, sampler=WALK)) == 1
    assert len(table(read).splitlines()) == 4


def test_the_grid():
    runs = count_runs((20,), (64,), chains=((0.15, "uniform"),), problems=(("sr4", "cat"),))
    assert {run.sampler for run in runs} == {OURS, FORGETFUL, SLIDING, *INTERPOLATES, *PEERS}
    assert {run.sampler for run in runs if run.start == "gaussian"} == set(CONTROLLED)
    assert all(run.repeats == 0 and run.device == "" for run in runs)
    for method in ("ddnm", "weighted"):
        assert {r.sampler for r in quality_runs() if r.method == method} == {OURS, WALK}
