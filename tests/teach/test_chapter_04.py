"""Exercises of chapter 4: right answers pass, typical wrong ones get their hint."""

import pytest
import torch

from deqir_lite.fixedpoint import FixedPointSystem, NoiseFormModel
from deqir_lite.mutants import MUTANTS, Program
from deqir_lite.mutants.mutants import RedrawnNoise, StartLevel
from deqir_lite.teach import Hint, self_check
from deqir_lite.teach.exercises import chapter_04

TWICE = {"fixed point", "T sweeps"}
PREDICTION = {
    "RedrawnNoise": TWICE | {"residual", "repeat"},
    "SharedNoise": {"statistics"},
    "InexactPinv": TWICE | {"projector", "A x = y"},
    "LateTimestep": {"statistics", "diffusers"},
    "EightBitMeasurement": {"A x = y"},
}
KEPT = {"statistics", "repeat", "A x = y", "fixed point"}


def hint(label, answer):
    with pytest.raises(Hint) as caught:
        self_check(label, answer)
    return str(caught.value)


def right(label, answer, capsys):
    self_check(label, answer)
    return capsys.readouterr().out


def test_prediction(capsys):
    assert "All right" in right("ex-lab", PREDICTION, capsys)


@pytest.mark.parametrize("name", PREDICTION)
def test_prediction_hints_name_the_mutant(name):
    text = hint("ex-lab", PREDICTION | {name: {"staircase"}})
    assert text.startswith(f"4 of 5 are right. Look at {name}: ")


def test_other_prediction_hints():
    assert "a dictionary" in hint("ex-lab", {"statistics"})
    assert "no check is called 'stats'" in hint("ex-lab", PREDICTION | {"SharedNoise": {"stats"}})
    assert "a set of names" in hint("ex-lab", PREDICTION | {"SharedNoise": "statistics"})
    assert {mutant.__name__ for mutant in MUTANTS} > set(chapter_04.PREDICTED) == set(PREDICTION)


@torch.no_grad()
def parts_of(chain, states):
    c, scale = chain.coefficients, chain.per_step
    eps = chain.predict_noise(states[:-1])
    return scale(c.target.sqrt()) * chain.measurement.pinv_y, scale(c.c2) * eps, eps


def range_part(chain, states):
    measured, predicted, _ = parts_of(chain, states)
    noise = predicted + chain.per_step(chain.coefficients.c1) * chain.noise
    return measured + noise - chain.measurement.null(noise)


def without_fresh_noise(chain, states):
    measured, predicted, _ = parts_of(chain, states)
    return measured + predicted - chain.measurement.null(predicted)


def noise_not_projected(chain, states):
    measured, predicted, _ = parts_of(chain, states)
    return measured + predicted + chain.per_step(chain.coefficients.c1) * chain.noise


def measured_without_root(chain, states):
    measured = parts_of(chain, states)[0]
    return range_part(chain, states) - measured + chain.measurement.pinv_y


def weight_of_the_start(chain, states):
    c, scale = chain.coefficients, chain.per_step
    _, predicted, eps = parts_of(chain, states)
    late = scale((1 - c.rule.eta**2) ** 0.5 * (1 - c.source).sqrt()) * eps
    change = late - predicted
    return range_part(chain, states) + change - chain.measurement.null(change)


def old_states(chain, states):
    return states[:-1] - chain.measurement.null(states[:-1])


def whole_states(chain, states):
    return FixedPointSystem(chain, NoiseFormModel(chain))(states)[1:]


def test_range(capsys):
    assert "no memory" in right("ex-range", range_part, capsys)


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (3.0, "a function"),
        (lambda chain, states: states, "shape (5, 1, 3, 8, 8)"),
        (lambda chain, states: states[1:], "the states that you were given. What"),
        (lambda chain, states: states[1:] - chain.measurement.null(states[1:]), "have projected"),
        (whole_states, "whole states"),
        (without_fresh_noise, "fresh noise is missing"),
        (noise_not_projected, "only its range-space part"),
        (measured_without_root, "which root"),
        (weight_of_the_start, "where the step arrives"),
        (old_states, "the new ones"),
        (lambda chain, states: 0 * states[1:], "term by term"),
    ],
)
def test_range_hints(answer, words):
    assert words in hint("ex-range", answer)


def evaluations(T, sweeps):
    return sum(max(T - j, 0) for j in range(sweeps))


def test_evaluations(capsys):
    assert "one state less" in right("ex-evaluations", evaluations, capsys)


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (3, "a function"),
        (lambda T, k: T * k, "all T states"),
        (lambda T, k: T * (T + 1) // 2, "whatever their number"),
        (lambda T, k: evaluations(T - 1, k), "One state too few"),
        (lambda T, k: sum(T - j for j in range(k)), "more sweeps than steps"),
        (lambda T, k: k, "batched calls"),
        (lambda T, k: 0, "by hand"),
    ],
)
def test_evaluations_hints(answer, words):
    assert words in hint("ex-evaluations", answer)


def test_cover(capsys):
    assert "4 checks suffice" in right("ex-cover", KEPT, capsys)
    assert "4 checks suffice" in right(
        "ex-cover", list(KEPT - {"fixed point"} | {"T sweeps"}), capsys
    )


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        ("statistics", "a set of names"),
        ({"stats"}, "No check is called 'stats'"),
        (KEPT - {"repeat"}, "IgnoredSeed gets through"),
        (KEPT | {"diffusers"}, "is 'diffusers' needed?"),
    ],
)
def test_cover_hints(answer, words):
    assert words in hint("ex-cover", answer)


class RootlessWeights(Program):
    def weights(self):
        return self.problem.eta * (1 - self.target), super().weights()[1]


class NextSeed(Program):
    def draw(self):
        generator = torch.Generator().manual_seed(self.problem.seed + 1)
        shape = (self.problem.num_steps + 1, *self.pinv_y.shape)
        draws = torch.randn(shape, generator=generator, dtype=torch.float64)
        return draws[0], draws[1:]


class Same(Program):
    pass


class AskedTwice(RedrawnNoise):
    def swept_noise(self):
        return 1.1 * self.noise


class StartLevelAgain(StartLevel):
    pass


def test_own_mutant(capsys):
    text = right("ex-mutant", RootlessWeights, capsys)
    assert "Caught by: diffusers, statistics" in text
    assert "none of the nine" in right("ex-mutant", NextSeed, capsys)


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (RootlessWeights.mistake, "a class"),
        (Same, "no mistake yet"),
        (AskedTwice, "'fixed point' notices it"),
        (StartLevel, "what StartLevel of the lab does"),
        (StartLevelAgain, "what StartLevel of the lab does"),
    ],
)
def test_own_mutant_hints(answer, words):
    assert words in hint("ex-mutant", answer)
