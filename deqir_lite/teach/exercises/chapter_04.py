"""Checks of chapter 4, Proposition 1, and of the mutant lab."""

from collections.abc import Callable, Collection, Mapping
from functools import cache
from typing import Any

import torch
from torch import Tensor

from deqir_lite.chain import RestorationChain
from deqir_lite.fixedpoint import FixedPointSystem, NoiseFormModel
from deqir_lite.mutants import CHECKS, MUTANTS, Program, Verdicts, restoration_problem, run_lab
from deqir_lite.teach.checking import Hint, exercise
from deqir_lite.verification import verification_chain

PREDICTED = ("RedrawnNoise", "SharedNoise", "InexactPinv", "LateTimestep", "EightBitMeasurement")
"""The mutants that the reader is asked about."""

_THINK = {
    "RedrawnNoise": "Which promises need the same numbers twice? (A x_0 = y does not: what is the "
    "weight of fresh noise in the last step?)",
    "SharedNoise": "Both ways of sampling use the same draws. Is a sum of equal draws as large as "
    "a sum of independent ones?",
    "InexactPinv": "Which of the nine use N^2 = N or A A^+ A = A? And is there anything to undo "
    "where A = 0?",
    "LateTimestep": "Both ways of sampling make the same mistake. Who knows which timestep is the "
    "right one?",
    "EightBitMeasurement": "The program restores its own y faithfully. Which check still knows the "
    "other one?",
}


@exercise("ex-lab")
def check_prediction(answer: Any) -> str:
    """The predicted names of the checks that catch each of :data:`PREDICTED`."""
    if not isinstance(answer, Mapping) or set(answer) != set(PREDICTED):
        raise Hint(f"Expected a dictionary with the keys {', '.join(PREDICTED)}.")
    known = {check.name for check in CHECKS}
    for name, checks in answer.items():
        unknown = _as_set(name, checks) - known
        if unknown:
            raise Hint(f"{name}: no check is called {sorted(unknown)[0]!r}.")
    truth = _lab().caught
    wrong = [name for name in PREDICTED if _as_set(name, answer[name]) != truth[name]]
    if wrong:
        right = len(PREDICTED) - len(wrong)
        raise Hint(f"{right} of {len(PREDICTED)} are right. Look at {wrong[0]}: {_THINK[wrong[0]]}")
    return "All right, before the table said it."


@exercise("ex-range")
def check_range(answer: Callable[[RestorationChain, Tensor], Tensor]) -> str:
    """The function (chain, states) -> R x_s of all new states, from the old ones, (T, B, ...)."""
    if not callable(answer):
        raise Hint("Expected a function of a chain and its states.")
    eta = 0.85
    chain, _ = verification_chain("sr2", eta=eta, num_steps=5, size=8)
    c, scale, null = chain.coefficients, chain.per_step, chain.measurement.null
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        # no states of the chain: there the new states would be the old ones
        guesses = torch.randn((5, *chain.x_T.shape), generator=generator, dtype=torch.float64)
        states = torch.cat([chain.x_T[None], guesses])
        found = answer(chain, states)
        eps = chain.predict_noise(states[:-1])
        swept = FixedPointSystem(chain, NoiseFormModel(chain))(states)[1:]
    right = swept - null(swept)
    if not isinstance(found, Tensor) or found.shape != right.shape:
        raise Hint(f"Expected a tensor of shape {tuple(right.shape)}, one state for each step.")
    constant = scale(c.target.sqrt()) * chain.measurement.pinv_y
    fresh = scale(c.c1) * chain.noise[:]
    late = scale((1 - eta**2) ** 0.5 * (1 - c.source).sqrt()) * eps
    wrong = {
        "These are whole states; the null-space part of something was left in.": swept,
        "These are the states that you were given. What are the new ones, after a sweep?": (
            states[1:]
        ),
        "You have projected the states that you were given, which is right only where a sweep "
        "changes nothing. Compute the new ones from z.": states[1:] - null(states[1:]),
        "You left the noise as it is; only its range-space part is part of R x.": (
            constant + scale(c.c2) * eps + fresh
        ),
        "The fresh noise is missing.": right - (fresh - null(fresh)),
        "A^+ y is scaled like the state it belongs to: which root?": (
            right - constant + chain.measurement.pinv_y
        ),
        "The weight of the predicted noise belongs to the level where the step arrives.": (
            right - (scale(c.c2) * eps - late) + null(scale(c.c2) * eps - late)
        ),
        "These are range-space parts of the old states. What is asked for are the new ones.": (
            states[:-1] - null(states[:-1])
        ),
    }
    if torch.allclose(found, right, atol=1e-8):
        return "Right: no state on the right-hand side outside of the network, so no memory."
    for hint, value in wrong.items():
        if torch.allclose(found, value, atol=1e-8):
            raise Hint(hint)
    raise Hint("Apply R to z term by term: R N = 0, R A^+ = A^+, and two terms of noise remain.")


@exercise("ex-evaluations")
def check_evaluations(answer: Callable[[int, int], Any]) -> str:
    """The function (T, sweeps) -> evaluations when exact states are not asked about again."""
    if not callable(answer):
        raise Hint("Expected a function of T and the number of sweeps.")
    cases = [(20, 20), (20, 4), (7, 1), (5, 9)]
    found = [float(answer(T, sweeps)) for T, sweeps in cases]
    wrong = {
        "This asks about all T states in every sweep. Which are exact after the first?": [
            T * k for T, k in cases
        ],
        "This is the number for T sweeps, whatever their number is.": [
            T * (T + 1) // 2 for T, _ in cases
        ],
        "One state too few: before the first sweep only x_T is exact, and it has to be asked about "
        "once.": [sum(max(T - 1 - j, 0) for j in range(k)) for T, k in cases],
        "There may be more sweeps than steps. What do those after the T-th ask?": [
            sum(T - j for j in range(k)) for T, k in cases
        ],
        "This is the number of batched calls.": [k for _, k in cases],
    }
    if found == [sum(max(T - j, 0) for j in range(k)) for T, k in cases]:
        return "Right: each sweep asks about one state less, and after T sweeps about none."
    for hint, values in wrong.items():
        if found == values:
            raise Hint(hint)
    raise Hint("Count by hand for T = 3: 3 states in the first sweep, then 2, then 1.")


@exercise("ex-cover")
def check_cover(answer: Any) -> str:
    """A smallest set of names of checks that together catch every mutant."""
    names = _as_set("answer", answer)
    unknown = names - {check.name for check in CHECKS}
    if unknown:
        raise Hint(f"No check is called {sorted(unknown)[0]!r}.")
    caught = _lab().caught
    missed = [mutant.__name__ for mutant in MUTANTS if not caught[mutant.__name__] & names]
    if missed:
        raise Hint(f"{missed[0]} gets through.")
    spare = [n for n in sorted(names) if all(caught[m.__name__] & (names - {n}) for m in MUTANTS)]
    if spare:
        raise Hint(f"All are caught, but there is a smaller set: is {spare[0]!r} needed?")
    return f"Right: {len(names)} checks suffice, and none of them can be left out."


@exercise("ex-mutant")
def check_own_mutant(answer: type[Program]) -> str:
    """A class of programs: wrong, and not noticed by the two checks named in the exercise."""
    if not isinstance(answer, type) or not issubclass(answer, Program):
        raise Hint("Expected a class derived from Program, not an instance of it.")
    verdicts = run_lab([answer]).caught[answer.__name__]
    problem = restoration_problem()
    with torch.no_grad():
        x0, right = (make(problem).parallel()[-1] for make in (answer, Program))
    change = float((x0 - right).abs().max())
    if change < 1e-6:
        raise Hint("It computes what the right program computes: no mistake yet.")
    for mutant in MUTANTS:
        with torch.no_grad():
            known = mutant(problem).parallel()[-1]
        if float((x0 - known).abs().max()) < 1e-9:
            raise Hint(f"This computes what {mutant.__name__} of the lab does. One of your own?")
    noticed = verdicts & {"fixed point", "residual"}
    if noticed:
        raise Hint(
            f"{sorted(noticed)[0]!r} notices it. Change something that both ways of sampling share."
        )
    if not verdicts:
        return "Right, and more than that: none of the nine checks notices it. Which one would?"
    return f"Right: wrong by {change:.1g} and in agreement with itself. Caught by: " + ", ".join(
        sorted(verdicts)
    )


@cache
def _lab() -> Verdicts:
    return run_lab()


def _as_set(name: str, checks: Any) -> set[str]:
    if isinstance(checks, str) or not isinstance(checks, Collection):
        raise Hint(f"{name}: expected a set of names of checks, got {checks!r}.")
    return set(checks)
