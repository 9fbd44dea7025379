"""Checks of chapter 13: noisy measurements."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from deqir_lite.teach.answers import as_function, as_tensor, compare
from deqir_lite.teach.checking import Hint, exercise


@exercise("ex-ch13-ceiling")
def check_ceiling(answer: Callable[[Tensor, int, float], Any]) -> str:
    """The function (s, n, sigma_y) -> PSNR of a photo with the copied noise and no other fault."""
    as_function(answer)
    s = torch.tensor([1.0, 0.5, 0.0, 0.1, 0.0, 2.0], dtype=torch.float64)
    found = as_tensor(answer(s.clone(), 6, 0.05), shape=())
    seen = s[s > 0]

    def dB(error: Tensor) -> Tensor:
        return 10 * torch.log10(4 / error)

    each = (0.05 / seen).square()
    right = dB(each.sum() / 6)
    wrong = {
        "White minus black is 2, so the peak's square is 4.": right - dB(torch.tensor(1.0)),
        "The mean is over all values of the photo, those of the null space included.": (
            dB(each.mean())
        ),
        "A^+ divides by the singular values; it does not multiply.": (
            dB((0.05 * seen).square().sum() / 6)
        ),
        "Variances add up, not deviations: sum the squares.": dB((0.05 / seen).sum().square() / 6),
        "Squares of deviations: 1 / s^2.": dB((0.05**2 / seen).sum() / 6),
        "This is for 20 log10 of a mean square. Take 10.": 2 * right,
        "Whose noise is that? sigma_y goes into the square, too.": (
            dB((0.05 / seen.square()).sum() / 6)
        ),
    }
    compare(found, right, wrong, "Sum sigma_y^2 / s^2 over s > 0, divide by n, then 10 log10.")
    return "Right: what copied noise leaves of a photo without any other fault."


@exercise("ex-ch13-budget")
def check_budget(answer: Callable[[float, float, float], Any]) -> str:
    """The function (abar, sigma_i, v) -> (gamma, c): Bayes' belief within the noise budget."""
    as_function(answer)
    cases = [(0.5, 0.1, 0.02), (0.95, 0.4, 0.3), (0.9999, 0.2, 0.5), (0.99, 0.1, 0.005)]
    found = torch.stack([_pair(answer(*case)) for case in cases])
    abar, sigma, v = torch.tensor(cases, dtype=torch.float64).T
    rho = ((1 - abar) / abar).sqrt()
    bayes, most = v / (v + sigma**2), rho / sigma

    def spent(gamma: Tensor) -> Tensor:
        return (abar * (rho**2 - (gamma * sigma) ** 2).clamp(min=0)).sqrt()

    def both(gamma: Tensor, c: Tensor) -> Tensor:
        return torch.stack([gamma, c], dim=1)

    gamma = torch.minimum(bayes, most)
    right = both(gamma, spent(gamma))
    wrong = {
        "This believes as Bayes does even where the budget forbids it: gamma sigma_i <= rho.": (
            both(bayes, spent(bayes))
        ),
        "This is the rule of DDNM+ with eta = 0. Where does the guess come in?": (
            both(most.clamp(max=1), spent(most.clamp(max=1)))
        ),
        "c is in units of x_s: a factor sqrt(abar) is missing.": (
            both(gamma, spent(gamma) / abar.sqrt())
        ),
        "c is a deviation, the budget is one of variances: take the root.": (
            both(gamma, spent(gamma).square())
        ),
        "The fresh noise is what the budget leaves, less gamma^2 sigma_i^2.": (
            both(gamma, (1 - abar).sqrt())
        ),
    }
    compare(found, right, wrong, "Two limits for gamma, the smaller one; the rest is fresh noise.")
    return "Right: Bayes' belief, as long as the level has room for the noise of y."


def _pair(result: Any) -> Tensor:
    if not isinstance(result, (tuple, list)) or len(result) != 2:
        raise Hint("Return a pair: gamma and c.")
    return torch.stack([as_tensor(part, shape=()) for part in result])


@exercise("ex-ch13-wrong")
def check_wrong(answer: Callable[[float, float, float], Any]) -> str:
    """The function (v, sigma, k) -> expected squared error over the least one."""
    as_function(answer)
    cases = [(1.0, 1.0, 2.0), (0.3, 0.1, 0.5), (0.01, 0.2, 3.0), (0.5, 0.4, 1.0)]
    found = torch.stack([as_tensor(answer(*case), shape=()) for case in cases])
    v, sigma, k = torch.tensor(cases, dtype=torch.float64).T

    def risk(gamma: Tensor) -> Tensor:
        return (1 - gamma).square() * v + gamma.square() * sigma.square()

    best = risk(v / (v + sigma**2))
    right = risk(v / (v + (k * sigma) ** 2)) / best
    wrong = {
        "This is by how much it is greater; the factor is one more.": right - 1,
        "This is the bound for all u. For one v and sigma it is less.": torch.cosh(k.log()) ** 2,
        "This is a difference of errors. Divide by the least one.": (right - 1) * best,
        "This is in decibels.": 10 * torch.log10(right),
        "k sigma is a deviation: its square has k^2.": risk(v / (v + k * sigma**2)) / best,
        "The real noise is sigma; k sigma is only what the weight believes.": (
            torch.tensor([_believed(*case) for case in cases], dtype=torch.float64)
        ),
    }
    compare(found, right, wrong, "Write the error of the weight gamma; compare gamma_k, gamma_1.")
    return "Right: a factor of two costs at most 1.94 dB, in either direction."


def _believed(v: float, sigma: float, k: float) -> float:
    """The error that who believes in k sigma expects, over the least one."""
    return (v * (k * sigma) ** 2 / (v + (k * sigma) ** 2)) / (v * sigma**2 / (v + sigma**2))
