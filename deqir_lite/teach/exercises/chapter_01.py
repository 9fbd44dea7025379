"""Checks of chapter 1: degradations and pseudo-inverses."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from deqir_lite.operators import make_task
from deqir_lite.teach.answers import as_function, as_tensor, compare
from deqir_lite.teach.checking import Hint, exercise

_OTHERWISE = "Not the number that I expected. Try it on a case that you can do by hand."
_LUMA = torch.tensor([0.299, 0.587, 0.114], dtype=torch.float64).reshape(1, 3, 1, 1)


@exercise("ex-luma")
def check_luma(answer: Callable[[Tensor], Any]) -> str:
    """The function y (B, 1, H, W) -> A^+ y (B, 3, H, W) for the grey of television."""
    y = torch.linspace(-1, 1, 24, dtype=torch.float64).reshape(2, 1, 3, 4)
    x = as_tensor(as_function(answer)(y))
    if x.shape != (2, 3, 3, 4):
        raise Hint(f"For y of shape (2, 1, 3, 4) I got {tuple(x.shape)}; expected (2, 3, 3, 4).")
    squared = _LUMA.square().sum()
    wrong = {
        "This is A^T y. Measure it again: which factor is missing?": _LUMA * y,
        "You divided by the length of w. Measure the result: is it y?": (
            _LUMA / squared.sqrt() * y
        ),
        "Its measurement is y, but there is a shorter picture with the same measurement. Along "
        "which direction does a pixel get by with the least?": y.expand(-1, 3, -1, -1),
        "Red and blue are exchanged.": _LUMA.flip(1) / squared * y,
    }
    compare(x, _LUMA / squared * y, wrong, _OTHERWISE)
    return "Right: along w, divided by its squared length, and shorter than three copies of y."


@exercise("ex-noise-gain")
def check_noise_gain(answer: Callable[[Tensor], Any]) -> str:
    """The function s (n,) -> sqrt(sum of 1/s^2 over s > 0, divided by n)."""
    s = torch.tensor([2.0, 0.5, 0.1, 0.0, 0.0], dtype=torch.float64)
    gain = as_tensor(as_function(answer)(s))
    if gain.numel() != 1:
        raise Hint(f"Expected one number, got a tensor of shape {tuple(gain.shape)}.")
    if not bool(torch.isfinite(gain).all()):
        raise Hint("The gain is not finite: what does the pseudo-inverse do where s = 0?")
    inverse = 1 / s[s > 0]
    right = (inverse.square().sum() / 5).sqrt()
    worst = "White noise spreads over all patterns; this is what the weakest one alone can do."
    wrong = {
        "This is the squared gain: variances add up, and then a root is due.": right.square(),
        "The unknowns that are not measured get no noise, but they are among the n entries.": (
            inverse.square().mean().sqrt()
        ),
        f"{worst} (1 / s_min)": inverse.max(),
        f"{worst} (The condition number.)": s.max() * inverse.max(),
        "Standard deviations do not add up, variances do.": inverse.sum() / 5,
        "This is the length of A^+ n. What is the root mean square of its entries?": right * 5**0.5,
        "This is the gain of measuring. To undo is to divide by s.": (s.square().sum() / 5).sqrt(),
    }
    compare(gain.reshape(()), right, wrong, _OTHERWISE)
    return "Right: independent errors add up in squares, each magnified by 1 / s."


@exercise("ex-old-photo")
def check_old_photo(answer: Any) -> str:
    """The dimension of the null space of the task "old-photo" at 64 x 64."""
    if isinstance(answer, bool) or not isinstance(answer, (int, float, Tensor)):
        raise Hint(f"Expected a number, got {type(answer).__name__}.")
    pixels = 64 * 64
    s = make_task("old-photo", (64, 64)).singular_values((64, 64)).expand(1, 3, 64, 64)
    kept = int((s > 0).sum())
    hints = {
        kept: "This is the rank, what is measured. What must be invented is the rest.",
        pixels - kept: "These are the lost pixels. A kept pixel has lost something, too.",
        3 * (pixels - kept): "This counts all colours of the lost pixels. At the kept ones only "
        "one direction of three is measured.",
        2 * kept: "This counts the kept pixels only; at the lost ones everything is missing.",
        2 * pixels: "This is the number for a grey photo without scratches.",
    }
    value = float(answer)
    if value in hints:
        raise Hint(hints[int(value)])
    if value != 3 * pixels - kept:
        raise Hint("Count the unknowns, count the numbers in y that are no constant zeros.")
    return "Right: two directions at every kept pixel, and three at every lost one."
