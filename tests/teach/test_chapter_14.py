"""Chapter 14's self-checks: the right answer passes, each typical mistake gets its hint."""

import math

import pytest

from deqir_lite.teach import Hint, self_check


def breakeven(T, u1, uT):
    return max(math.ceil(T * u1 / uT) - 1, 0)


def shards(T, K, G):
    return sum(math.ceil((T - j) / G) for j in range(K))


def ratio(seconds, T, iterations, walk):
    return seconds / iterations / (walk / 100)


def frontier(points):
    kept, best = [], -math.inf
    for cost, good in sorted(points, key=lambda p: (p[0], -p[1])):
        if good > best:
            kept.append((cost, good))
            best = good
    return kept


@pytest.mark.parametrize(
    ("label", "answer"),
    [
        ("ex-ch14-breakeven", breakeven),
        ("ex-ch14-shards", shards),
        ("ex-ch14-ratio", ratio),
        ("ex-ch14-frontier", frontier),
    ],
)
def test_right(label, answer, capsys):
    self_check(label, answer)
    assert "Right" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("answer", "hint"),
    [
        (lambda T, a, b: T * a // b, "as fast as the walk"),
        (lambda T, a, b: T * a / b, "whole number of sweeps"),
        (lambda T, a, b: math.ceil(T * a / b), "round down"),
        (lambda T, a, b: math.ceil(T * a / b - 1) - 1, "negative"),
        (lambda T, a, b: 7, "The solver takes"),
        (3, "without brackets"),
        (None, "placeholder"),
    ],
)
def test_breakeven_wrong(answer, hint):
    with pytest.raises(Hint, match=hint):
        self_check("ex-ch14-breakeven", answer)


@pytest.mark.parametrize(
    ("answer", "hint"),
    [
        (lambda T, K, G: K * math.ceil(T / G), "the batches shrink"),
        (lambda T, K, G: sum((T - j) / G for j in range(K)), "whole states"),
        (lambda T, K, G: sum((T - j) // G for j in range(K)), "not down"),
        (lambda T, K, G: shards(T - 1, K, G), "of which none is exact"),
        (lambda T, K, G: math.ceil(shards(T, K, 1) / G), "not at the end"),
        (lambda T, K, G: shards(T, K, 1), "These are the evaluations"),
        (lambda T, K, G: 0, "busiest device in sweep"),
    ],
)
def test_shards_wrong(answer, hint):
    with pytest.raises(Hint, match=hint):
        self_check("ex-ch14-shards", answer)


@pytest.mark.parametrize(
    ("answer", "hint"),
    [
        (lambda s, T, n, w: ratio(s, T, n, w) / T, "share of r"),
        (lambda s, T, n, w: ratio(s, T, n, w) * n, "all sweeps together"),
        (lambda s, T, n, w: ratio(s, T, n, w) / 100, "a hundredth"),
        (lambda s, T, n, w: 1 / ratio(s, T, n, w), "other way round"),
        (lambda s, T, n, w: T / (n * ratio(s, T, n, w)), "speed-up against"),
        (lambda s, T, n, w: 1, "time of one sweep"),
    ],
)
def test_ratio_wrong(answer, hint):
    with pytest.raises(Hint, match=hint):
        self_check("ex-ch14-ratio", answer)


@pytest.mark.parametrize(
    ("answer", "hint"),
    [
        (lambda points: points, "one is beaten"),
        (lambda points: [p for p in points if p != (3.0, 2.0)], "in any order"),
        (
            lambda points: [
                p for p in sorted(points) if p[1] >= max(q[1] for q in points if q[0] <= p[0])
            ],
            "only as good",
        ),
        (
            lambda points: [
                p for p in sorted(points) if p[1] > max([q[1] for q in points if q[0] < p[0]] + [0])
            ],
            "the worse one",
        ),
        (lambda points: frontier(points)[:1] if len(points) > 4 else frontier(points), "cheapest"),
        (lambda points: 3, "expected a list"),
        (lambda points: [3], "a list of pairs"),
    ],
)
def test_frontier_wrong(answer, hint):
    with pytest.raises(Hint, match=hint):
        self_check("ex-ch14-frontier", answer)
