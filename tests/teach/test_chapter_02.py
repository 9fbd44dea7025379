"""Chapter 2's self-checks: the right answer passes, each typical mistake gets its hint."""

import pytest
import torch

from deqir_lite.priors import GaussianMixturePrior, predict_x0
from deqir_lite.schedule import linear_schedule
from deqir_lite.teach import Hint, self_check
from deqir_lite.teach.exercises import chapter_02


def shrink(x, m, s, abar):
    return m + abar**0.5 * s**2 / (abar * s**2 + 1 - abar) * (x - abar**0.5 * m)


def two_points(x, abar):
    return torch.tanh(abar**0.5 * x / (1 - abar))


def error_factors(abar):
    return ((1 - abar) / abar) ** 0.5, (1 - abar) ** 0.5, 1


@pytest.mark.parametrize(
    ("label", "answer"),
    [
        ("ex-shrink", shrink),
        ("ex-two-points", two_points),
        ("ex-error-factor", error_factors),
    ],
)
def test_right(label, answer, capsys):
    self_check(label, answer)
    assert "Right" in capsys.readouterr().out


def best_guess(means, deviation, x, t=400):
    """E[x_0 | x_t] of equally likely components, from the package's mixture, and abar_t."""
    count = len(means)
    prior = GaussianMixturePrior(
        torch.ones(count),
        torch.tensor(means, dtype=torch.float64)[:, None],
        torch.full((count, 1, 1), deviation**2, dtype=torch.float64),
    )
    times = torch.full((len(x),), t)
    signal, noise = prior.schedule.at(times, x[:, None])
    guess = predict_x0(x[:, None], prior(x[:, None], times), signal, noise)
    return guess[:, 0], float(linear_schedule().alpha_bar[t])


def test_the_right_answers_are_posterior_means():
    """The formulas against the mixture prior, so that the checks do not teach a mistake."""
    x = torch.linspace(-2, 2, 9, dtype=torch.float64)
    guess, abar = best_guess([0.7], 0.5, x)
    assert torch.allclose(shrink(x, 0.7, 0.5, abar), guess)
    guess, abar = best_guess([1.0, -1.0], 1e-5, x)
    assert torch.allclose(two_points(x, abar), guess, atol=1e-6)


@pytest.mark.parametrize(
    ("answer", "hint"),
    [
        (lambda x, m, s, a: m + a**0.5 * s**2 / (a * s**2 + 1 - a) * (x - m), "mean shrinks"),
        (lambda x, m, s, a: m + a * s**2 / (a * s**2 + 1 - a) * (x - a**0.5 * m), "root is mis"),
        (lambda x, m, s, a: m + s**2 / (a * s**2 + 1 - a) * (x - a**0.5 * m), "no root"),
        (lambda x, m, s, a: m + a**0.5 * s / (a * s + 1 - a) * (x - a**0.5 * m), "deviation"),
        (lambda x, m, s, a: m + a**0.5 * (x - a**0.5 * m), "noise, too"),
        (
            lambda x, m, s, a: m + a**0.5 * s**2 / (a**0.5 * s**2 + 1 - a) * (x - a**0.5 * m),
            "not with its root",
        ),
        (lambda x, m, s, a: a**0.5 * shrink(x, m, s, a), "Divide"),
        (
            lambda x, m, s, a: (x + (1 - a) * (x - a**0.5 * m) / (a * s**2 + 1 - a)) / a**0.5,
            "sign",
        ),
        (lambda x, m, s, a: x, "Try the ends"),
        (lambda x, m, s, a: 0.0, r"returned shape \(\); expected"),
        (lambda x, m, s, a: x[:1], "Your function returned shape"),
        (3.0, r"function \(or class\) itself"),
        (None, "placeholder"),
    ],
)
def test_shrink_wrong(answer, hint):
    with pytest.raises(Hint, match=hint):
        self_check("ex-shrink", answer)


@pytest.mark.parametrize(
    ("answer", "hint"),
    [
        (lambda x, a: torch.tanh(x / (1 - a)), "shrink, too"),
        (lambda x, a: torch.tanh(a * x / (1 - a)), "root is missing"),
        (lambda x, a: torch.tanh(a**0.5 * x / (1 - a) ** 0.5), "variance of the noise"),
        (lambda x, a: torch.tanh(a**0.5 * x), "noise is missing"),
        (lambda x, a: torch.sigmoid(2 * a**0.5 * x / (1 - a)), "probability"),
        (lambda x, a: torch.tanh(2 * a**0.5 * x / (1 - a)), "exponents again"),
        (lambda x, a: torch.tanh(a**0.5 * x / (1 - a) / 2), "half"),
        (lambda x, a: -two_points(x, a), "sign"),
        (lambda x, a: x.sign(), "Try the ends"),
    ],
)
def test_two_points_wrong(answer, hint):
    with pytest.raises(Hint, match=hint):
        self_check("ex-two-points", answer)


@pytest.mark.parametrize(
    ("answer", "hint"),
    [
        (lambda a: (1, a**0.5, (a / (1 - a)) ** 0.5), "errors of epsilon"),
        (lambda a: (-(((1 - a) / a) ** 0.5), -((1 - a) ** 0.5), 1), "no sign"),
        (lambda a: ((1 - a) / a, 1 - a, 1), "take the root"),
        (lambda a: ((a / (1 - a)) ** 0.5, a**0.5, 1), "exchanged"),
        (lambda a: (1, (1 - a) ** 0.5, ((1 - a) / a) ** 0.5), "another order"),
        (lambda a: ((1 - a) ** 0.5, (1 - a) ** 0.5, 1), "whole bracket"),
        (lambda a: (1, 1, 1), "Try the ends"),
        (lambda a: (1, 1), "Got 2 numbers"),
        (lambda a: 1.0, "three numbers"),
        (lambda a: ("a", "b", "c"), "three numbers"),
        ((1, 2, 3), r"function \(or class\) itself"),
    ],
)
def test_error_factor_wrong(answer, hint):
    with pytest.raises(Hint, match=hint):
        self_check("ex-error-factor", answer)


@pytest.fixture
def leaflet(monkeypatch):
    """Four photos, of which the first two are easy: the leads are 1, 3, 1 and 0 dB."""
    names = [*chapter_02.EASY[:2], "brick", "grass"]
    network, gaussian = (
        torch.tensor([30.0, 31.0, 22.0, 20.0]),
        torch.tensor([29.0, 28.0, 21.0, 20.0]),
    )
    monkeypatch.setattr(chapter_02, "_leaflet", lambda: (names, network, gaussian))


def test_leaflet_right(leaflet, capsys):
    self_check("ex-leaflet", torch.tensor(1.25))
    assert "Right: 1.2 dB" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("answer", "hint"),
    [(10.0, "leaflet says"), (2.0, "first five"), (0.5, "shows the Gaussian"), (-1.25, "sign"),
     (7.0, "Not what I get")],
)  # fmt: skip
def test_leaflet_wrong(leaflet, answer, hint):
    with pytest.raises(Hint, match=hint):
        self_check("ex-leaflet", answer)
