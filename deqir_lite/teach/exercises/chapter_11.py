"""Checks of chapter 11: every method on one prior."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from deqir_lite.schedule import timestep_grid, with_returns
from deqir_lite.teach.answers import as_function, as_tensor, compare
from deqir_lite.teach.checking import Hint, exercise


@exercise("ex-ch11-forms")
def check_forms(answer: Callable[[float, float, float], Any]) -> str:
    """The function (s, u, zeta) -> L of DiffPIR's noise form and data form on the null space."""
    as_function(answer)
    cases = [(0.2, 0.5, 0.1), (0.6, 0.9, 0.25), (0.01, 0.05, 0.5)]
    found = torch.stack([as_tensor(answer(*case), shape=(2,)) for case in cases])
    s, u, zeta = torch.tensor(cases, dtype=torch.float64).T
    kept = ((1 - u) / (1 - s)).sqrt()
    q, b = (u / s).sqrt(), (1 - zeta).sqrt() * kept
    wrong = {
        "First the noise form, then the data form.": torch.stack([b, q], dim=1),
        "The state's own share b is missing in the noise form: x_{s+1} comes in twice.": (
            torch.stack([q - b, b], dim=1)
        ),
        "zeta is a share of the variance: its complement has a root.": torch.stack(
            [q, (1 - zeta) * kept], dim=1
        ),
        "The data form holds the photo, W = 0; b remains.": torch.stack([q, 0 * b], dim=1),
        "A root is missing in the noise form.": torch.stack([q.square(), b], dim=1),
    }
    compare(found, torch.stack([q, b], dim=1), wrong, "Put W and M = I into the form, one by one.")
    return "Right: DDNM's two forms, with the share of fresh noise as a variance."


@exercise("ex-ch11-returns")
def check_returns(answer: Callable[[int, int, int], Any]) -> str:
    """The function (T, length, repeats) -> evaluations of the network."""
    as_function(answer)
    cases = [(250, 10, 10), (20, 5, 3), (20, 19, 2), (21, 5, 4), (7, 3, 1)]
    found = torch.stack([as_tensor(answer(*case), shape=()) for case in cases])
    right = torch.tensor([_evaluations(*case) for case in cases], dtype=torch.float64)
    T, length, repeats = torch.tensor(cases, dtype=torch.float64).T
    stretches = ((T - 1) / length).floor()
    wrong = {
        "The returns themselves ask no network: each only adds noise.": (
            T + (repeats - 1) * (length + 1) * stretches
        ),
        "Each stretch is walked once anyway: repeats - 1 times more.": T
        + repeats * length * stretches,
        "These are T stretches' worth; a stretch has `length` steps between T - 1 moves.": T
        + (repeats - 1) * T,
        "Between T levels are T - 1 moves: count the whole stretches in these.": T
        + (repeats - 1) * length * (T / length).floor(),
    }
    compare(found, right, wrong, "How many whole stretches are there, and what does each add?")
    return "Right: every whole stretch, repeats - 1 times more."


def _evaluations(T: int, length: int, repeats: int) -> int:
    path = with_returns(timestep_grid(T), length=length, repeats=repeats)
    following = torch.cat([path[1:], torch.tensor([-1])])
    return int((following < path).sum())


@exercise("ex-ch11-pairs")
def check_pairs(answer: Callable[[Tensor, Tensor], Any]) -> str:
    """The function (a, b) -> standard errors of the difference: apart, in pairs."""
    as_function(answer)
    generator = torch.Generator().manual_seed(0)
    photos = 25 + 5 * torch.randn(8, generator=generator, dtype=torch.float64)
    a = photos + 0.3 * torch.randn(8, generator=generator, dtype=torch.float64)
    b = photos + 0.3 * torch.randn(8, generator=generator, dtype=torch.float64) - 0.2
    found = as_tensor(answer(a.clone(), b.clone()), shape=(2,))
    squares = torch.stack([a.var() + b.var(), (a - b).var()])
    biased = squares * (7 / 8)
    wrong = {
        "First apart, then in pairs.": (squares.flip(0) / 8).sqrt(),
        "This is the deviation of one photo; the mean of n has its n-th part as variance.": (
            squares.sqrt()
        ),
        "These are variances; an error is a root.": squares / 8,
        "The mean was estimated too: divide the squares by n - 1.": (biased / 8).sqrt(),
    }
    compare(
        found, (squares / 8).sqrt(), wrong, "Variances of independent numbers add up; pairs first "
        "take differences.",
    )  # fmt: skip
    return "Right: what both methods have in common drops out of the pairs."


@exercise("ex-ch11-six")
def check_six(answer: Callable[[float], Any]) -> str:
    """The function level -> smallest n."""
    as_function(answer)
    levels = [0.05, 0.01, 0.4, 0.5]
    found = [float(as_tensor(answer(level), shape=())) for level in levels]
    if found == [6, 8, 3, 3]:
        return "Right: 2 / 2^n, below 5 % from six photos on."
    if found == [5, 7, 2, 2]:
        raise Hint("Either of the two may be the better one: twice 2^-n, and below, not equal.")
    if found == [6, 8, 3, 2]:
        raise Hint("Below the level, not equal to it.")
    raise Hint("The first photo decides who leads; all others must agree with it.")
