"""Checks of chapter 12: what the settings do."""

from collections.abc import Callable, Sequence
from typing import Any

import torch

from deqir_lite.teach.answers import as_function, as_tensor, compare
from deqir_lite.teach.checking import Hint, exercise

_OF_THE_CHAIN = {"timesteps", "eta", "spacing", "seed", "sigma_y"}
_OF_THE_SOLVE = {"form", "start", "solver", "memory", "window"}


@exercise("ex-ch12-kinds")
def check_kinds(answer: Any) -> str:
    """The set of names that decide the photo at convergence."""
    if isinstance(answer, str) or not hasattr(answer, "__iter__"):
        raise Hint("Expected a set of names.")
    found = set(answer)
    unknown = found - _OF_THE_CHAIN - _OF_THE_SOLVE
    if unknown:
        raise Hint(f"Not among the names: {', '.join(sorted(map(str, unknown)))}.")
    if found & _OF_THE_SOLVE:
        raise Hint("One of these only says how the fixed point is looked for.")
    if found != _OF_THE_CHAIN:
        raise Hint("One is missing that the steps h_s depend on.")
    return "Right: what the steps h_s depend on, and nothing else."


@exercise("ex-ch12-circles")
def check_circles(answer: Callable[[float, float], Any]) -> str:
    """The function (quality, agreement) -> lowest and highest PSNR of a sweep."""
    as_function(answer)
    cases = [(30.0, 40.0), (25.0, 26.0), (33.0, 60.0)]
    found = torch.stack([as_tensor(answer(*case), shape=(2,)) for case in cases])
    quality, agreement = torch.tensor(cases, dtype=torch.float64).T
    ratio = 10 ** ((quality - agreement) / 20)

    def bounds(change: torch.Tensor) -> torch.Tensor:
        worse, better = 1 + change, 1 - change
        return torch.stack([quality - 20 * worse.log10(), quality - 20 * better.log10()], dim=1)

    right = bounds(ratio)
    wrong = {
        "First the lowest, then the highest.": right.flip(1),
        "This is the usual loss, where squares add; the bound adds the distances.": torch.stack(
            [
                quality - 10 * (1 + ratio.square()).log10(),
                quality - 10 * (1 - ratio.square()).log10(),
            ],
            dim=1,
        ),
        "Decibels of a root mean square have 20 in front of the logarithm, not 10.": bounds(
            ratio.square()
        ),
        "These are the changes; add them to the quality of the sample.": right - quality[:, None],
        "A sweep can be better than the sample, too.": torch.stack([right[:, 0], quality], dim=1),
    }
    compare(found, right, wrong, "Draw the photo, and around the sample a circle of radius delta.")
    return "Right: between e - delta and e + delta, in decibels."


@exercise("ex-ch12-stop")
def check_stop(answer: Callable[[Sequence[float], float, float], Any]) -> str:
    """The function (curve, quality, loss) -> first sweep that is guaranteed."""
    as_function(answer)
    cases = [
        ([20.0, 75.0, 30.0, 55.0, 70.0, 80.0], 30.0, 0.1, 5),
        ([20.0, 75.0, 30.0, 55.0, 70.0, 80.0], 30.0, 0.6, 4),
        ([20.0, 21.0, 22.0], 30.0, 0.1, 0),
        ([90.0, 90.0], 20.0, 0.1, 1),
    ]
    found = [float(as_tensor(answer(c, q, loss), shape=())) for c, q, loss, _ in cases]
    right = [float(case[-1]) for case in cases]
    if found == right:
        return "Right: from there on no sweep can have lost more."
    if found[:2] == [2.0, 2.0]:
        raise Hint("From this sweep on: a later one is further away again.")
    if found == [n - 1 for n in right]:
        raise Hint("The first entry of the curve is that of sweep 1.")
    if found[2] != 0:
        raise Hint("Where no sweep is near enough, the answer is 0.")
    raise Hint("Take the guarantee, 20 log10(1 + delta / e), for each entry of the curve.")
