"""Checks of chapter 6: Anderson acceleration."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from deqir_lite.teach.answers import as_function, as_tensor, compare
from deqir_lite.teach.checking import Hint, exercise

_OTHERWISE = "Not what I expected. Try it with two residuals of one entry each, by hand."
_G = torch.tensor(
    [[1.0, 0.4, -0.3], [-0.5, 0.6, 0.2], [2.0, 1.1, 0.9], [0.3, -0.8, 0.5]], dtype=torch.float64
)
"""Three residuals of four entries, one in each column."""


@exercise("ex-one-memory")
def check_one_memory(answer: Callable[[Tensor, Tensor], Any]) -> str:
    """The function (newest, past) -> gamma = <newest, newest - past> / |newest - past|^2."""
    newest, past = _G[:, 0], _G[:, 1]
    gamma = as_tensor(as_function(answer)(newest.clone(), past.clone()))
    if gamma.numel() != 1:
        raise Hint(f"Expected one number, got a tensor of shape {tuple(gamma.shape)}.")
    difference = newest - past
    product, squared = newest @ difference, difference @ difference
    wrong = {
        "Mind the sign: what is subtracted from the newest is gamma (newest - past).": (
            -product / squared
        ),
        "This is the weight of the newest residual. The past has the rest.": 1 - product / squared,
        "This projects the past, not the newest, on the difference.": past @ difference / squared,
        "Divided by the length of the difference; by what does a projection divide?": (
            product / squared.sqrt()
        ),
        "The difference is not scaled: divide by its squared length.": product,
        "This divides by the squared length of the newest. The difference is what is fitted.": (
            product / (newest @ newest)
        ),
        "Between residuals stands a difference, not the past residual itself.": (
            newest @ past / (past @ past)
        ),
    }
    compare(gamma.reshape(()), product / squared, wrong, _OTHERWISE)
    return "Right: the projection of the newest on the difference, a secant in many dimensions."


@exercise("ex-constrained")
def check_constrained(answer: Callable[[Tensor], Any]) -> str:
    """The function G (d, m+1) -> alpha (m+1,), |G alpha| smallest among those that sum to one."""
    alpha = as_tensor(as_function(answer)(_G.clone()))
    if alpha.shape == (3, 1):
        alpha = alpha[:, 0]
    if alpha.shape == (4,):
        raise Hint("One weight for each entry; wanted is one for each column of G.")
    if alpha.shape != (3,):
        raise Hint(f"For G of shape (4, 3) I got {tuple(alpha.shape)}; expected (3,).")
    ones = torch.ones(3, dtype=torch.float64)
    v = torch.linalg.solve(_G.T @ _G, ones)
    smallest = torch.linalg.eigh(_G.T @ _G).eigenvectors[:, 0]
    wrong = {
        "This solves the equation with the multiplier 1. Which one makes the sum one?": v,
        "This has length one; its entries should have the sum one.": v / v.norm(),
        "This combination is short for its length. Fixed is the sum of the weights.": smallest,
        "The same, turned: the length was fixed, the sum should have been.": -smallest,
        "Right direction of the wrong problem: scaled afterwards to sum one, the singular vector "
        "is no minimiser under the constraint.": smallest / smallest.sum(),
        "All residuals count the same here. The better ones should count more.": ones / 3,
        "Here the inverse is missing: solve with G^T G, do not multiply.": (
            (_G.T @ _G @ ones) / (_G.T @ _G @ ones).sum()
        ),
        "The sum is right, and each weight looks at one residual only, by its length. They can "
        "also cancel each other: use all of G^T G.": (
            _G.square().sum(0).reciprocal() / _G.square().sum(0).reciprocal().sum()
        ),
        "The minimum without a constraint is no mixture at all.": 0 * ones,
    }
    compare(alpha, v / v.sum(), wrong, _OTHERWISE)
    return "Right: the smallest residual that a mixture with the sum one can have."


@exercise("ex-late")
def check_late(answer: Callable[[int, int], Any]) -> str:
    """The function (T, m) -> (m + 1)(T - 2) + 2."""
    function = as_function(answer)
    for T, m in ((20, 5), (8, 2), (20, 0), (2, 3)):
        value = float(as_tensor(function(T, m)))
        if value == (m + 1) * (T - 2) + 2:
            continue
        hints = {
            (m + 1) * (T - 2) + 1: "This counts mixes. The sweep that evaluates F there is one "
            "more.",
            (m + 1) * (T - 1) + 1: "After so many mixes the last guess is exact, too. But F gives "
            "the last state exactly as soon as those before it are.",
            (m + 1) * (T - 1) + 2: "The last state need not be exact before the sweep: F makes it.",
            m * (T - 2) + 2: "Memory m mixes m + 1 outputs: the newest is one of them.",
            (m + 1) * T: "Close, but not every state waits for m + 1 sweeps. When is the first one "
            "exact, and what about the last?",
            m * T: "Memory m mixes m + 1 outputs, and the first state is exact at once.",
            T: "This is the bound with a plain step.",
        }
        general = "Follow the proof for T = 3 and m = 1, sweep by sweep."
        raise Hint(f"For T = {T}, m = {m}: {hints.get(int(value), general)}")
    return "Right: m + 1 sweeps for each state between the first and the last."
