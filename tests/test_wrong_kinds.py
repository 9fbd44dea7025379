"""An argument of the wrong kind is refused at every public door, in one line that names it."""

from collections.abc import Callable
from typing import Any, Literal, Protocol, TypedDict, runtime_checkable

import numpy as np
import pytest
import torch

import deqir_lite
from deqir_lite import restoration
from deqir_lite.checks import check_kinds
from deqir_lite.fixedpoint import FixedPointSystem, make_model, make_start
from deqir_lite.inversion import (
    attach_gradient,
    gradient_errors,
    implicit_gradient,
    measurement_loss,
    optimize_initial_noise,
    restorer_loss,
    solve_implicit,
)
from deqir_lite.operators import make_task
from deqir_lite.priors import GaussianPosterior, GaussianPrior, ModelPrior
from deqir_lite.schedule import linear_schedule
from deqir_lite.solvers import Picard, solve

Y = torch.zeros(1, 3, 4, 4)
A = make_task("sr2", (8, 8))
NOT_A_CHAIN = [3, "chain", None, Y, make_task, GaussianPrior]


def chain_doors(value):
    """Calls that expect a chain, with ``value`` in its place."""
    return [
        lambda: deqir_lite.restore_sequential(value),
        lambda: deqir_lite.restore_parallel(value),
        lambda: restoration.solve_chain(value, deqir_lite.SolveOptions()),
        lambda: deqir_lite.solve_implicit(value),
        lambda: solve_implicit(value, gradient="unrolled"),
        lambda: optimize_initial_noise(value, torch.sum),
        lambda: gradient_errors(value, torch.sum),
        lambda: make_model("noise", value),
        lambda: make_start("x_T", value),
        lambda: FixedPointSystem(value, None),
    ]


@pytest.mark.parametrize("value", NOT_A_CHAIN, ids=lambda value: type(value).__name__)
def test_no_chain(value):
    for door in chain_doors(value):
        with pytest.raises(ValueError, match="^chain: got .*; expected a Restora") as error:
            door()
        assert "\n" not in str(error.value)


@pytest.fixture(scope="module")
def doors(chain_for, gaussian_prior):
    """Name of the argument -> calls with a wrong value in its place, and what is expected."""
    chain = chain_for("sr2", num_steps=2)
    system = FixedPointSystem(chain, make_model("noise", chain))
    start = make_start("x_T", chain)
    problem = restoration.Problem("sr2", A, Y, None)
    make, options = deqir_lite.make_chain, deqir_lite.SolveOptions
    return {
        "prior": [
            lambda v: make(v, A, Y),
            lambda v: chain.with_prior(v),
            lambda v: restoration.restore_problem(problem, v),
            lambda v: restoration.make_problem_chain(problem, v),
        ],
        "operator": [
            lambda v: make(gaussian_prior, v, Y),
            lambda v: deqir_lite.gaussian_mean(v, Y),
            lambda v: deqir_lite.simple_answer(v, Y),
            lambda v: deqir_lite.estimate_sigma_y(v, Y),
            lambda v: deqir_lite.measurement_consistency(v, torch.zeros(1, 3, 8, 8), Y),
            lambda v: restoration.Problem("sr2", v, Y, None),
            lambda v: measurement_loss(v, Y),
            lambda v: GaussianPosterior(gaussian_prior, v, Y),
        ],
        "y": [
            lambda v: make(gaussian_prior, A, v),
            lambda v: restoration.Problem("sr2", A, v, None),
            lambda v: deqir_lite.simple_answer(A, v),
            lambda v: deqir_lite.gaussian_mean(A, v),
            lambda v: deqir_lite.estimate_sigma_y(A, v),
            lambda v: measurement_loss(A, v),
        ],
        "x": [
            lambda v: deqir_lite.psnr(v, Y),
            lambda v: deqir_lite.ssim(v, Y),
            lambda v: deqir_lite.lpips(v, Y),
            lambda v: deqir_lite.measurement_consistency(A, v, Y),
        ],
        "picture": [lambda v: restoration.pose_problem(v, "sr2")],
        "problem": [
            lambda v: restoration.restore_problem(v, gaussian_prior),
            lambda v: restoration.choose(v),
        ],
        "method": [lambda v: make(gaussian_prior, A, Y, method=v)],
        "rule": [lambda v: make(gaussian_prior, A, Y, rule=v or 3)],
        "loss": [lambda v: optimize_initial_noise(chain, v), lambda v: gradient_errors(chain, v)],
        "solve": [lambda v: solve_implicit(chain, solve=v or 3)],
        "options": [lambda v: restoration.solve_chain(chain, v)],
        "gaussian": [
            lambda v: options(gaussian=v or 3),
            lambda v: deqir_lite.restore_parallel(chain, gaussian=v or 3),
            lambda v: make_model("gaussian", chain, gaussian=v or 3),
        ],
        "form": [lambda v: options(form=v), lambda v: make_model(v, chain)],
        "solver": [lambda v: options(solver=v), lambda v: solve(system, v, start)],
        "start": [lambda v: options(start=v), lambda v: solve(system, Picard(), v)],
        "system": [
            lambda v: solve(v, Picard(), start),
            lambda v: implicit_gradient(v, start, start),
            lambda v: attach_gradient(v, start, chain.x_T),
        ],
        "model": [lambda v: FixedPointSystem(chain, v), lambda v: ModelPrior(v, linear_schedule())],
        "spectrum": [lambda v: GaussianPrior(v)],
        "schedule": [lambda v: ModelPrior(torch.add, v)],
        "restorer": [lambda v: restorer_loss(v, Y)],
    }


@pytest.mark.parametrize("value", [3, None, 2.5, [1], {"a": 1}], ids=str)
def test_every_door_says_what_it_got_and_expects(doors, value):
    for name, calls in doors.items():
        for call in calls:
            with pytest.raises(ValueError, match=rf"^{name}: (got|unknown value) ") as error:
                call(value)
            assert "expected" in str(error.value) or "known: " in str(error.value)
            assert "\n" not in str(error.value)
            assert len(str(error.value)) < 250


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda g: deqir_lite.make_chain("photo64", A, Y),
            "prior: got 'photo64' (str); expected a Prior (load_prior loads one by name, or takes "
            "a function or a network)",
        ),
        (
            lambda g: deqir_lite.make_chain(GaussianPrior, A, Y),
            "prior: got the class GaussianPrior; expected a Prior (load_prior loads one by name, "
            "or takes a function or a network)",
        ),
        (
            lambda g: deqir_lite.make_chain(g, A, "cat.png"),
            "y: got 'cat.png' (str); expected a torch.Tensor (load_photo reads a photo, "
            "torch.from_numpy takes an array)",
        ),
        (
            lambda g: deqir_lite.make_chain(g, A, np.zeros((1, 3, 4, 4))),
            "y: got float64 (1, 3, 4, 4) (ndarray); expected a torch.Tensor (load_photo reads a "
            "photo, torch.from_numpy takes an array)",
        ),
        (
            lambda g: deqir_lite.restore_parallel(deqir_lite.Picard()),
            "chain: got Picard(); expected a RestorationChain (make_chain makes one)",
        ),
        (
            lambda g: deqir_lite.simple_answer("sr2", Y),
            "operator: got 'sr2' (str); expected a LinearOperator (make_task makes one by name, "
            "as_operator from what other libraries have)",
        ),
        (
            lambda g: deqir_lite.SolveOptions(gaussian="photo64"),
            "gaussian: got 'photo64' (str); expected a GaussianPrior or None",
        ),
    ],
)
def test_the_line_says_where_the_right_thing_comes_from(gaussian_prior, call, message):
    with pytest.raises(ValueError, match="got") as error:
        call(gaussian_prior)
    assert str(error.value) == message


def test_what_is_asked_is_the_annotation():
    @runtime_checkable
    class Named(Protocol):
        name: str

    class Unchecked(Protocol):
        def other(self) -> int: ...

    class Settings(TypedDict):
        eta: float

    def door(
        a: str | None,
        b: Callable[[int], int],
        c: Named,
        d: Settings,
        left_out: Any = 0,
        numbers: int | str = 0,
        lists: list[int] | None = None,
        names: Literal["a", "b"] = "a",
        others: Unchecked = 0,
    ) -> None:
        check_kinds(door, locals())

    class Thing:
        name = "x"

    door(None, len, Thing(), {"eta": 1}, object(), [], {}, 3, 4)
    door("a", Thing, Thing(), {})
    for wrong, name in [
        ((1, len, Thing(), {}), "a"),
        (("a", 1, Thing(), {}), "b"),
        (("a", len, len.__call__, {}), "c"),
        (("a", len, Thing(), []), "d"),
    ]:
        with pytest.raises(ValueError, match=f"^{name}: got .*; expected "):
            door(*wrong)
