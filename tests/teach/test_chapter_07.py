"""Chapter 7's self-checks: the right answer passes, each typical mistake gets its hint."""

import pytest
import torch

from deqir_lite.fixedpoint import LinearModel
from deqir_lite.teach import Hint, self_check


def plain(chain, states):
    return torch.cat([states[:1], chain.steps(states[:-1])])


def sequential_in_disguise(chain, states):
    new = [states[0]]
    for k in range(chain.num_steps):
        new.append(chain.step(new[-1], k))
    return torch.stack(new)


def one_by_one(chain, states):
    stepped = [chain.step(states[k], k) for k in range(chain.num_steps)]
    return torch.stack([states[0], *stepped])


def in_place(chain, states):
    states[1:] = chain.steps(states[:-1])
    return states


def residuals(chain, states):
    return torch.cat([states[:1], chain.steps(states[:-1]) - states[1:]])


def test_plain_steps_right(capsys):
    self_check("ex-plain-steps", plain)
    assert "Right" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("answer", "hint"),
    [
        (sequential_in_disguise, "whole sequential chain"),
        (one_by_one, "asked the network 5 times"),
        (in_place, "changes the states"),
        (residuals, "These are the residuals"),
        (lambda chain, states: plain(chain, states)[1:], "belongs in front"),
        (lambda chain, states: plain(chain, states)[2:], "expected"),
        (lambda chain, states: plain(chain, states).flip(0), "stays as it is"),
        (lambda chain, states: states, "step from the old"),
        (lambda chain, states: None, "returned NoneType"),
        (torch.zeros(3), r"function \(or class\) itself"),
        (None, "placeholder"),
    ],
)
def test_plain_steps_wrong(answer, hint):
    with pytest.raises(Hint, match=hint):
        self_check("ex-plain-steps", answer)


def inner(a, b):
    return (a * b).flatten(1).sum(1)


def slope(dx, dh):
    return inner(dx, dh) / inner(dx, dx).clamp(min=1e-30)


def test_fit_ratios_right(capsys):
    self_check("ex-fit-ratios", lambda x, h, x2, h2: slope(x2 - x, h2 - h))
    assert "Right" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("answer", "hint"),
    [
        (lambda x, h, x2, h2: inner(x2 - x, h2 - h) / inner(x2 - x, x2 - x), "0 / 0"),
        (lambda x, h, x2, h2: slope(x2, h2), "Only differences"),
        (lambda x, h, x2, h2: slope(x2 - x, h - h2), "sign"),
        (lambda x, h, x2, h2: slope(h2 - h, x2 - x), "square of h2 - h"),
        (
            lambda x, h, x2, h2: inner(h2 - h, h2 - h) / (inner(x2 - x, h2 - h) + 1e-30),
            "turned the result around",
        ),
        (
            lambda x, h, x2, h2: (
                inner(h2 - h, h2 - h) / inner(x2 - x, x2 - x).clamp(min=1e-30)
            ).sqrt(),
            "ratio of lengths",
        ),
        (
            lambda x, h, x2, h2: (
                inner(x2 - x, h2 - h) / inner(x2 - x, x2 - x).sqrt().clamp(min=1e-30)
            ),
            "should be squared",
        ),
        (lambda x, h, x2, h2: 2 * slope(x2 - x, h2 - h), "derivative"),
        (lambda x, h, x2, h2: slope(x2 - x, h2 - h)[1:], "expected"),
        (lambda x, h, x2, h2: [0.0], "returned list"),
        (0.5, r"function \(or class\) itself"),
    ],
)
def test_fit_ratios_wrong(answer, hint):
    with pytest.raises(Hint, match=hint):
        self_check("ex-fit-ratios", answer)


def white_model(share_of, photo_part=None, noise_part=None):
    """The class with another share, or other operators in place of N and I."""

    class Model(LinearModel):
        def __init__(self, chain, variance):
            super().__init__(chain)
            self.share = share_of(chain.coefficients, variance)

        def apply(self, v, k):
            c, null = self.chain.coefficients, self.chain.measurement.null
            q = (c.target / c.source).sqrt()[k]
            kept = c.c2[k] / (1 - c.source[k]).sqrt()
            grown = (photo_part or (lambda v, null: null(v)))(v, null)
            rest = (noise_part or (lambda v, null: v))(v, null)
            return self.share[k] * q * grown + (1 - self.share[k]) * kept * rest

    return Model


def share(c, variance):
    return c.source * variance / (c.source * variance + 1 - c.source)


def test_white_model_right(capsys):
    self_check("ex-white-model", white_model(share))
    assert "Right" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("answer", "hint"),
    [
        (
            white_model(lambda c, v: c.target * v / (c.target * v + 1 - c.target)),
            "not where it ends",
        ),
        (white_model(lambda c, v: 1 - share(c, v)), "changed places"),
        (white_model(share, photo_part=lambda v, null: v), "forgot the projector"),
        (white_model(share, noise_part=lambda v, null: null(v)), "photo part only"),
        (white_model(lambda c, v: c.source.sqrt() * share(c, v)), "powers of alpha_bar"),
        (white_model(lambda c, v: share(c, v) / c.source.sqrt()), "W for Omega"),
        (white_model(lambda c, v: c.source * v / (c.source * v + 1)), "variance of the noise"),
        (white_model(lambda c, v: share(c, v) / 2), "two ends"),
        (lambda chain, variance: lambda v, k: v, "subclass of LinearModel"),
        (0.03, r"class\) itself"),
    ],
)
def test_white_model_wrong(answer, hint):
    with pytest.raises(Hint, match=hint):
        self_check("ex-white-model", answer)
