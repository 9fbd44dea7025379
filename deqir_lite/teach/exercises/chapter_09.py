"""Checks of chapter 9: choosing the noise."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from deqir_lite.chain import RestorationChain
from deqir_lite.inversion.losses import Loss
from deqir_lite.teach.answers import as_function, as_tensor, compare
from deqir_lite.teach.checking import Hint, exercise
from deqir_lite.verification import verification_chain


@exercise("ex-shell-pull")
def check_shell_pull(answer: Callable[[Tensor, float], Any]) -> str:
    """The function (x_T, weight) -> gradient of the mean of weight (|x_T|^2 / n - 1)^2."""
    as_function(answer)
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(2, 3, 4, 5, generator=generator, dtype=torch.float64)
    x[0] *= 1.7  # one photo outside of the shell, one inside
    x[1] *= 0.6
    weight, n, batch = 2.5, x[0].numel(), len(x)
    found = as_tensor(answer(x.clone(), weight), shape=tuple(x.shape))
    square = x.square().sum(dim=(1, 2, 3), keepdim=True) / n
    right = 4 * weight * (square - 1) * x / (n * batch)
    # The norms of all photos thrown together.
    joint = x.square().mean()
    wrong = {
        "The sign: the gradient points uphill. Outside of the shell, uphill is outwards.": -right,
        "A mean over the photos has a factor 1 / B.": batch * right,
        "n is missing: the derivative of |x|^2 / n is 2 x / n.": n * right,
        "Both n and B are missing.": n * batch * right,
        "Is there a factor 2 from each of the two squares?": right / 2,
        "Are both factors 2 missing?": right / 4,
        "Where is the weight?": right / weight,
        "You forgot the inner derivative, 2 x / n: this is the same number for every pixel.": (
            2 * weight * (square - 1) / batch * torch.ones_like(x)
        ),
        "The squared norm belongs in it, not the norm.": (
            4 * weight * (square.sqrt() - 1) * x / (n * batch)
        ),
        "Every photo has its own norm: sum over channels and pixels, not over the batch.": (
            4 * weight * (joint - 1) * x / (n * batch)
        ),
    }
    compare(found, right, wrong, "Use the chain rule twice: the square, then |x|^2 / n - 1 in it.")
    return "Right: outwards where the noise is too strong, inwards where it is too weak."


@exercise("ex-best-of-n")
def check_best_of_n(answer: Callable[[RestorationChain, Loss, int], Any]) -> str:
    """The function (chain, loss, draws) -> the x_T with the smallest loss of the seeded draws."""
    as_function(answer)
    chain = verification_chain("pool2", eta=0.15, num_steps=3, size=8, seed=1)[0]
    # Its own x_T must be none of the draws: it came from one of their seeds.
    chain = chain.with_x_T(-chain.x_T)
    weight = torch.linspace(-1, 1, 8, dtype=torch.float64)

    def loss(x0: Tensor) -> Tensor:
        return (weight * x0).mean()

    n = 6
    draws, values = [], []
    with torch.no_grad():
        for seed in range(n + 1):
            generator = torch.Generator().manual_seed(seed)
            shape, dtype = chain.x_T.shape, chain.x_T.dtype
            draws.append(torch.randn(shape, generator=generator, dtype=dtype))
            values.append(float(loss(chain.with_x_T(draws[-1]).sequential()[-1])))
    result = answer(chain, loss, n)
    if isinstance(result, (int, float)) or (isinstance(result, Tensor) and result.ndim == 0):
        raise Hint("Return the noise x_T itself, not its loss or its seed.")
    found = as_tensor(result, shape=tuple(chain.x_T.shape))
    seeds = [s for s, draw in enumerate(draws) if torch.allclose(found, draw.double(), atol=1e-4)]
    best = min(range(n), key=values.__getitem__)
    if seeds == [best]:
        return "Right: the draw with the smallest loss."
    if torch.allclose(found, chain.with_x_T(draws[best]).sequential()[-1], atol=1e-4):
        raise Hint("This is the photo x_0 of the best draw. Return its noise x_T.")
    if torch.allclose(found, chain.x_T, atol=1e-4):
        raise Hint("This is the chain's own x_T, which is none of the n draws.")
    if not seeds:
        raise Hint("This is none of the draws: a new generator with manual_seed(seed) for each.")
    if seeds == [n]:
        raise Hint("The seeds are 0 to n - 1; you also tried n.")
    if seeds == [max(range(n), key=values.__getitem__)]:
        raise Hint("This draw has the largest loss.")
    if seeds == [min(range(n), key=lambda s: float(loss(draws[s])))]:
        raise Hint("You took the loss of the noise. It belongs to x_0, the restored photo.")
    if seeds == [n - 1]:
        raise Hint("This is the last draw. Do you remember the best one so far?")
    raise Hint("Another draw has a smaller loss. Compare each with the smallest loss so far.")


@exercise("ex-hold-out")
def check_hold_out(answer: Callable[[Tensor, int], Any]) -> str:
    """The function (mask, seed) -> masks to learn from and to watch; every pixel in one of them."""
    as_function(answer)
    generator = torch.Generator().manual_seed(12345)  # a learner's seed must not draw it again
    mask = (torch.rand(40, 40, generator=generator) < 0.5).float()
    given = mask.clone()
    result = answer(mask, 3)
    if not isinstance(result, (tuple, list)) or len(result) != 2:
        raise Hint("Return two masks: one for the loss, one to watch.")
    learn, watch = (as_tensor(part, shape=(40, 40)) for part in result)
    if not mask.equal(given):
        raise Hint("The function changes the mask that it is given. Make new ones.")
    if not all(bool(((part == 0) | (part == 1)).all()) for part in (learn, watch)):
        raise Hint("Both are masks: their values are 0 and 1 and nothing in between.")
    if bool((learn * watch).any()):
        raise Hint("Some pixels are in both masks: what the loss sees cannot judge it.")
    if bool(((learn + watch) > given).any()):
        raise Hint("Some pixels were not kept by the mask: nobody has measured them.")
    if bool(((learn + watch) < given).any()):
        raise Hint("Some kept pixels are in neither mask. They are too precious to waste.")
    share = float(watch.sum() / given.sum())
    if share > 0.5:
        raise Hint("The larger part belongs to the loss. Have the masks changed places?")
    if not 0.15 <= share <= 0.35:
        raise Hint(f"About a quarter of the kept pixels should be watched, not {share:.0%}.")
    if not watch.equal(torch.as_tensor(answer(mask, 3)[1]).double()):
        raise Hint("The same seed must give the same masks: make a generator from it.")
    if watch.equal(torch.as_tensor(answer(mask, 4)[1]).double()):
        raise Hint("Another seed gives the same masks: where does the seed go in?")
    halves = watch.reshape(2, 20, 40).sum(dim=(1, 2)) / given.reshape(2, 20, 40).sum(dim=(1, 2))
    if float((halves[0] - halves[1]).abs()) > 0.15:
        raise Hint("The watched pixels lie together. Choose them at random, all over the mask.")
    return "Right: honest judges, that the loss has never met."
