"""Checks of chapter 5: the fixed-point system."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from deqir_lite.teach.answers import as_function, as_tensor, compare
from deqir_lite.teach.checking import Hint, exercise

_OTHERWISE = "Not what I expected. Try it with two states, where you can follow every number."
_STATES = torch.tensor(
    [[0.5, -0.2], [1.0, 0.3], [-0.7, 0.8], [0.1, -0.9], [0.6, 0.4]], dtype=torch.float64
)


def _turn(x: Tensor) -> Tensor:
    """A step of a recursion in the plane that is neither linear nor the same in both entries."""
    return torch.stack([x[:, 0] + 0.3 * x[:, 1], x[:, 1] - 0.4 * x[:, 0].sin()], dim=1)


@exercise("ex-summed-sweep")
def check_summed_sweep(answer: Callable[[Any, Tensor], Any]) -> str:
    """The function (step, states) -> states[0] and states[0] + cumulative sum of increments."""
    sweep = as_function(answer)
    calls = []

    def counted(x: Tensor) -> Tensor:
        calls.append(len(x))
        return _turn(x)

    result = as_tensor(sweep(counted, _STATES.clone()))
    if result.shape == _STATES[1:].shape:
        raise Hint("A state is missing: the given one, states[0], belongs into the result.")
    if result.shape != _STATES.shape:
        raise Hint(f"For states (5, 2) I got shape {tuple(result.shape)}; expected (5, 2).")
    given, old = _STATES[:1], _STATES[:-1]
    stepped = _turn(old)
    increments = stepped - old
    right = torch.cat([given, given + increments.cumsum(0)])
    wrong = {
        "This is the plain sweep: every state takes one step. Sum up the increments.": stepped,
        "You add the sums to the old states. All that may be trusted is states[0].": old
        + increments.cumsum(0),
        "You sum across the two coordinates; sum along time, dim=0.": given + increments.cumsum(1),
        "One increment too few: states[k] has taken k steps, and needs k increments.": given
        + increments.cumsum(0)
        - increments,
        "You sum up whole states. What is added in a step is step(x) - x.": given
        + stepped.cumsum(0),
        "Mind the sign: an increment is the new state minus the old one.": given
        - increments.cumsum(0),
    }
    mistakes = {hint: torch.cat([given, rows]) for hint, rows in wrong.items()}
    compare(result, right, mistakes, _OTHERWISE)
    if len(calls) > 1:
        raise Hint(
            f"The result is right, but step was called {len(calls)} times. All old states are "
            "known: it takes them in one batch, step(states[:-1])."
        )
    return "Right: one batch of steps, one cumulative sum, and the recursion's own fixed point."


@exercise("ex-residual-to-error")
def check_residual_to_error(answer: Callable[[Tensor, Tensor, int], Any]) -> str:
    """The function (J, d, T) -> d + J d + ... + J^(T-1) d."""
    function = as_function(answer)
    generator = torch.Generator().manual_seed(5)
    size, block = 5, 2
    full = torch.randn(size * block, size * block, generator=generator, dtype=torch.float64)
    lower = torch.ones(size, size).tril(-1).repeat_interleave(block, 0)
    J = full * lower.repeat_interleave(block, 1).double()
    d = torch.randn(size * block, generator=generator, dtype=torch.float64)
    result = as_tensor(function(J, d, size))
    if result.shape != d.shape:
        raise Hint(f"For d (10,) I got shape {tuple(result.shape)}; expected (10,).")
    right = torch.linalg.solve(torch.eye(len(d), dtype=torch.float64) - J, d)
    last = torch.linalg.matrix_power(J, size - 1) @ d
    wrong = {
        "Mind the sign: with e = X* - X and d = F(X) - X, d = (I - J) e.": -right,
        "This is (I + J)^-1 d: the terms of the series must not alternate.": torch.linalg.solve(
            torch.eye(len(d), dtype=torch.float64) + J, d
        ),
        "One term is missing: the last power that is not zero is J^(T-1).": right - last,
        "The series begins with the power 0 of J, that is with d itself.": right - d,
        "This uses the transpose of J, which carries errors from clean to noisy.": (
            torch.linalg.solve(torch.eye(len(d), dtype=torch.float64) - J.mT, d)
        ),
        "This is (I - J) d: what an error changes, not the error behind a change.": d - J @ d,
        "This is the last term of the series only; sum up all of them.": last,
    }
    compare(result, right, wrong, _OTHERWISE)
    endless = 2 * full / full.norm()  # no power of it is zero, and a sum of terms is no solution
    solved = torch.linalg.solve(torch.eye(len(d), dtype=torch.float64) - endless, d)
    if torch.allclose(as_tensor(function(endless, d, size)), solved):
        raise Hint("The error is right, but you solve a linear system. T terms of a series do.")
    return "Right: T terms, and not an approximation: the series has no more."


@exercise("ex-frozen")
def check_frozen(answer: Callable[[int, int], Any]) -> str:
    """The function (T, K) -> T + (T - 1) + ... + (T - K + 1)."""
    function = as_function(answer)
    for T, K in ((20, 20), (20, 1), (20, 7), (5, 3)):
        value = float(as_tensor(function(T, K)))
        right = T * K - K * (K - 1) // 2
        hints = {
            T * K: "This counts every state in every sweep. The frozen ones are not evaluated.",
            T * (T + 1) // 2: "This is the cost of all T sweeps. Stop after K of them.",
            T * K - K * (K + 1) // 2: "Nearly: the first sweep has nothing to freeze yet.",
            K * (K + 1) // 2: "You count the frozen states; count the others.",
        }
        general = "Write down sweep by sweep how many states are evaluated, for T = 4."
        if value != right:
            raise Hint(f"For T = {T}, K = {K}: {hints.get(int(value), general)}")
    return "Right: one evaluation less in every sweep, TK - K(K-1)/2 in all."
