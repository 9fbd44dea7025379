"""Checks of chapter 8: gradients through the equilibrium."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from deqir_lite.chain import RestorationChain
from deqir_lite.teach.answers import as_function, as_tensor, compare
from deqir_lite.teach.checking import Hint, exercise
from deqir_lite.verification import verification_chain


def _randn(*shape: int) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


def _substitute(H: Tensor, g: Tensor) -> Tensor:
    """a <- g_k + H_k^T a from the last step to the first."""
    a = g[-1]
    for matrix, slope in zip(H.flip(0), g[:-1].flip(0), strict=True):
        a = slope + matrix.mT @ a
    return a


@exercise("ex-reverse-substitution")
def check_reverse_substitution(answer: Callable[[Tensor, Tensor], Any]) -> str:
    """The function (H (T, n, n), g (T+1, n)) -> dL/dx_T (n,)."""
    as_function(answer)
    steps, size = 4, 3
    H, g = _randn(steps, size, size), _randn(steps + 1, size + 1)[:, 1:].clone()
    found = as_tensor(answer(H.clone(), g.clone()), shape=(size,))
    only_last = torch.cat([torch.zeros_like(g[:-1]), g[-1:]])
    without_first = torch.cat([torch.zeros_like(g[:1]), g[1:]])
    wrong = {
        "Going backwards, each matrix has to be transposed.": _substitute(H.mT, g),
        "The order of the steps: the last step is the first one to be pulled back through.": (
            _substitute(H.flip(0), g)
        ),
        "Only the slope of x_0 is in your result; the loss looks at all states.": (
            _substitute(H, only_last)
        ),
        "x_T has a slope of its own, g[0], which goes through no step.": (
            _substitute(H, without_first)
        ),
        "One step is missing: this is the adjoint state of states[1], not of x_T.": (
            _substitute(H[1:], g[1:])
        ),
        "Minus the gradient: where does the sign come from? Nothing is subtracted here.": (
            -_substitute(H, g)
        ),
    }
    compare(found, _substitute(H, g), wrong, "Try T = 1 first: the gradient is g[0] + H[0].T g[1].")
    return "Right: T products with transposed matrices, from the clean end to the noisy one."


@exercise("ex-count-vjps")
def check_count_vjps(answer: Callable[[int, int], Any]) -> str:
    """The function (T, K) -> VJPs of the gradient with K terms."""
    as_function(answer)
    cases = [(20, 1), (20, 2), (20, 3), (20, 20), (7, 5)]
    T, K = torch.tensor(cases, dtype=torch.float64).T
    found = torch.stack([as_tensor(answer(steps, terms), shape=()) for steps, terms in cases])
    triangle = K * (K - 1) / 2
    right = 1 + (K - 1) * T - triangle
    wrong = {
        "The exact adjoint states are not evaluated again: a term takes fewer than T VJPs.": (
            1 + (K - 1) * (T - 1)
        ),
        "Nothing is exact before the first term, and it takes no VJP: only K - 1 terms cost.": (
            1 + K * T - K * (K + 1) / 2
        ),
        "This counts sweeps of the chain, K T - K (K - 1) / 2. The first term is free here.": (
            K * T - triangle
        ),
        "The VJP through the first step, at the end, is missing.": right - 1,
        "This is every term with every state: K T.": K * T,
        "From K to K + 1 terms it is T - K VJPs; you are off by one.": (
            1 + (K - 1) * (T - 1) - triangle
        ),
    }
    compare(found, right, wrong, "Write the number of VJPs of each term in a row, and add them up.")
    return "Right. Two terms take T VJPs, as many as the exact gradient: only batches are saved."


@exercise("ex-slope-of-y")
def check_slope_of_y(answer: Callable[[RestorationChain, Tensor], Any]) -> str:
    """The function (chain, a (T, B, ...)) -> dL/dy."""
    as_function(answer)
    chain, _ = verification_chain("sr2", eta=0.15, num_steps=5, size=8)
    operator, c = chain.measurement.operator, chain.coefficients
    y = operator.A(chain.measurement.pinv_y)
    a = _randn(*chain.noise.shape)
    to_y = torch.func.vjp(operator.pinv, y)[1]

    def weighted(weights: Tensor) -> Tensor:
        return (chain.per_step(weights) * a).sum(dim=0)

    def pulled(weights: Tensor) -> Tensor:
        return to_y(weighted(weights))[0]

    ones, last = torch.ones_like(c.target), torch.zeros_like(c.target)
    last[-1] = 1
    found = answer(chain, a.clone())
    if isinstance(found, tuple):
        raise Hint("A pullback returns a tuple, one entry for each argument: take the first.")
    if isinstance(found, Tensor) and found.shape == chain.x_T.shape:
        raise Hint("This has the shape of a photo; the slope of y has the shape of y.")
    found = as_tensor(found, shape=tuple(y.shape))
    wrong = {
        "Every push has the factor sqrt(abar) of the state where the step arrives.": pulled(ones),
        "A step's factor belongs to the state where it arrives, target, not where it starts.": (
            pulled(c.source.sqrt())
        ),
        "Is the square root of abar missing?": pulled(c.target),
        "y enters every step, not only the last one.": pulled(last),
        "A takes a photo to a measurement, but what you need is the transpose of pinv.": (
            operator.A(weighted(c.target.sqrt()))
        ),
        "Mean or sum? The effects of all pushes add up.": (
            pulled(c.target.sqrt()) / chain.num_steps
        ),
    }
    compare(found, pulled(c.target.sqrt()), wrong, "How does a change of y alone move each state?")
    return "Right: the adjoint states, weighted by sqrt(abar), through the transpose of pinv."
