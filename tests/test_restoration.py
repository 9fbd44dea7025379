"""One call from a chain to its restored photo."""

import warnings

import pytest
import torch

from deqir_lite import load_gaussian, restore_parallel, restore_sequential
from deqir_lite.chain import PAPER, PICTURE, make_chain
from deqir_lite.fixedpoint import FORMS, STARTS, gaussian_start
from deqir_lite.methods import DDPMNoise, Method, RangeNullConsistency
from deqir_lite.operators import TASKS, make_task
from deqir_lite.priors import ModelPrior
from deqir_lite.restoration import (
    SAMPLERS,
    choose,
    make_problem_chain,
    pose_problem,
    restore_problem,
    sampling,
)
from deqir_lite.schedule import cosine_schedule
from deqir_lite.solvers import SOLVERS, Anderson, ConvergenceWarning, Picard


def difference(solution, reference):
    return float((solution.states - reference.states).abs().max())


def test_sequential_is_the_chain(chain_for):
    chain = chain_for(batch=2)
    solution = restore_sequential(chain)
    assert torch.equal(solution.states, chain.sequential())
    assert torch.equal(solution.x0, solution.states[-1])
    assert solution.x0.shape == (2, 3, 8, 8)
    assert (solution.sweeps, solution.nfe, solution.converged) == (6, 12, True)
    assert not solution.states.requires_grad


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("start", STARTS)
@pytest.mark.equation("8", "11")
def test_every_combination_gives_the_sequential_sample(
    chain_for, gaussian_prior, start, form, solver
):
    chain = chain_for(num_steps=5, batch=2)
    solution = restore_parallel(
        chain,
        form=form,
        solver=solver,
        start=start,
        max_sweeps=100,
        tolerance=1e-13,
        gaussian=gaussian_prior,
    )
    assert solution.converged
    assert difference(solution, restore_sequential(chain)) <= 1e-10
    assert not torch.allclose(solution.x0[0], solution.x0[1])  # two photos


@pytest.mark.parametrize("method", ["deqir", "sequential"])
def test_samples_in_a_batch_are_the_runs_with_their_seeds(chain_for, gaussian_prior, method):
    """Solved and stopped as alone, although their numbers of sweeps differ."""

    def restore(chain):
        if method == "sequential":
            return restore_sequential(chain)
        return restore_parallel(chain, form="noise", gaussian=gaussian_prior, tolerance=1e-2)

    chain = chain_for(num_steps=12)
    operator, y = chain.measurement.operator, chain.measurement.operator.A(chain.measurement.pinv_y)
    samples = restore(make_chain(chain.prior, operator, y, num_steps=12, seed=3, samples=4))
    alone = [
        restore(make_chain(chain.prior, operator, y, num_steps=12, seed=3 + k)) for k in range(4)
    ]
    together = torch.cat([solution.x0 for solution in alone])
    torch.testing.assert_close(samples.x0, together, rtol=0, atol=1e-10)
    assert samples.nfe == sum(solution.nfe for solution in alone)
    assert samples.sweeps == max(solution.sweeps for solution in alone)


def test_solvers_by_name_and_as_objects(chain_for):
    chain = chain_for()
    options = {"form": "noise", "tolerance": 1e-8}
    named = restore_parallel(chain, solver="picard", **options)
    given = restore_parallel(chain, solver=Picard(), **options)
    assert torch.equal(named.states, given.states)
    for memory in (1, 2):
        solution = restore_parallel(chain, solver=Anderson(memory=memory), **options)
        assert solution.trace.weights[3].shape[-1] == memory + 1


@pytest.mark.parametrize("form", FORMS)
def test_the_default_start_is_the_gaussian_chain(chain_for, gaussian_prior, form):
    chain = chain_for()
    expected = gaussian_start(chain, gaussian_prior)
    options = {"gaussian": gaussian_prior, "max_sweeps": 6, "record": ["states"]}
    default = restore_parallel(chain, form=form, solver="picard", **options)
    given = restore_parallel(chain, form=form, solver="picard", start=expected, **options)
    assert torch.equal(default.trace.states[0], given.trace.states[0])


def test_a_warm_start_saves_sweeps(chain_for):
    chain = chain_for(num_steps=12)
    options = {"form": "noise", "tolerance": 1e-4}
    cold = restore_parallel(chain, **options)
    warm = restore_parallel(chain, **options, start=restore_sequential(chain).states)
    assert warm.sweeps == 1
    nearby = restore_parallel(chain, **options, start=cold.states + 1e-3)
    assert 1 < nearby.sweeps < cold.sweeps
    assert difference(nearby, restore_sequential(chain)) < 1e-2


def test_the_bundled_gaussian_prior_is_the_default(chain_for):
    chain = chain_for(dtype=torch.float32)
    default = restore_parallel(chain, tolerance=0.0)
    given = restore_parallel(chain, tolerance=0.0, gaussian=load_gaussian())
    assert torch.equal(default.states, given.states)
    assert difference(default, restore_sequential(chain)) < 1e-4


@pytest.mark.parametrize(
    ("form", "start", "loads"),
    [
        ("noise", "measurement", False),
        ("data", "x_T", False),
        ("jacobi", "gaussian", True),
        ("gaussian", "measurement", True),
    ],
)
def test_the_gaussian_prior_is_loaded_only_where_needed(
    chain_for, monkeypatch, gaussian_prior, form, start, loads
):
    calls = []

    def load(prior):
        calls.append(prior)
        return gaussian_prior

    monkeypatch.setattr(sampling, "gaussian_of", load)
    chain = chain_for()
    restore_parallel(chain, form=form, start=start)
    assert calls == [chain.prior] * loads


def test_the_gaussian_prior_follows_the_schedule_of_the_chain(chain_for):
    chain = chain_for(prior=load_gaussian(cosine_schedule()))
    solution = restore_parallel(chain, tolerance=1e-9)
    assert solution.sweeps == 1  # the Gaussian chain is its own start
    assert difference(solution, restore_sequential(chain)) < 1e-9


def test_the_options_reach_the_solver(chain_for):
    chain = chain_for()
    recorded = restore_parallel(chain, form="noise", record=["x0"])
    assert len(recorded.trace.x0) == recorded.sweeps > 2
    loose = restore_parallel(chain, x0_tolerance=1e3)
    assert (loose.sweeps, loose.converged) == (1, True)
    with pytest.warns(ConvergenceWarning, match="not converged after 1 sweeps"):
        short = restore_parallel(chain, form="noise", max_sweeps=1)
    assert not short.converged


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"form": "bogus"}, "form: unknown value 'bogus'; known: noise, data, gaussian, jacobi"),
        ({"solver": "bogus"}, "solver: unknown value 'bogus'; known: picard, anderson-joint"),
        ({"start": "bogus"}, "start: unknown value 'bogus'; known: x_T, measurement, gaussian"),
        ({"start": torch.zeros(3, 1, 3, 8, 8)}, "start: got shape (3, 1, 3, 8, 8)"),
        ({"max_sweeps": 0}, "max_sweeps: got 0; expected an integer >= 1"),
        ({"tolerance": float("nan")}, "tolerance: got nan"),
        ({"record": ["bogus"]}, "record: unknown value 'bogus'"),
    ],
)
def test_bad_arguments(chain_for, gaussian_prior, options, message):
    with pytest.raises(ValueError) as caught:  # noqa: PT011 (compared below)
        restore_parallel(chain_for(), gaussian=gaussian_prior, **options)
    assert message in str(caught.value)


def test_tolerances_below_what_a_coarse_network_can_meet(chain_for, gaussian_prior):
    """Its residuals rest above them."""
    coarse = ModelPrior(gaussian_prior, gaussian_prior.schedule)
    coarse.compute_dtype = torch.bfloat16
    chain = chain_for("sr2", prior=coarse)
    how = {"gaussian": gaussian_prior}
    with pytest.warns(UserWarning, match="tolerance: got 0.0001; the residuals of a bfloat16"):
        restore_parallel(chain, tolerance=1e-4, **how)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        restore_parallel(chain, **how)
        restore_parallel(chain, tolerance=0, **how)  # all sweeps are wanted
        restore_parallel(chain, tolerance=1e-6, x0_tolerance=0.02, **how)
        restore_parallel(chain_for("sr2"), tolerance=1e-6, **how)


def test_nothing_is_differentiated(chain_for, gaussian_prior):
    chain = chain_for()
    chain = chain.with_x_T(chain.x_T.clone().requires_grad_())
    for solution in (restore_sequential(chain), restore_parallel(chain, gaussian=gaussian_prior)):
        assert not solution.x0.requires_grad


@pytest.mark.parametrize("sample", [restore_sequential, restore_parallel])
@pytest.mark.parametrize("timestep", [999, 7, 0])
@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_a_prediction_that_is_not_finite_is_an_error_of_the_prior(
    gaussian_prior, sample, timestep, bad, recwarn
):
    """Of one pixel of one image at one timestep, in both samplers, and named."""

    def sometimes(x, t):
        eps = gaussian_prior(x, t).clone()
        eps[t == timestep, 0, 0, 0] = bad
        return eps

    operator = make_task("sr2", (8, 8))
    y = operator.A(torch.zeros(2, 3, 8, 8))
    broken = ModelPrior(sometimes, gaussian_prior.schedule)
    chain = make_chain(broken, operator, y, timesteps=[999, 300, 7, 0])
    message = f"^prior: sometimes predicts NaN or infinity at timestep {timestep}, for images that"
    with pytest.raises(ValueError, match=message):
        sample(chain)
    assert not recwarn.list


def test_a_prior_that_fails_later_in_a_parallel_solve(gaussian_prior):
    calls = []

    def later(x, t):
        calls.append(1)
        return gaussian_prior(x, t) * (float("nan") if len(calls) > 1 else 1.1)

    operator = make_task("sr2", (8, 8))
    y = operator.A(torch.zeros(1, 3, 8, 8))
    chain = make_chain(ModelPrior(later, gaussian_prior.schedule), operator, y, num_steps=5)
    with pytest.raises(ValueError, match="later predicts NaN or infinity at timestep"):
        restore_parallel(chain, solver="picard", tolerance=0.0)


@pytest.mark.parametrize("sample", [restore_sequential, restore_parallel])
def test_a_chain_that_grows_without_bounds_is_no_fault_of_the_prior(gaussian_prior, sample):
    explosive = ModelPrior(lambda x, t: -1e12 * x, gaussian_prior.schedule)
    operator = make_task("sr2", (8, 8))
    y = operator.A(torch.zeros(1, 3, 8, 8))
    chain = make_chain(explosive, operator, y, num_steps=8)
    if sample is restore_sequential:
        with pytest.raises(ValueError, match="^chain: its states became infinite"):
            sample(chain)
    else:
        with pytest.warns(ConvergenceWarning):
            assert not sample(chain).converged


def test_a_prior_with_a_gaussian_part_of_its_own_has_it_in_its_form(make_fitted_prior):
    prior = make_fitted_prior(8)
    operator = make_task("inpaint-random", (8, 8))
    y = operator.A(prior.sample((1, 8, 8), torch.Generator().manual_seed(0)))
    solution = restore_parallel(make_chain(prior, operator, y, num_steps=6), start="x_T")
    assert solution.nfe <= 2 * 6  # one sweep to arrive, one to see it


def test_a_problems_noise_is_not_that_of_its_chain(gaussian_prior):
    photo = gaussian_prior.sample((1, 8, 8), torch.Generator().manual_seed(7)).clamp(-1, 1)
    noisy = pose_problem(photo, "inpaint-random", sigma_y=0.1)
    noise = noisy.y - noisy.operator.A(photo)
    x_T = make_chain(gaussian_prior, noisy.operator, noisy.y).x_T
    correlation = float((noise * x_T).sum() / noise.norm() / x_T.norm())
    assert abs(correlation) < 0.25


@pytest.mark.parametrize("sigma_y", [0.0, 0.1])
@pytest.mark.parametrize("task", TASKS)
def test_what_suits_the_task_unless_something_else_is_given(gaussian_prior, task, sigma_y):
    photo = gaussian_prior.sample((1, 8, 8), torch.Generator().manual_seed(7)).clamp(-1, 1)
    problem = pose_problem(photo, task, sigma_y=sigma_y)
    scattered = task == "sensing" or task.startswith(("inpaint", "old-photo"))
    default = ("weighted", PICTURE) if scattered or sigma_y else ("ddnm", PICTURE)
    assert choose(problem) == default
    assert choose(problem, method="ddnm") == ("ddnm", PICTURE)
    assert choose(problem, method="weighted") == ("weighted", PICTURE)
    assert choose(problem, preset="paper") == ("ddnm", PAPER)
    assert choose(problem, num_steps=3, eta=0.5) == (
        *default[:1],
        default[1] | {"num_steps": 3, "eta": 0.5},
    )
    with pytest.raises(ValueError, match=r"^preset: unknown value 'bogus'; known: picture, paper"):
        choose(problem, preset="bogus")


def test_published_methods_have_the_chain_of_their_publication(gaussian_prior):
    photo = gaussian_prior.sample((1, 8, 8), torch.Generator().manual_seed(7)).clamp(-1, 1)
    problem = pose_problem(photo, "sr2")
    published = {"num_steps": 20, "eta": 0.85, "spacing": "uniform"}
    assert choose(problem, method="ddrm") == ("ddrm", published)
    assert choose(problem, method="ddrm", eta=0.1) == ("ddrm", published | {"eta": 0.1})
    assert choose(problem, method="ddrm", preset="paper") == ("ddrm", PAPER)
    assert choose(problem, method="dps") == ("dps", {"num_steps": 1000, "spacing": "uniform"})
    with pytest.raises(
        ValueError, match=r"^eta: got 0.5, but the noise rule of this method is DDP"
    ):
        choose(problem, method="dps", eta=0.5)
    for name in ("dps", "ddrm", "repaint"):
        settings = choose(problem, method=name, num_steps=11).settings
        report = restore_problem(
            problem, gaussian_prior, method=name, settings=settings, sampler="sequential"
        )
        chain = make_problem_chain(problem, gaussian_prior, method=name, settings=settings)
        assert chain.num_steps == (110 if name == "repaint" else 11)
        assert report.numbers()["eta"] == (0.85 if name == "ddrm" else None)
        assert report.numbers()["method"] == name
        assert report.numbers()["nfe"] == (101 if name == "repaint" else 11)


def test_a_method_keeps_its_own_rule_in_a_report(gaussian_prior):
    photo = gaussian_prior.sample((1, 8, 8), torch.Generator().manual_seed(7)).clamp(-1, 1)
    method = Method(RangeNullConsistency, DDPMNoise())
    problem = pose_problem(photo, "sr2")
    report = restore_problem(problem, gaussian_prior, method=method, sampler="sequential")
    chain = make_chain(gaussian_prior, problem.operator, problem.y, method=method)
    torch.testing.assert_close(report.solution.states, chain.sequential()[-1:])


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_photos_in_a_batch_are_reported_as_alone(gaussian_prior, sampler):
    photos = gaussian_prior.sample((2, 16, 16), torch.Generator().manual_seed(7)).clamp(-1, 1)
    how = {"seed": 3, "samples": 2, "sampler": sampler, "settings": PAPER}
    both = restore_problem(pose_problem(photos, "sr2"), gaussian_prior, **how)
    alone = [
        restore_problem(pose_problem(photo[None], "sr2"), gaussian_prior, **how) for photo in photos
    ]
    assert both.samples.shape == (4, 3, 16, 16)
    for name, image in both.images.items():
        expected = torch.cat([report.images[name] for report in alone])
        torch.testing.assert_close(image, expected, rtol=0, atol=1e-10)
    for name, value in both.quality().items():
        assert value == pytest.approx(sum(report.quality()[name] for report in alone) / 2)
    assert both.numbers()["consistency"] < 1e-10
