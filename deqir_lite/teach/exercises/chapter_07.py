"""Checks of chapter 7: a better proposition."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from deqir_lite.chain import RestorationChain
from deqir_lite.fixedpoint import DataFormModel, GaussianFormModel, LinearModel, NoiseFormModel
from deqir_lite.priors import GaussianPrior, PhotoSpectrum, Prior
from deqir_lite.teach.answers import as_function, as_tensor
from deqir_lite.teach.checking import Hint, exercise
from deqir_lite.verification import verification_chain


def _chain() -> RestorationChain:
    return verification_chain("pool2", eta=0.15, num_steps=5, size=8)[0]


def _states(chain: RestorationChain) -> Tensor:
    """x_T of the chain, and noise in all other states."""
    generator = torch.Generator().manual_seed(0)
    shape = (chain.num_steps, *chain.x_T.shape)
    draws = torch.randn(shape, generator=generator, dtype=chain.x_T.dtype)
    return torch.cat([chain.x_T[None], draws])


def _same(a: Tensor, b: Tensor) -> bool:
    return bool(torch.isfinite(a).all()) and float((a - b).abs().max()) < 1e-6


class _Counting:
    """A prior that counts its calls."""

    def __init__(self, prior: Prior) -> None:
        self.prior, self.schedule, self.calls = prior, prior.schedule, 0

    def __call__(self, x_t: Tensor, t: Tensor) -> Tensor:
        self.calls += 1
        return self.prior(x_t, t)


@exercise("ex-plain-steps")
def check_plain_steps(answer: Callable[[RestorationChain, Tensor], Any]) -> str:
    """The function (chain, states) -> states after one sweep with L = 0."""
    as_function(answer)
    chain = _chain()
    states = _states(chain)
    given = states.clone()
    counting = _Counting(chain.prior)
    result = answer(chain.with_prior(counting), states)
    steps = chain.steps(given[:-1])
    if isinstance(result, Tensor) and result.shape == steps.shape:
        raise Hint("There are T + 1 states: x_T, which no sweep changes, belongs in front.")
    result = as_tensor(result, shape=tuple(given.shape))
    if _same(result, chain.sequential()):
        raise Hint(
            "This is the whole sequential chain: you took each step from a new state. "
            "Take all of them from the old ones."
        )
    if _same(result[1:], steps - given[1:]):
        raise Hint("These are the residuals. What do you have to add them to?")
    if not _same(states, given):
        raise Hint("The function changes the states that it is given. Return new ones.")
    if not _same(result[0], given[0]):
        raise Hint("states[0] is x_T; it belongs to the chain and stays as it is.")
    if not _same(result[1:], steps):
        raise Hint("states[k + 1] should be the step from the old states[k], for every k.")
    if counting.calls > 1:
        raise Hint(
            f"The numbers are right, but you asked the network {counting.calls} times. "
            "chain.steps takes all states in one batch."
        )
    return "Right: one batched call, every state its predecessor's step. News needs T sweeps."


@exercise("ex-fit-ratios")
def check_fit_ratios(answer: Callable[[Tensor, Tensor, Tensor, Tensor], Any]) -> str:
    """The function (x, h, x2, h2) -> least-squares slope of each step (T,)."""
    as_function(answer)
    generator = torch.Generator().manual_seed(0)
    x, dx, other, start = torch.randn(4, 4, 2, 3, 5, 5, generator=generator, dtype=torch.float64)
    slopes = torch.tensor([0.0, 0.8, -0.4, 0.1], dtype=torch.float64)
    dx[0] = 0
    dh = slopes.view(-1, 1, 1, 1, 1) * dx + 0.3 * other
    dh[0] = 0
    h = start
    found = answer(x, h, x + dx, h + dh)
    if isinstance(found, Tensor) and not bool(torch.isfinite(found).all()):
        raise Hint("There is a NaN or an infinity: the first step's state never changes, 0 / 0.")
    found = as_tensor(found, shape=(4,))
    a, b, u, v = (w.flatten(1) for w in (dx, dh, x + dx, h + dh))
    square = (a * a).sum(1)
    square[0] = 1
    right = (a * b).sum(1) / square
    wrong = {
        "This fits the values h2 to x2. Only differences are free of the step's constant part.": (
            (u * v).sum(1) / (u * u).sum(1)
        ),
        "A ratio of lengths is never negative, and it counts what is not parallel to x2 - x.": (
            b.norm(dim=1) / square.sqrt()
        ),
        "You fitted x2 - x to h2 - h, and turned the result around. Which one is the input?": (
            torch.where(b.square().sum(1) > 0, b.square().sum(1), 0) / (a * b).sum(1)
        )[1:],
        "You divided by the square of h2 - h. Which one is the input?": (
            (a * b).sum(1)[1:] / b.square().sum(1)[1:]
        ),
        "The sign is wrong: x2 - x and h2 - h must be taken in the same order.": -right,
        "The size of x2 - x should be squared in the denominator.": (a * b).sum(1) / square.sqrt(),
    }
    for hint, value in wrong.items():
        if _same(found[-len(value) :], value):
            raise Hint(hint)
    if not _same(found, right):
        raise Hint("Set the derivative of the sum of squares with respect to one ratio to zero.")
    return "Right: the inner product of the differences, over the squared length of the input's."


@exercise("ex-white-model")
def check_white_model(answer: Callable[[RestorationChain, float], Any]) -> str:
    """The class (chain, variance) -> LinearModel for photos that are white noise."""
    as_function(answer)
    chain, variance = _chain(), 0.04
    model = answer(chain, variance)
    if not isinstance(model, LinearModel):
        raise Hint("answer(chain, variance) should be an object of a subclass of LinearModel.")
    v = _states(chain)[2]
    flat = variance * torch.eye(3, dtype=torch.float64)[:, :, None, None].repeat(1, 1, 8, 8)
    white = GaussianPrior(PhotoSpectrum(torch.zeros(3, dtype=torch.float64), flat))
    right = GaussianFormModel(chain, white)
    steps = range(chain.num_steps)
    found = [as_tensor(model.apply(v, k), shape=tuple(v.shape)) for k in steps]
    if all(_same(u, right.apply(v, k)) for k, u in zip(steps, found, strict=True)):
        return "Right: the noise form for the share that is photo, the data form for the rest."
    c, null = chain.coefficients, chain.measurement.null(v)
    noise, data = NoiseFormModel(chain), DataFormModel(chain)

    def mixed(share: Tensor, k: int) -> Tensor:
        return float(share[k]) * noise.apply(v, k) + float(1 - share[k]) * data.apply(v, k)

    def share_of(abar: Tensor) -> Tensor:
        return abar * variance / (abar * variance + 1 - abar)

    share = share_of(c.source)
    wrong: dict[str, Callable[[int], Tensor]] = {
        "The share belongs to the level where the step starts, source, not where it ends.": (
            lambda k: mixed(share_of(c.target), k)
        ),
        "The two forms have changed places: which one gets the photo part?": (
            lambda k: mixed(1 - share, k)
        ),
        "The photo part forgot the projector N: what is measured has no memory there.": (
            lambda k: (
                float(share[k] * (c.target / c.source).sqrt()[k]) * v
                + float(1 - share[k]) * data.apply(v, k)
            )
        ),
        "N belongs to the photo part only; the noise part is kept in all of the image.": (
            lambda k: (
                float(share[k]) * noise.apply(v, k) + float(1 - share[k]) * data.apply(null, k)
            )
        ),
        "Look at the powers of alpha_bar in the share: the signal has variance abar lambda.": (
            lambda k: mixed(c.source.sqrt() * share, k)
        ),
        "You took W for Omega: W = Omega / sqrt(abar).": (
            lambda k: mixed(share / c.source.sqrt(), k)
        ),
        "Is the variance of the noise missing in the share? It is 1 - abar.": (
            lambda k: mixed(c.source * variance / (c.source * variance + 1), k)
        ),
    }
    for hint, model_of in wrong.items():
        if all(_same(u, model_of(k)) for k, u in zip(steps, found, strict=True)):
            raise Hint(hint)
    raise Hint("Try the two ends first: a huge variance must give the noise form, 0 the data form.")
