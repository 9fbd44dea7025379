"""The self-checks of chapter 5: right answers pass, typical mistakes get their own hint."""

import pytest
import torch

from deqir_lite.teach import Hint, self_check


def summed(step, states):
    increments = step(states[:-1]) - states[:-1]
    return torch.cat([states[:1], states[:1] + increments.cumsum(0)])


def from_rows(rows):
    """A sweep whose later states are rows(first, old states, stepped states)."""

    def sweep(step, states):
        later = rows(states[:1], states[:-1], step(states[:-1]))
        return torch.cat([states[:1], later])

    return sweep


def row_by_row(step):
    return lambda rows: torch.cat([step(row[None]) for row in rows])


def series(J, r, T):
    total, term = torch.zeros_like(r), r
    for _ in range(T):
        total, term = total + term, J @ term
    return total


def eye(J):
    return torch.eye(len(J), dtype=J.dtype)


def test_right_answers_pass(capsys):
    self_check("ex-summed-sweep", summed)
    self_check("ex-residual-to-error", series)
    self_check("ex-residual-to-error", lambda J, r, T: series(J, r, T + 3))  # J^T = 0
    self_check("ex-frozen", lambda T, K: sum(range(T - K + 1, T + 1)))
    assert capsys.readouterr().out.count("Right") == 4


@pytest.mark.parametrize(
    ("answer", "hint"),
    [
        (lambda step, states: summed(step, states)[1:], "A state is missing"),
        (lambda step, states: summed(step, states).T, r"I got shape \(2, 5\)"),
        (from_rows(lambda first, old, new: new), "plain sweep"),
        (from_rows(lambda first, old, new: old + (new - old).cumsum(0)), "old states"),
        (from_rows(lambda first, old, new: first + (new - old).cumsum(1)), "along time"),
        (
            from_rows(lambda first, old, new: first + (new - old).cumsum(0) - (new - old)),
            "One increment too few",
        ),
        (from_rows(lambda first, old, new: first + new.cumsum(0)), "whole states"),
        (from_rows(lambda first, old, new: first + (old - new).cumsum(0)), "Mind the sign"),
        (from_rows(lambda first, old, new: 0 * old), "Not what I expected"),
        (lambda step, states: summed(row_by_row(step), states), "called 4 times"),
        (lambda step, states: "no", "returned str"),
        (3.0, r"function \(or class\) itself"),
    ],
)
def test_mistakes_in_the_summed_sweep(answer, hint):
    with pytest.raises(Hint, match=hint):
        self_check("ex-summed-sweep", answer)


@pytest.mark.parametrize(
    ("answer", "hint"),
    [
        (lambda J, r, T: -series(J, r, T), "Mind the sign"),
        (lambda J, r, T: series(-J, r, T), "must not alternate"),
        (lambda J, r, T: series(J, r, T - 1), "One term is missing"),
        (lambda J, r, T: series(J, J @ r, T), "power 0"),
        (lambda J, r, T: series(J.T, r, T), "transpose"),
        (lambda J, r, T: r - J @ r, "not the error behind"),
        (lambda J, r, T: torch.linalg.matrix_power(J, T - 1) @ r, "last term"),
        (lambda J, r, T: r, "Not what I expected"),
        (lambda J, r, T: series(J, r, T)[:, None], r"I got shape \(10, 1\)"),
        (lambda J, r, T: torch.linalg.solve(eye(J) - J, r), "solve a linear system"),
    ],
)
def test_mistakes_in_the_error(answer, hint):
    with pytest.raises(Hint, match=hint):
        self_check("ex-residual-to-error", answer)


@pytest.mark.parametrize(
    ("answer", "hint"),
    [
        (lambda T, K: T * K, "The frozen ones are not evaluated"),
        (lambda T, K: T * (T + 1) / 2, "Stop after K"),
        (lambda T, K: sum(T - j for j in range(1, K + 1)), "nothing to freeze yet"),
        (lambda T, K: K * (K + 1) / 2, "count the others"),
        (lambda T, K: T + K, "sweep by sweep"),
    ],
)
def test_mistakes_in_the_cost(answer, hint):
    with pytest.raises(Hint, match=hint):
        self_check("ex-frozen", answer)


@pytest.mark.parametrize("label", ["ex-summed-sweep", "ex-residual-to-error", "ex-frozen"])
def test_placeholders_are_no_answer(label):
    with pytest.raises(Hint, match="placeholder"):
        self_check(label, None)
