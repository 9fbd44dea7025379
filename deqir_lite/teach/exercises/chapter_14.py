"""Checks of chapter 14: what parallel sampling costs."""

import math
from collections.abc import Callable, Iterable
from typing import Any

import torch

from deqir_lite.teach.answers import as_function, as_tensor, compare
from deqir_lite.teach.checking import Hint, exercise


@exercise("ex-ch14-breakeven")
def check_breakeven(answer: Callable[[int, float, float], Any]) -> str:
    """The function (T, u1, uT) -> the most sweeps with which a solver is faster than the walk."""
    as_function(answer)
    cases = [(20, 1.0, 3.0), (20, 1.0, 4.0), (100, 0.25, 2.0), (20, 1.0, 20.0), (50, 1.0, 60.0)]
    found = torch.stack([as_tensor(answer(*case), shape=()) for case in cases])

    def of(rule: Callable[[float], float]) -> torch.Tensor:
        return torch.tensor([float(rule(T * u1 / uT)) for T, u1, uT in cases]).double()

    right = of(lambda ratio: max(math.ceil(ratio) - 1, 0))
    wrong = {
        "Where the ratio is a whole number the solver is as fast as the walk, not faster.": (
            of(math.floor)
        ),
        "A whole number of sweeps, and fewer than this.": of(lambda ratio: ratio),
        "With one sweep more it would be slower already: round down.": of(math.ceil),
        "This can become negative; 0 if there is none.": of(lambda ratio: math.ceil(ratio - 1) - 1),
    }
    compare(found, right, wrong, "The solver takes K uT seconds, the walk T u1.")
    return "Right: the largest whole number below T u(1) / u(T)."


@exercise("ex-ch14-shards")
def check_shards(answer: Callable[[int, int, int], Any]) -> str:
    """The function (T, K, G) -> units of time of K sweeps on G devices."""
    as_function(answer)
    cases = [(20, 3, 1), (20, 3, 4), (20, 20, 7), (10, 4, 16), (7, 2, 3)]
    found = torch.stack([as_tensor(answer(*case), shape=()) for case in cases])

    def of(rule: Callable[[int, int, int], float]) -> torch.Tensor:
        return torch.tensor([float(rule(*case)) for case in cases]).double()

    right = of(lambda T, K, G: sum(-(-(T - j) // G) for j in range(K)))
    wrong = {
        "Sweep after sweep one state more is exact: the batches shrink.": (
            of(lambda T, K, G: K * -(-T // G))
        ),
        "A device evaluates whole states: round up, sweep by sweep.": (
            of(lambda T, K, G: sum((T - j) / G for j in range(K)))
        ),
        "The busiest device decides, so round up and not down.": (
            of(lambda T, K, G: sum((T - j) // G for j in range(K)))
        ),
        "The first sweep asks about all T states, of which none is exact yet.": (
            of(lambda T, K, G: sum(-(-(T - j) // G) for j in range(1, K + 1)))
        ),
        "The sweeps wait for one another: round up in each of them, not at the end.": (
            of(lambda T, K, G: math.ceil(sum(T - j for j in range(K)) / G))
        ),
        "These are the evaluations. What do the devices share?": (
            of(lambda T, K, G: sum(T - j for j in range(K)))
        ),
    }
    compare(found, right, wrong, "How many states has the busiest device in sweep number j?")
    return "Right: the busiest device of each sweep, sweep after sweep."


@exercise("ex-ch14-ratio")
def check_ratio(answer: Callable[[float, int, int, float], Any]) -> str:
    """The function (seconds, T, iterations, walk) -> r = u(T) / u(1)."""
    as_function(answer)
    cases = [(21.19, 20, 15, 12.67), (5.0, 10, 4, 30.0), (8.0, 50, 2, 10.0)]
    found = torch.stack([as_tensor(answer(*case), shape=()) for case in cases])
    seconds, T, iterations, walk = torch.tensor(cases, dtype=torch.float64).T
    right = 100 * seconds / iterations / walk
    wrong = {
        "This is the share of r in T: an image in the batch over one by itself.": right / T,
        "These are all sweeps together; r is about one.": right * iterations,
        "The walk has 100 calls: u(1) is a hundredth of it.": right / 100,
        "The other way round: the batch is above the line.": 1 / right,
        "This is the speed-up against a walk of the same chain.": T / (iterations * right),
    }
    compare(found, right, wrong, "u(T) is the time of one sweep, u(1) that of one step.")
    return "Right: one sweep over one step."


@exercise("ex-ch14-frontier")
def check_frontier(answer: Callable[[list[tuple[float, float]]], Any]) -> str:
    """The function: pairs (cost, quality) -> those that no other beats, by cost."""
    as_function(answer)
    easy = [(1.0, 1.0), (2.0, 3.0), (3.0, 2.0), (4.0, 4.0)]
    ties = [(2.0, 5.0), (1.0, 5.0), (1.0, 4.0), (3.0, 5.0), (0.5, 2.0), (1.0, 5.0)]
    if _pairs(answer(list(easy))) != [easy[0], easy[1], easy[3]]:
        raise Hint("Of (1, 1), (2, 3), (3, 2), (4, 4) one is beaten, and the others remain.")
    if _pairs(answer(list(reversed(easy)))) != [easy[0], easy[1], easy[3]]:
        raise Hint("The points come in any order: sort them by cost first.")
    found = list(dict.fromkeys(_pairs(answer(list(ties)))))
    if (3.0, 5.0) in found or (2.0, 5.0) in found:
        raise Hint("A dearer point that is only as good as a cheaper one is beaten.")
    if (1.0, 4.0) in found:
        raise Hint("Of two points that cost the same the worse one is beaten.")
    if found != [(0.5, 2.0), (1.0, 5.0)]:
        raise Hint("The cheapest point always remains, and so does the best.")
    return "Right: each dearer point has to be better than all before it."


def _pairs(result: Any) -> list[tuple[float, float]]:
    if not isinstance(result, Iterable):
        raise Hint(f"Your function returned {type(result).__name__}; expected a list of pairs.")
    try:
        return [(float(cost), float(quality)) for cost, quality in result]
    except (TypeError, ValueError) as error:
        raise Hint("Expected a list of pairs (cost, quality).") from error
