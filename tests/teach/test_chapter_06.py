"""Chapter 6's self-checks: the right answer passes, each typical mistake gets its hint."""

import pytest
import torch

from deqir_lite.solvers import Anderson
from deqir_lite.teach import Hint, self_check


def gamma(g, past):
    difference = g - past
    return (g @ difference) / (difference @ difference)


def test_one_memory_right(capsys):
    self_check("ex-one-memory", gamma)
    self_check("ex-one-memory", lambda g, past: float(gamma(g, past)))
    assert "Right" in capsys.readouterr().out


def test_one_memory_is_what_the_solver_computes():
    g, past = torch.randn(2, 12, generator=torch.Generator().manual_seed(0)).double()
    rows, differences = g.reshape(1, 1, 3, 2, 2), (g - past).reshape(1, 1, 1, 3, 2, 2)
    solver = Anderson("joint", memory=1, regularization=0.0)
    torch.testing.assert_close(solver._coefficients(rows, differences).squeeze(), gamma(g, past))


@pytest.mark.parametrize(
    ("answer", "hint"),
    [
        (lambda g, past: -gamma(g, past), "sign"),
        (lambda g, past: gamma(past, g), "newest residual"),
        (lambda g, past: 1 - gamma(g, past), "newest residual"),
        (lambda g, past: past @ (g - past) / ((g - past) @ (g - past)), "projects the past"),
        (lambda g, past: g @ (g - past) / (g - past).norm(), "length of the difference"),
        (lambda g, past: g @ (g - past), "not scaled"),
        (lambda g, past: g @ (g - past) / (g @ g), "squared length of the newest"),
        (lambda g, past: g @ past / (past @ past), "not the past residual itself"),
        (lambda g, past: 0.5, "by hand"),
        (lambda g, past: g - past, "one number"),
        (lambda g, past: "much", "returned str"),
        (0.5, r"function \(or class\) itself"),
        (None, "placeholder"),
    ],
)
def test_one_memory_wrong(answer, hint):
    with pytest.raises(Hint, match=hint):
        self_check("ex-one-memory", answer)


def raw(G):
    return torch.linalg.solve(G.T @ G, torch.ones(G.shape[1], dtype=G.dtype))


def singular(G):
    return torch.linalg.svd(G).Vh[-1]


def test_constrained_right(capsys):
    self_check("ex-constrained", lambda G: raw(G) / raw(G).sum())
    self_check("ex-constrained", lambda G: (raw(G) / raw(G).sum())[:, None])
    assert "Right" in capsys.readouterr().out


def test_constrained_agrees_with_the_differences():
    """Both ways to the weights, so that the check does not teach a mistake."""
    G = torch.randn(9, 4, generator=torch.Generator().manual_seed(1)).double()
    D = G[:, :1] - G[:, 1:]
    past = torch.linalg.lstsq(D, G[:, :1]).solution[:, 0]
    alpha = torch.cat([1 - past.sum()[None], past])
    torch.testing.assert_close(raw(G) / raw(G).sum(), alpha)


@pytest.mark.parametrize(
    ("answer", "hint"),
    [
        (raw, "multiplier 1"),
        (lambda G: raw(G) / raw(G).norm(), "length one"),
        (singular, "length"),
        (lambda G: -singular(G), "length"),
        (lambda G: singular(G) / singular(G).sum(), "wrong problem"),
        (lambda G: torch.ones(3) / 3, "count the same"),
        (lambda G: (G.T @ G).sum(1) / (G.T @ G).sum(), "inverse is missing"),
        (lambda G: (1 / G.square().sum(0)) / (1 / G.square().sum(0)).sum(), "by its length"),
        (lambda G: torch.zeros(3), "no mixture"),
        (lambda G: torch.tensor([0.2, 0.3, 0.5]), "by hand"),
        (lambda G: torch.linalg.pinv(G @ G.T).sum(1), "each entry"),
        (lambda G: G, r"expected \(3,\)"),
        (torch.ones(3), r"function \(or class\) itself"),
    ],
)
def test_constrained_wrong(answer, hint):
    with pytest.raises(Hint, match=hint):
        self_check("ex-constrained", answer)


def test_late_right(capsys):
    self_check("ex-late", lambda T, m: (m + 1) * (T - 2) + 2)
    assert "Right" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("answer", "hint"),
    [
        (lambda T, m: (m + 1) * (T - 2) + 1, "counts mixes"),
        (lambda T, m: (m + 1) * (T - 1) + 1, "the last guess is exact"),
        (lambda T, m: (m + 1) * (T - 1) + 2, "need not be exact"),
        (lambda T, m: m * (T - 2) + 2, "the newest is one of them"),
        (lambda T, m: (m + 1) * T, "not every state waits"),
        (lambda T, m: m * T, "first state is exact at once"),
        (lambda T, m: T, "with a plain step"),
        (lambda T, m: 7, "sweep by sweep"),
        (38, r"function \(or class\) itself"),
    ],
)
def test_late_wrong(answer, hint):
    with pytest.raises(Hint, match=hint):
        self_check("ex-late", answer)


@pytest.mark.parametrize("mixing", ["joint", "per-timestep"])
@pytest.mark.parametrize("memory", [1, 2])
def test_the_bound_of_the_exercise_holds(mixing, memory):
    """Any weights that sum to one: on a strictly triangular map that is not linear."""
    T, width = 6, 2
    generator = torch.Generator().manual_seed(memory)
    weights = torch.randn(T, T, generator=generator).double().tril(-1)

    def F(x):
        return (weights @ x).sin() + torch.arange(T).double()[:, None]

    truth = torch.zeros(T, width).double()
    for _ in range(T):
        truth = F(truth)
    x, outputs, errors = 10 * torch.randn(T, width, generator=generator).double(), [], []
    for _ in range(60):
        outputs = [F(x), *outputs][: memory + 1]
        errors.append(float((outputs[0] - truth).abs().max()))
        shape = (len(outputs), 1 if mixing == "joint" else T, 1)
        alpha = torch.rand(shape, generator=generator).double() + 0.1
        x = (alpha / alpha.sum(0) * torch.stack(outputs)).sum(0)
    bound = (memory + 1) * (T - 2) + 2
    assert max(errors[bound - 1 :]) < 1e-11
    assert errors[bound - 2] > 1e-9, "the bound is sharp"
