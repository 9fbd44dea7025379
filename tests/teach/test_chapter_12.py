"""Chapter 12's self-checks: the right answer passes, each typical mistake gets its hint."""

import math

import pytest
import torch

from deqir_lite.teach import Hint, self_check

CHAIN = {"timesteps", "eta", "spacing", "seed", "sigma_y"}


def circles(quality, agreement, power=1):
    ratio = 10 ** (power * (quality - agreement) / 20)
    return quality - torch.tensor([20 * math.log10(1 + ratio), 20 * math.log10(1 - ratio)])


def usual(quality, agreement):
    ratio = 10 ** ((quality - agreement) / 10)
    return quality - torch.tensor([10 * math.log10(1 + ratio), 10 * math.log10(1 - ratio)])


def lost(quality, agreement):
    return 20 * math.log10(1 + 10 ** ((quality - agreement) / 20))


def stop(curve, quality, loss):
    near = [lost(quality, agreement) <= loss for agreement in curve]
    return next((j + 1 for j in range(len(near)) if all(near[j:])), 0)


def first(curve, quality, loss):
    near = [lost(quality, agreement) <= loss for agreement in curve]
    return next((j + 1 for j in range(len(near)) if near[j]), 0)


@pytest.mark.parametrize(
    ("label", "answer"),
    [("ex-ch12-kinds", CHAIN), ("ex-ch12-circles", circles), ("ex-ch12-stop", stop)],
)
def test_right(label, answer, capsys):
    self_check(label, answer)
    assert "Right" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("label", "answer", "hint"),
    [
        ("ex-ch12-kinds", "eta", "set of names"),
        ("ex-ch12-kinds", CHAIN | {"colour"}, "Not among the names: colour"),
        ("ex-ch12-kinds", CHAIN | {"form"}, "looked for"),
        ("ex-ch12-kinds", CHAIN - {"seed"}, "One is missing"),
        ("ex-ch12-circles", lambda q, a: circles(q, a).flip(0), "First the lowest"),
        ("ex-ch12-circles", usual, "usual loss"),
        ("ex-ch12-circles", lambda q, a: circles(q, a, power=2), "not 10"),
        ("ex-ch12-circles", lambda q, a: circles(q, a) - q, "are the changes"),
        (
            "ex-ch12-circles",
            lambda q, a: torch.stack([circles(q, a)[0], torch.tensor(q)]),
            "can be better",
        ),
        ("ex-ch12-circles", lambda q, a: torch.zeros(2), "Draw the photo"),
        ("ex-ch12-stop", first, "a later one"),
        ("ex-ch12-stop", lambda c, q, loss: stop(c, q, loss) - 1, "that of sweep 1"),
        ("ex-ch12-stop", lambda c, q, loss: stop(c, q, loss) or len(c), "the answer is 0"),
        ("ex-ch12-stop", lambda c, q, loss: 0, "Take the guarantee"),
        ("ex-ch12-stop", None, "placeholder"),
    ],
)
def test_wrong(label, answer, hint):
    with pytest.raises(Hint, match=hint):
        self_check(label, answer)
