"""Chapter 13's self-checks: the right answer passes, each typical mistake gets its hint."""

import math

import pytest

from deqir_lite.teach import Hint, self_check


def ceiling(s, n, sigma):
    return 10 * math.log10(4 * n / float((sigma / s[s > 0]).square().sum()))


def test_ceiling_right(capsys):
    self_check("ex-ch13-ceiling", ceiling)
    assert "Right" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("answer", "hint"),
    [
        (lambda s, n, g: ceiling(s, n, g) - 10 * math.log10(4), "square is 4"),
        (lambda s, n, g: ceiling(s, int((s > 0).sum()), g), "null space included"),
        (lambda s, n, g: 10 * math.log10(4 * n / float((g * s).square().sum())), "divides by"),
        (lambda s, n, g: 10 * math.log10(4 * n / float((g / s[s > 0]).sum()) ** 2), "add up"),
        (lambda s, n, g: 10 * math.log10(4 * n / float((g**2 / s[s > 0]).sum())), "1 / s.2"),
        (lambda s, n, g: 2 * ceiling(s, n, g), "Take 10"),
        (lambda s, n, g: 10 * math.log10(4 * n / float((g / s[s > 0] ** 2).sum())), "Whose"),
        (lambda s, n, g: 0.0, "Sum sigma_y"),
        (None, "placeholder"),
    ],
)
def test_ceiling_wrong(answer, hint):
    with pytest.raises(Hint, match=hint):
        self_check("ex-ch13-ceiling", answer)


def budget(abar, sigma, v, *, least=min):
    rho = ((1 - abar) / abar) ** 0.5
    gamma = least(v / (v + sigma**2), rho / sigma)
    return gamma, (abar * max(rho**2 - (gamma * sigma) ** 2, 0)) ** 0.5


def test_budget_right(capsys):
    self_check("ex-ch13-budget", budget)
    assert "Right" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("answer", "hint"),
    [
        (lambda a, s, v: budget(a, s, v, least=lambda bayes, most: bayes), "forbids"),
        (lambda a, s, v: budget(a, s, v, least=lambda b, most: min(most, 1)), "guess come in"),
        (lambda a, s, v: (budget(a, s, v)[0], budget(a, s, v)[1] / a**0.5), "units of x_s"),
        (lambda a, s, v: (budget(a, s, v)[0], budget(a, s, v)[1] ** 2), "take the root"),
        (lambda a, s, v: (budget(a, s, v)[0], (1 - a) ** 0.5), "what the budget leaves"),
        (lambda a, s, v: (0.5, 0.5), "Two limits"),
        (lambda a, s, v: 0.5, "a pair"),
    ],
)
def test_budget_wrong(answer, hint):
    with pytest.raises(Hint, match=hint):
        self_check("ex-ch13-budget", answer)


def price(v, sigma, k, *, power=2.0):
    def risk(gamma):
        return (1 - gamma) ** 2 * v + gamma**2 * sigma**2

    return risk(v / (v + k**power * sigma**2)) / risk(v / (v + sigma**2))


def expected(v, sigma, k):
    return v * k**2 / (v + (k * sigma) ** 2) * (v + sigma**2) / v


def test_price_right(capsys):
    self_check("ex-ch13-wrong", price)
    assert "Right" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("answer", "hint"),
    [
        (lambda v, s, k: price(v, s, k) - 1, "one more"),
        (lambda v, s, k: math.cosh(math.log(k)) ** 2, "the bound"),
        (lambda v, s, k: (price(v, s, k) - 1) * v * s**2 / (v + s**2), "Divide"),
        (lambda v, s, k: 10 * math.log10(price(v, s, k)), "decibels"),
        (lambda v, s, k: price(v, s, k, power=1.0), "has k.2"),
        (expected, "only what the weight believes"),
        (lambda v, s, k: 2.0, "Write the error"),
    ],
)
def test_price_wrong(answer, hint):
    with pytest.raises(Hint, match=hint):
        self_check("ex-ch13-wrong", answer)
