"""Algorithm 2: the loss falls, the best x_T is kept, and an interrupted run goes on."""

import warnings
from dataclasses import replace

import pytest
import torch

from deqir_lite import GaussianPrior, ModelPrior, SolveOptions, load_gaussian
from deqir_lite.inversion import (
    InversionFailed,
    measurement_loss,
    optimize_initial_noise,
    oracle_loss,
    solve_implicit,
)
from deqir_lite.metrics import psnr
from deqir_lite.priors import power_law_spectrum
from deqir_lite.solvers import ConvergenceWarning

FORM = {"solve": SolveOptions(form="noise", solver="picard", tolerance=1e-9, start="measurement")}


@pytest.fixture
def chain(chain_for):
    return chain_for("sr2", num_steps=6, batch=2)


@pytest.fixture
def target(chain_for):
    """Photos that the chain can reach, from other noise."""
    other = chain_for("sr2", num_steps=6, batch=2, seed=0)
    noise = torch.randn(2, 3, 8, 8, generator=torch.Generator().manual_seed(9)).double()
    return other.with_x_T(noise).sequential()[-1]


@pytest.fixture
def loss(target):
    return oracle_loss(target)


def same_rows(a, b):
    return [replace(row, seconds=0) for row in a.rows] == [
        replace(row, seconds=0) for row in b.rows
    ]


@pytest.mark.parametrize("gradient", ["exact", "neumann", "unrolled"])
@pytest.mark.equation("12", "13")
def test_the_loss_falls(chain, loss, gradient):
    run = {"steps": 20, "lr": 0.1, "gradient": gradient, "terms": 3}
    result = optimize_initial_noise(chain, loss, **run, **FORM)
    assert len(result.rows) == 21
    assert result.best.loss < 0.5 * result.rows[0].loss
    assert result.stopped == "steps"
    again = solve_implicit(chain, x_T=result.x_T, **FORM)
    torch.testing.assert_close(again.x0, result.x0, rtol=0, atol=1e-6)
    torch.testing.assert_close(float(loss(result.x0)), result.best.loss)
    assert result.rows[-1].gradient_norm is None
    assert not result.states.requires_grad


def test_gradients_that_are_switched_off_outside_do_not_matter(chain, loss):
    expected = optimize_initial_noise(chain, loss, steps=2)
    with torch.no_grad():
        found = optimize_initial_noise(chain, loss, steps=2)
    assert torch.equal(found.x_T, expected.x_T)
    assert not found.x_T.requires_grad


@pytest.mark.equation("Alg. 2")
def test_plain_descent_is_algorithm_2(chain, loss):
    """x_T <- x_T - lr dL/dx_T, from the chain's own x_T."""
    result = optimize_initial_noise(
        chain, loss, steps=1, lr=50.0, optimizer="sgd", gradient="exact", **FORM
    )
    x_T = chain.x_T.clone().requires_grad_()
    before = loss(solve_implicit(chain, x_T=x_T, gradient="unrolled").x0)
    (slope,) = torch.autograd.grad(before, x_T)
    torch.testing.assert_close(before.item(), result.rows[0].loss)
    torch.testing.assert_close(float(slope.norm()), result.rows[0].gradient_norm)
    after = loss(chain.with_x_T(x_T.detach() - 50.0 * slope).sequential()[-1])
    torch.testing.assert_close(float(after), result.rows[1].loss, rtol=1e-6, atol=0)
    assert after < before


def test_the_best_noise_is_kept(chain, loss):
    """A step that is far too long makes everything worse."""
    result = optimize_initial_noise(chain, loss, steps=4, lr=30.0, gradient="exact", **FORM)
    losses = [row.loss for row in result.rows]
    assert losses[-1] > min(losses)
    assert result.step == losses.index(min(losses))
    torch.testing.assert_close(float(loss(result.x0)), min(losses))
    assert torch.equal(result.states[0], result.x_T)


@pytest.mark.parametrize("form", ["noise", "data"])
def test_a_warm_start_halves_the_sweeps(chain_for, loss, form):
    chain = chain_for("sr2", num_steps=20, batch=2)
    solve = SolveOptions(form=form, start="measurement", tolerance=1e-4)
    run = {"steps": 3, "lr": 1e-5, "gradient": "exact", "solve": solve}
    warm, cold = (
        optimize_initial_noise(chain, loss, warm_start=warm, **run) for warm in (True, False)
    )
    assert warm.rows[0].sweeps == cold.rows[0].sweeps
    for hot, fresh in zip(warm.rows[1:], cold.rows[1:], strict=True):
        assert hot.sweeps <= fresh.sweeps / 2
        assert hot.loss == pytest.approx(fresh.loss, rel=1e-2)


@pytest.mark.parametrize("optimizer", ["adam", "sgd"])
def test_a_resumed_run_is_the_uninterrupted_one(chain, loss, tmp_path, optimizer):
    options = {"optimizer": optimizer, "gradient": "exact", "shell_weight": 0.1, **FORM}
    whole = optimize_initial_noise(chain, loss, steps=6, **options)
    file = tmp_path / "run.pt"
    first = optimize_initial_noise(chain, loss, steps=3, state_file=file, **options)
    resumed = optimize_initial_noise(chain, loss, steps=6, state_file=file, resume=True, **options)
    assert len(first.rows) == 4
    assert same_rows(whole, resumed)
    assert torch.equal(whole.x_T, resumed.x_T)
    assert torch.equal(whole.states, resumed.states)
    assert list(tmp_path.iterdir()) == [file]
    done = optimize_initial_noise(chain, loss, steps=6, state_file=file, resume=True, **options)
    assert same_rows(done, whole)
    with pytest.raises(ValueError, match="^steps: got 2; the saved run has done 6 already"):
        optimize_initial_noise(chain, loss, steps=2, state_file=file, resume=True, **options)


def test_a_run_that_breaks_off_goes_on(chain, loss, tmp_path):
    file, calls = tmp_path / "run.pt", []

    def fragile(x0):
        calls.append(1)
        if len(calls) == 4:
            raise KeyboardInterrupt
        return loss(x0)

    options = {"steps": 5, "gradient": "exact", "state_file": file, **FORM}
    with pytest.raises(KeyboardInterrupt):
        optimize_initial_noise(chain, fragile, **options)
    resumed = optimize_initial_noise(chain, loss, resume=True, **options)
    assert same_rows(resumed, optimize_initial_noise(chain, loss, **options))


def test_a_file_of_another_run_is_refused(chain, chain_for, gaussian_prior, loss, tmp_path):
    file = tmp_path / "run.pt"
    run = {"steps": 1, "state_file": file, **FORM}
    optimize_initial_noise(chain, loss, **run)
    with pytest.raises(ValueError, match=r"^state_file: .* made with lr = 0.02; now it is 0.1"):
        optimize_initial_noise(chain, loss, lr=0.1, resume=True, **run)
    with pytest.raises(ValueError, match=r"made with gradient = one-step; now it is exact"):
        optimize_initial_noise(chain, loss, gradient="exact", resume=True, **run)
    other = chain_for("sr2", num_steps=6, batch=2, seed=1)
    with pytest.raises(ValueError, match=r"made with chain ="):
        optimize_initial_noise(other, loss, resume=True, **run)
    elsewhere = {**run, "solve": replace(FORM["solve"], solver="anderson-joint")}
    with pytest.raises(ValueError, match=r"made with solver = picard; now it is anderson-joint"):
        optimize_initial_noise(chain, loss, resume=True, **elsewhere)
    with pytest.raises(ValueError, match=r"^state_file: .* was made with prior = a function; now"):
        optimize_initial_noise(chain.with_prior(gaussian_prior), loss, resume=True, **run)
    with pytest.raises(ValueError, match=r"^state_file: the loss says .* it is another one$"):
        optimize_initial_noise(chain, lambda x0: 2 * loss(x0), resume=True, **run)
    file.write_bytes(file.read_bytes()[:100])
    with pytest.raises(ValueError, match="is no saved run"):
        optimize_initial_noise(chain, loss, resume=True, **run)
    file.unlink()
    with pytest.raises(FileNotFoundError, match="^state_file: no file"):
        optimize_initial_noise(chain, loss, resume=True, **run)


def test_the_pull_towards_the_shell(chain, loss):
    big = chain.with_x_T(2 * chain.x_T)
    run = {"steps": 10, "lr": 0.05, "gradient": "exact", **FORM}
    free = optimize_initial_noise(big, loss, **run)
    held = optimize_initial_noise(big, loss, shell_weight=10.0, **run)
    first = held.rows[0]
    norms = (big.x_T.flatten(1).square().mean(1) - 1).square().mean()
    assert first.shell == pytest.approx(float(big.x_T.square().mean()))
    assert first.objective == pytest.approx(first.loss + 10 * float(norms))
    assert free.rows[0].objective == free.rows[0].loss
    assert abs(held.rows[-1].shell - 1) < abs(free.rows[-1].shell - 1) - 0.5
    assert held.step == min(range(11), key=lambda i: held.rows[i].objective)


def test_the_reference_is_for_reporting_only(chain, loss, target):
    run = {"steps": 2, **FORM}
    plain = optimize_initial_noise(chain, loss, **run)
    reported = optimize_initial_noise(chain, loss, reference=target[:1], **run)
    assert torch.equal(plain.x_T, reported.x_T)
    assert all(row.psnr is None for row in plain.rows)
    assert reported.best.psnr == pytest.approx(float(psnr(reported.x0, target[:1]).mean()))


def test_a_loss_on_all_states(chain):
    def on_states(states):
        assert states.shape == (7, 2, 3, 8, 8)
        return states[2:5].square().mean()

    result = optimize_initial_noise(
        chain, on_states, steps=5, on="states", gradient="exact", **FORM
    )
    assert result.best.loss < result.rows[0].loss


def test_an_early_stop(chain, loss):
    run = {"gradient": "exact", **FORM}
    reference = optimize_initial_noise(chain, loss, steps=6, **run)
    wanted = reference.rows[3].loss
    result = optimize_initial_noise(chain, loss, steps=6, target=wanted, **run)
    assert (result.stopped, len(result.rows)) == ("target", 4)


def test_a_constant_loss_is_refused(chain):
    """A x_0 = y whatever x_T: the plain measurement loss cannot be moved."""
    measurement = chain.measurement
    y = measurement.operator.A(measurement.pinv_y)
    for loss in (
        measurement_loss(measurement.operator, y),
        lambda x0: (measurement.operator.A(x0) - y).norm(),
    ):
        with pytest.raises(ValueError, match="^loss: constant, .* null space of A"):
            optimize_initial_noise(chain, loss, steps=2, **FORM)
    other = measurement_loss(measurement.operator, y)
    result = optimize_initial_noise(
        chain, lambda x0: other(x0.roll(1, -1)), steps=5, gradient="exact", **FORM
    )
    assert result.best.loss < result.rows[0].loss


@pytest.mark.parametrize(
    ("loss", "message"),
    [
        (lambda x0: torch.zeros(()), "^loss: does not depend on x_0"),
        (lambda x0: x0.detach().sum(), "^loss: does not depend on x_0"),
        (lambda x0: torch.ones((), requires_grad=True) * 2, "^loss: does not depend on x_0"),
        (lambda x0: x0.square().mean((1, 2, 3)), r"^loss: returned .* shape \(2,\)"),
        (lambda x0: 1.0, "^loss: returned float"),
    ],
)
def test_losses_without_a_slope(chain, loss, message):
    with pytest.raises(ValueError, match=message):
        optimize_initial_noise(chain, loss, steps=1, **FORM)


@pytest.mark.parametrize("form", ["data", "jacobi"])
def test_one_step_of_a_form_that_does_not_reach_back(chain, loss, form):
    """r = 0 in the last step: the first term of the data form stays at x_0."""
    with pytest.warns(UserWarning, match="gradient of outer step 0 is zero.*more terms"):
        result = optimize_initial_noise(chain, loss, steps=3, solve=SolveOptions(form=form))
    assert result.stopped == "zero gradient"
    assert result.rows[0].gradient_norm == 0


def test_a_zero_gradient_ends_the_run(chain):
    with pytest.warns(UserWarning, match="gradient of outer step 0 is zero"):
        result = optimize_initial_noise(chain, lambda x0: (0 * x0).sum(), steps=3, **FORM)
    assert (result.stopped, len(result.rows)) == ("zero gradient", 1)


@pytest.mark.parametrize("where", ["loss", "gradient"])
def test_nan_is_refused_and_the_best_kept(chain, loss, tmp_path, where):
    calls, file = [], tmp_path / "run.pt"

    def breaking(x0):
        calls.append(1)
        if len(calls) < 4:
            return loss(x0)
        if where == "loss":
            return loss(x0) * float("nan")
        return loss(x0) + (0 * x0[0, 0, 0, 0]).sqrt()  # the slope of a root at 0

    with pytest.raises(InversionFailed, match="outer step refused") as error:
        optimize_initial_noise(chain, breaking, steps=9, gradient="exact", state_file=file, **FORM)
    result = error.value.result
    assert result.stopped == "failed"
    assert torch.isfinite(result.x_T).all()
    torch.testing.assert_close(float(loss(result.x0)), result.best.loss)
    assert len(result.rows) == (3 if where == "loss" else 4)
    saved = torch.load(file, weights_only=True)
    assert torch.isfinite(saved["x_T"]).all()
    assert len(saved["rows"]) == 3


def test_nan_from_the_first_step_on(chain):
    with pytest.raises(InversionFailed, match="none was evaluated") as error:
        optimize_initial_noise(chain, lambda x0: x0.sum() * float("nan"), steps=2, **FORM)
    assert error.value.result is None


def test_a_solve_that_did_not_converge_is_told(chain, loss):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        result = optimize_initial_noise(
            chain, loss, steps=2, solve=SolveOptions(form="noise", max_sweeps=1, tolerance=1e-12)
        )
    found = [w for w in caught if issubclass(w.category, ConvergenceWarning)]
    assert len(found) == 3
    assert "residual" in str(found[0].message)
    assert not any(row.converged for row in result.rows)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"steps": 0}, "^steps: got 0"),
        ({"lr": -1.0}, "^lr: got -1"),
        ({"optimizer": "newton"}, "^optimizer: .*known: sgd, adam"),
        ({"gradient": "none"}, "^gradient: unknown"),
        ({"on": "y"}, "^on: unknown"),
        ({"shell_weight": -1.0}, "^shell_weight: got"),
        ({"target": float("nan")}, "^target: got nan"),
        ({"reference": torch.zeros(3, 8)}, "^reference: got shape"),
        ({"resume": True}, "^state_file: got None"),
        ({"state_file": "nowhere/run.pt"}, "^state_file: no folder"),
    ],
)
def test_bad_arguments(chain, loss, options, message):
    with pytest.raises((ValueError, FileNotFoundError), match=message):
        optimize_initial_noise(chain, loss, **{"steps": 1, **FORM, **options})


def test_show_progress(chain, loss, capsys):
    optimize_initial_noise(chain, loss, steps=1, show_progress=True, **FORM)
    assert "outer steps" in capsys.readouterr().err


def test_priors_that_nearly_agree_at_high_noise_are_told_apart(tmp_path, loss, chain):
    """Also where a prior is a function: its answers at low noise decide."""
    priors = [load_gaussian(), GaussianPrior(power_law_spectrum())]
    for wrap in (lambda prior: prior, lambda prior: ModelPrior(prior.__call__, prior.schedule)):
        one, two = (chain.with_prior(wrap(prior)) for prior in priors)
        file = tmp_path / "run.pt"
        run = {"steps": 1, "state_file": file, **FORM}
        optimize_initial_noise(one, loss, **run)
        with pytest.raises(ValueError, match=r"^state_file: .* (another prior|made with prior)"):
            optimize_initial_noise(two, loss, resume=True, **run)
