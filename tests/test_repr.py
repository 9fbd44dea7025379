"""What a notebook shows of an object is one short line, without numbers of tensors."""

import functools

import pytest
import torch

from deqir_lite import load_prior, restore_parallel, restore_sequential
from deqir_lite._repr import short
from deqir_lite.fixedpoint import FixedPointSystem, NoiseFormModel
from deqir_lite.inversion import optimize_initial_noise
from deqir_lite.inversion.saved import Descent
from deqir_lite.methods import METHODS, Method, WeightedConsistency
from deqir_lite.operators import TASKS, MatrixOperator, NoMeasurement, make_task
from deqir_lite.priors import GaussianPosterior, ModelPrior
from deqir_lite.priors.callables import ForeignPrior
from deqir_lite.restoration import Problem, SolveOptions, restore_problem
from deqir_lite.schedule import linear_schedule
from deqir_lite.solvers import Anderson, Picard


@pytest.fixture(scope="module")
def objects(chain_for, gaussian_prior, mixture_prior, nonlinear_prior, make_unet):
    from deqir_lite.priors.network import NetworkPrior

    chain = chain_for("sr2", num_steps=3)
    system = FixedPointSystem(chain, NoiseFormModel(chain))
    start = chain.x_T[None].repeat(4, 1, 1, 1, 1)
    operator, y = chain.measurement.operator, chain.measurement.y
    problem = Problem("sr2", operator, y, None, torch.tensor([0.1]))
    prediction = chain.predict(start[:-1], slice(0, 3))
    network = NetworkPrior(make_unet(), linear_schedule())
    return [
        *(make_task(task, (16, 16)) for task in TASKS),
        *(chain, chain.measurement, chain.coefficients, chain.coefficients.weights),
        *(chain.consistency, chain.method, *METHODS.values(), system, system.model),
        Method(functools.partial(WeightedConsistency, tolerance=0.1), METHODS["ddnm"].rule),
        *(prediction, system.sweep(start), Picard(), Anderson(), SolveOptions(start=start)),
        *(Picard().init(system, start), Anderson().init(system, start)),
        Anderson().step(system, Anderson().init(system, start)),
        *(restore_parallel(chain), restore_sequential(chain), restore_parallel(chain).trace),
        *(problem, problem[:1], restore_problem(problem, gaussian_prior)),
        optimize_initial_noise(chain, lambda x: x.square().mean(), steps=1),
        Descent(chain.x_T),
        *(gaussian_prior, gaussian_prior.spectrum, gaussian_prior.schedule, mixture_prior),
        *(nonlinear_prior, ModelPrior(make_unet(), linear_schedule()), network),
        *(load_prior("photo64"), ForeignPrior(mixture_prior), NoMeasurement((8, 8))),
        *(GaussianPosterior(gaussian_prior, operator, y), MatrixOperator(torch.eye(3))),
    ]


def test_one_short_line(objects):
    for value in objects:
        text = repr(value)
        assert text.startswith(type(value).__name__), text
        assert len(text) <= 250, text
        assert not any(part in text for part in ("\n", "tensor(", "object at 0x", "<")), text


def test_what_it_says(chain_for, gaussian_prior):
    chain = chain_for("sr2", prior=gaussian_prior, num_steps=3)
    assert repr(chain) == (
        "RestorationChain(GaussianPrior(PhotoSpectrum(8x8), N=1000), "
        "BicubicDownsampling(factor=2), RangeNullConsistency, DDNMNoise(eta=0.15), T=3, "
        "x_T=float64 (1, 3, 8, 8))"
    )
    assert repr(restore_sequential(chain)) == (
        "Solution(states=float64 (4, 1, 3, 8, 8), sweeps=3, nfe=3, converged=True, trace=Trace())"
    )
    problem = Problem("sr2", chain.measurement.operator, chain.measurement.y, None)
    assert repr(problem) == (
        "Problem(task='sr2', operator=BicubicDownsampling(factor=2), y=float64 (1, 3, 4, 4), "
        "sigma_y=0.0)"
    )
    assert repr(METHODS["ddnm"]) == (
        "Method(consistency=RangeNullConsistency, rule=DDNMNoise(eta=1.0))"
    )


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (torch.zeros(2, 3), "float32 (2, 3)"),
        (list(range(9)), "list of 9"),
        ({}, "{}"),
        ([torch.zeros(1), 2], "[float32 (1,), 2]"),
        (torch.relu, "relu"),
        (torch.nn.Linear(2, 2), "Linear"),
        (object(), "object"),
        ("x" * 99, "'" + "x" * 59 + "..."),
    ],
)
def test_values_in_short(value, text):
    assert short(value) == text
