"""Every mutant is caught, every check can fail, and the right program passes all checks."""

import math

import pytest
import torch

from deqir_lite.chain import make_chain
from deqir_lite.fixedpoint import FixedPointSystem, NoiseFormModel
from deqir_lite.mutants import CHECKS, MUTANTS, Program, restoration_problem, run_lab
from deqir_lite.mutants.checks import Check, _largest, unmeasured
from deqir_lite.mutants.program import Problem
from deqir_lite.operators import make_task

NAMES = [check.name for check in CHECKS]

# What theory says about each mistake; the reader of the mutant lab predicts some of these rows.
EXPECTED = {
    "StartLevel": {"A x = y", "statistics", "diffusers"},
    "MissingRoot": {"fixed point", "T sweeps"},
    "UnequalSplit": {"statistics", "diffusers"},
    "NoisyEnd": {"A x = y", "diffusers"},
    "LateTimestep": {"statistics", "diffusers"},
    "AskedAboutTarget": {"fixed point", "T sweeps", "staircase", "residual"},
    "RedrawnNoise": {"fixed point", "T sweeps", "residual", "repeat"},
    "SharedNoise": {"statistics"},
    "IgnoredSeed": {"repeat"},
    "InexactPinv": {"projector", "fixed point", "T sweeps", "A x = y"},
    "EightBitMeasurement": {"A x = y"},
    "ClippedWalk": {"fixed point", "T sweeps", "diffusers"},
}


@pytest.fixture(scope="module")
def lab():
    return run_lab()


@pytest.mark.equation("9")
def test_the_right_program_passes_all_checks(lab):
    assert lab.caught["Program"] == set()


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.__name__)
def test_every_mutant_is_caught(lab, mutant):
    assert lab.caught[mutant.__name__] == EXPECTED[mutant.__name__] != set()


@pytest.mark.parametrize("name", NAMES)
def test_every_check_can_fail(lab, name):
    assert any(name in found for found in lab.caught.values())


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.__name__)
def test_a_mutant_overrides_one_decision(mutant):
    changed = {name for name, value in vars(mutant).items() if callable(value)}
    assert len(changed) == 1
    assert changed <= set(vars(Program))
    assert mutant.mistake != Program.mistake
    assert mutant.__doc__


def test_no_verdict_is_a_close_call(lab):
    for program, row in zip(lab.programs, lab.measured, strict=True):
        for check, value in zip(lab.checks, row, strict=True):
            ratio = value / check.tolerance
            assert not 0.5 < ratio < 2, f"{check.name} on {program.__name__}: {ratio}"


@pytest.mark.parametrize("eta", [0.0, 0.15, 1.0])
@pytest.mark.parametrize("task", ["inpaint-random", "deblur-gaussian"])
def test_the_right_program_is_the_package(task, eta):
    example = restoration_problem()
    operator = make_task(task, (16, 16))
    photo = example.operator.pinv(example.y).repeat(2, 1, 1, 1)
    y = operator.A(photo)
    program = Program(Problem(example.prior, operator, y, 5, eta, seed=3))
    chain = make_chain(example.prior, operator, y, num_steps=5, eta=eta, seed=3, spacing="uniform")
    assert torch.equal(program.x_T, chain.x_T)
    assert torch.equal(program.noise, chain.noise)
    sequential = chain.sequential()
    assert torch.allclose(program.sequential(), sequential, rtol=0, atol=1e-10)
    states = torch.cat([chain.x_T[None], torch.randn_like(sequential[1:])])
    system = FixedPointSystem(chain, NoiseFormModel(chain))
    assert torch.allclose(program.sweep(states), system(states), rtol=1e-9, atol=1e-9)
    assert torch.allclose(program.parallel(), sequential, rtol=0, atol=1e-8)


@pytest.mark.parametrize("delta", [1e-6, 1e-2])
@torch.no_grad()
def test_an_inexact_inverse_misses_the_measurement_by_its_error(delta):
    """A x_0 - y = delta (A x_{0|1} - y), as chapter 4 says; Eq. 9 goes much further astray."""

    class AlmostInverse(Program):
        def pinv(self, y):
            return (1 - delta) * super().pinv(y)

    program = AlmostInverse(restoration_problem())
    A, y, last = program.problem.operator.A, program.problem.y, program.problem.num_steps - 1
    states = program.sequential()
    eps = program.predict_noise(states[last : last + 1], last)[0]
    guess = program.walked_photo(states[last], eps, last)
    missed = A(states[-1]) - y
    assert torch.allclose(missed, delta * (A(guess) - y), rtol=0, atol=1e-12)
    x = program.x_T
    identity = -delta * (1 - delta) * program.problem.operator.range_projector(x)
    assert torch.allclose(program.null(program.null(x)) - program.null(x), identity, atol=1e-12)
    apart = (program.parallel()[-1] - states[-1]).abs().max()
    assert apart > 100 * missed.abs().max()


def test_without_a_measurement_nothing_is_projected():
    problem = unmeasured(restoration_problem(), batch=2)
    program = Program(problem)
    assert program.x_T.shape == (2, 3, 16, 16)
    assert torch.equal(program.null(program.x_T), program.x_T)
    assert not program.pinv_y.any()


def test_a_nan_is_caught():
    nan = Check("nan", "never", 1.0, lambda make: math.nan)
    zero = Check("zero", "always", 0.0, lambda make: 0.0)
    assert run_lab([Program], checks=[nan, zero]).caught == {"Program": {"nan"}}
    assert _largest(torch.tensor([0.0, math.nan])) == math.inf


def test_the_lab_repeats_itself_and_leaves_the_generator_alone():
    state = torch.get_rng_state()
    programs = [m for m in MUTANTS if m.__name__ in ("RedrawnNoise", "IgnoredSeed")]
    first, second = (run_lab(programs, checks=CHECKS[:4]) for _ in range(2))
    assert first.measured == second.measured
    assert torch.equal(torch.get_rng_state(), state)


def test_the_table(lab):
    html, text = lab._repr_html_(), str(lab)
    assert html.count("<tr>") == 1 + len(lab.programs)
    assert html.count("<b>yes</b>") == sum(map(len, EXPECTED.values()))
    assert html.count('scope="row"') == len(lab.programs)
    lines = text.split("\n")
    assert len(lines) == 1 + len(lab.programs)
    row = next(line for line in lines if line.startswith("RedrawnNoise"))
    at = lines[0].index("residual")
    assert row[at:].startswith("yes")
    assert row[lines[0].index("projector") :].startswith("-")
