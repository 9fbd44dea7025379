"""Checks of chapter 3: DDIM restoration."""

from collections.abc import Mapping
from typing import Any

import torch

from deqir_lite.bundled import load_bundled_photo
from deqir_lite.chain import make_chain
from deqir_lite.methods import DDNMNoise, step_coefficients
from deqir_lite.metrics import psnr
from deqir_lite.operators import make_task
from deqir_lite.priors.load import load_prior
from deqir_lite.schedule import linear_schedule, timestep_grid
from deqir_lite.teach.checking import Hint, exercise

STARTS = (900, 500, 200, 100)


@exercise("ex-ddpm")
def check_ddpm(answer: Any) -> str:
    """eta of DDPM's own step for the steps of a chain of 20, without the last one: (19,)."""
    eta = torch.as_tensor(answer, dtype=torch.float64).flatten()
    c = step_coefficients(linear_schedule(), timestep_grid(20), DDNMNoise(0.0))
    source, target = c.source[:-1], c.target[:-1]
    right = ((1 - source / target) / (1 - source)).sqrt()
    if len(eta) == 20:
        raise Hint(
            "There are 20 numbers. The last step arrives at abar_0 = 1, where no noise is left to "
            "share out: leave it away."
        )
    if len(eta) != 19:
        raise Hint(f"Expected one number for each of 19 steps, got {len(eta)}.")
    wrong = {
        "This is sigma itself. How is eta defined from it?": right * (1 - target).sqrt(),
        "This is eta squared: a root is missing.": right.square(),
        "In the fraction of noise levels, numerator and denominator have changed places.": (
            (1 - source / target).sqrt() * (1 - source).sqrt() / (1 - target)
        ),
        "You divided by the noise at the step's end twice; one factor cancels against sigma's.": (
            right / (1 - target).sqrt()
        ),
        "The steps are in the order of the clean end: c.source begins at the noisy end.": (
            right.flip(0)
        ),
    }
    if _close(eta, right):
        return "Right: nearly 1 at the noisy end, and less further on; no single eta is DDPM's."
    for hint, value in wrong.items():
        if _close(eta, value):
            raise Hint(hint)
    raise Hint("Set sigma^2 = eta^2 (1 - abar_s) equal to b_xi^2, and solve for eta.")


@exercise("ex-start")
def check_start(answer: Any) -> str:
    """PSNR for each start, as a mapping {900: ..., 500: ..., 200: ..., 100: ...}."""
    if not isinstance(answer, Mapping) or set(answer) != set(STARTS):
        raise Hint(f"Expected a dictionary with the keys {', '.join(map(str, STARTS))}.")
    scores = {start: float(answer[start]) for start in STARTS}
    if len(set(scores.values())) == 1:
        raise Hint("All scores are the same: does `first_timestep` reach make_chain?")
    for start in sorted(STARTS):
        own = _score(start)
        if abs(scores[start] - own) > 0.05:
            raise Hint(
                f"For first_timestep = {start} I get {own:.1f} dB, you have {scores[start]:.1f} "
                "dB. Same photo, same task, 10 steps, all else as by default, and the last state "
                "against the photo?"
            )
    return "Right. The latest start is the worst: the grey holes were taken for content."


@exercise("ex-mean")
def check_mean(answer: Any) -> str:
    """The ratio of the two expected squared errors, estimated from draws."""
    ratio = float(answer)
    hints = {
        0.5: "Upside down: the sample's error belongs in the numerator.",
        1.0: "One: is the sample drawn independently of the truth, and mu the mean (not a draw)?",
        2**0.5: "This is the ratio of the distances; the claim is about their squares.",
        4.0: "Four: a sum of two independent variables has twice the variance, not twice the size.",
    }
    if abs(ratio - 2) < 0.05:
        return "Right: two independent errors of the same size add up, in squares."
    for value, hint in hints.items():
        if abs(ratio - value) < 0.025 * value:
            raise Hint(hint)
    raise Hint(f"Got {ratio:.3g}. Take many draws, and means of squared differences.")


def _close(a: torch.Tensor, b: torch.Tensor) -> bool:
    return bool(torch.allclose(a, b, rtol=1e-3, atol=1e-4))


def _score(start: int) -> float:
    """The chapter's own experiment, for one start."""
    with torch.no_grad():
        photo = load_bundled_photo("coffee", size=64)
        operator = make_task("inpaint-random", (64, 64))
        prior = load_prior("photo64")
        chain = make_chain(prior, operator, operator.A(photo), num_steps=10, first_timestep=start)
        return float(psnr(chain.sequential()[-1], photo))
