"""Chapter 8's self-checks: the right answer passes, each typical mistake gets its hint."""

import pytest
import torch

from deqir_lite.chain import make_chain
from deqir_lite.inversion import reverse_substitution
from deqir_lite.operators import make_task
from deqir_lite.priors import GaussianPrior, power_law_spectrum
from deqir_lite.teach import Hint, self_check


def backwards(H, g):
    v = g[-1]
    for k in range(len(H) - 1, -1, -1):
        v = g[k] + H[k].T @ v
    return v


def backwards_from_last(H, g):
    v = g[-1]
    for k in range(len(H) - 1, -1, -1):
        v = H[k].T @ v
    return v


def untransposed(H, g):
    v = g[-1]
    for k in range(len(H) - 1, -1, -1):
        v = g[k] + H[k] @ v
    return v


def wrong_order(H, g):
    v = g[-1]
    for k in range(len(H)):
        v = g[len(H) - 1 - k] + H[k].T @ v
    return v


def test_reverse_substitution_right(capsys):
    self_check("ex-reverse-substitution", backwards)
    assert "Right" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("answer", "hint"),
    [
        (untransposed, "transposed"),
        (wrong_order, "order of the steps"),
        (backwards_from_last, "Only the slope of x_0"),
        (lambda H, g: backwards(H, g) - g[0], "slope of its own"),
        (lambda H, g: backwards(H[1:], g[1:]), "One step is missing"),
        (lambda H, g: -backwards(H, g), "sign"),
        (lambda H, g: 2 * backwards(H, g), "T = 1"),
        (lambda H, g: g, "expected"),
        (lambda H, g: None, "returned NoneType"),
        (torch.zeros(3), "function"),
        (None, "placeholder"),
    ],
)
def test_reverse_substitution_wrong(answer, hint):
    with pytest.raises(Hint, match=hint):
        self_check("ex-reverse-substitution", answer)


def count(T, K):
    return 1 + sum(T - k for k in range(1, K))


def test_count_vjps_right(capsys):
    self_check("ex-count-vjps", count)
    assert "Right" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("answer", "hint"),
    [
        (lambda T, K: 1 + (K - 1) * (T - 1), "not evaluated again"),
        (lambda T, K: 1 + sum(T - k for k in range(1, K + 1)), "takes no VJP"),
        (lambda T, K: sum(T - k for k in range(K)), "counts sweeps"),
        (lambda T, K: count(T, K) - 1, "at the end, is missing"),
        (lambda T, K: K * T, "every term with every state"),
        (lambda T, K: 1 + sum(T - k - 1 for k in range(1, K)), "off by one"),
        (lambda T, K: T, "in a row"),
        (lambda T, K: [T], "returned list"),
        (20, "function"),
    ],
)
def test_count_vjps_wrong(answer, hint):
    with pytest.raises(Hint, match=hint):
        self_check("ex-count-vjps", answer)


def slope(weights, transpose=True):
    def answer(chain, v):
        operator, c = chain.measurement.operator, chain.coefficients
        total = (chain.per_step(weights(c)) * v).sum(dim=0)
        if not transpose:
            return operator.A(total)
        return torch.func.vjp(operator.pinv, operator.A(total))[1](total)[0]

    return answer


def right_weights(c):
    return c.target.sqrt()


def last_only(c):
    weights = torch.zeros_like(c.target)
    weights[-1] = 1
    return weights


def test_slope_of_y_right(capsys):
    self_check("ex-slope-of-y", slope(right_weights))
    assert "Right" in capsys.readouterr().out


def test_the_answer_is_the_gradient_of_y():
    """Not only of what the check computes: against backpropagation through a chain."""
    prior = GaussianPrior(power_law_spectrum())
    operator = make_task("sr2", (8, 8))
    y = operator.A(prior.sample((1, 8, 8), torch.Generator().manual_seed(0))).requires_grad_()
    states = make_chain(prior, operator, y, num_steps=6, eta=0.3).sequential()
    (expected,) = torch.autograd.grad(states[-1].sin().sum(), y)
    chain, states = make_chain(prior, operator, y.detach(), num_steps=6, eta=0.3), states.detach()
    g = torch.zeros_like(states[1:])
    g[-1] = states[-1].cos()
    got = slope(right_weights)(chain, reverse_substitution(chain, states, g))
    torch.testing.assert_close(got, expected)


@pytest.mark.parametrize(
    ("answer", "hint"),
    [
        (slope(lambda c: torch.ones_like(c.target)), "Every push"),
        (slope(lambda c: c.source.sqrt()), "not where it starts"),
        (slope(lambda c: c.target), "square root"),
        (slope(last_only), "not only the last"),
        (slope(right_weights, transpose=False), "transpose of pinv"),
        (slope(lambda c: c.target.sqrt() / len(c.target)), "Mean or sum"),
        (slope(lambda c: -c.target.sqrt()), "move each state"),
        (lambda chain, v: v.sum(dim=0), "shape of a photo"),
        (lambda chain, v: (v[0],), "tuple"),
        (lambda chain, v: v, "expected"),
        (3.0, "function"),
    ],
)
def test_slope_of_y_wrong(answer, hint):
    with pytest.raises(Hint, match=hint):
        self_check("ex-slope-of-y", answer)
