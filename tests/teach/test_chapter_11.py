"""Chapter 11's self-checks: the right answer passes, each typical mistake gets its hint."""

import pytest
import torch

from deqir_lite.teach import Hint, self_check


def forms(s, u, zeta):
    b = (1 - zeta) ** 0.5 * ((1 - u) / (1 - s)) ** 0.5
    return torch.tensor([(u / s) ** 0.5, b])


def evaluations(T, length, repeats):
    return T + (repeats - 1) * length * ((T - 1) // length)


def errors(a, b):
    return (torch.stack([a.var() + b.var(), (a - b).var()]) / len(a)).sqrt()


def six(level):
    n = 1
    while 2 ** (1 - n) >= level:
        n += 1
    return n


@pytest.mark.parametrize(
    ("label", "answer"),
    [
        ("ex-ch11-forms", forms),
        ("ex-ch11-returns", evaluations),
        ("ex-ch11-pairs", errors),
        ("ex-ch11-six", six),
    ],
)
def test_right(label, answer, capsys):
    self_check(label, answer)
    assert "Right" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("label", "answer", "hint"),
    [
        ("ex-ch11-forms", lambda s, u, z: forms(s, u, z).flip(0), "First the noise form"),
        (
            "ex-ch11-forms",
            lambda s, u, z: forms(s, u, z) - torch.tensor([forms(s, u, z)[1], 0]),
            "own share b",
        ),
        ("ex-ch11-forms", lambda s, u, z: forms(s, u, 1 - (1 - z) ** 2), "has a root"),
        ("ex-ch11-forms", lambda s, u, z: forms(s, u, z) * torch.tensor([1, 0]), "b remains"),
        (
            "ex-ch11-forms",
            lambda s, u, z: forms(s, u, z) ** torch.tensor([2, 1]),
            "root is missing in the noise",
        ),
        ("ex-ch11-forms", lambda s, u, z: torch.zeros(2), "one by one"),
        (
            "ex-ch11-returns",
            lambda T, n, r: T + (r - 1) * (n + 1) * ((T - 1) // n),
            "ask no network",
        ),
        ("ex-ch11-returns", lambda T, n, r: T + r * n * ((T - 1) // n), "once anyway"),
        ("ex-ch11-returns", lambda T, n, r: T * r, "T stretches' worth"),
        ("ex-ch11-returns", lambda T, n, r: T + (r - 1) * n * (T // n), "T - 1 moves: count"),
        ("ex-ch11-returns", lambda T, n, r: 3, "whole stretches are there"),
        ("ex-ch11-pairs", lambda a, b: errors(a, b).flip(0), "First apart"),
        ("ex-ch11-pairs", lambda a, b: errors(a, b) * len(a) ** 0.5, "of one photo"),
        ("ex-ch11-pairs", lambda a, b: errors(a, b) ** 2, "are variances"),
        ("ex-ch11-pairs", lambda a, b: errors(a, b) * (7 / 8) ** 0.5, "divide the squares"),
        ("ex-ch11-pairs", lambda a, b: errors(a, b) + 1, "independent numbers"),
        ("ex-ch11-six", lambda level: max(1, six(level) - 1), "Either of the two"),
        ("ex-ch11-six", lambda level: 2 if level == 0.5 else six(level), "not equal to it"),
        ("ex-ch11-six", lambda level: 100, "first photo decides"),
        ("ex-ch11-six", None, "placeholder"),
    ],
)
def test_wrong(label, answer, hint):
    with pytest.raises(Hint, match=hint):
        self_check(label, answer)
