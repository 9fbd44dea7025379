"""Chapter 10's self-checks: the right answer passes, each typical mistake gets its hint."""

import pytest
import torch

from deqir_lite.teach import Hint, self_check
from deqir_lite.teach.exercises import chapter_10


def multiple(lam, rho, sigma_y):
    return 2 * lam * (1 + rho) / (2 * lam * (1 + rho) + sigma_y**2)


def test_axes_right(capsys):
    self_check("ex-ch10-axes", multiple)
    assert "Right" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("answer", "hint"),
    [
        (lambda lam, rho, s: lam * (1 + rho) / (lam * (1 + rho) + s**2), "square belongs beside"),
        (lambda lam, rho, s: multiple(lam, -rho, s), "difference's variance"),
        (lambda lam, rho, s: multiple(lam, rho, s**0.5), "variances add up"),
        (lambda lam, rho, s: 1 - multiple(lam, rho, s), "what K lacks"),
        (lambda lam, rho, s: multiple(lam, rho, s) / 2, "entry of K"),
        (lambda lam, rho, s: 1.0, "Only without noise"),
        (lambda lam, rho, s: 0.3, "Write K"),
        (lambda lam, rho, s: None, "returned NoneType"),
        (None, "placeholder"),
    ],
)
def test_axes_wrong(answer, hint):
    with pytest.raises(Hint, match=hint):
        self_check("ex-ch10-axes", answer)


def gain(C, A, s):
    return C @ A.T @ torch.linalg.inv(A @ C @ A.T + s**2 * torch.eye(len(A)).to(C))


def draw(C, A, s, m, y, z, n):
    return m + z + gain(C, A, s) @ (y - A @ (m + z) - n)


@pytest.mark.parametrize("sign", [1, -1])
def test_draw_right(sign, capsys):
    self_check("ex-ch10-draw", lambda C, A, s, m, y, z, n: draw(C, A, s, m, y, z, sign * n))
    assert "Right" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("answer", "hint"),
    [
        (lambda C, A, s, m, y, z, n: m + gain(C, A, s) @ (y - A @ m), "mean of p"),
        (lambda C, A, s, m, y, z, n: draw(C, A, s, m, y, z, 0 * n), "n is missing"),
        (lambda C, A, s, m, y, z, n: m + z, "draw from the prior"),
        (lambda C, A, s, m, y, z, n: m + z + gain(C, A, s) @ (y - A @ m), "own measurement"),
        (lambda C, A, s, m, y, z, n: m + draw(C, A, s, 0 * m, y, z, n), "compared with A"),
        (lambda C, A, s, m, y, z, n: draw(C, A, s, 0 * m, y, z, n), "Where is the guess m"),
        (lambda C, A, s, m, y, z, n: z - gain(C, A, s) @ (A @ z + n), "add the mean"),
        (lambda C, A, s, m, y, z, n: draw(C, A, s, m, y, -z, -n), "come in with a plus"),
        (lambda C, A, s, m, y, z, n: draw(C, A, 0.0, m, y, z, n), "missing in S"),
        (lambda C, A, s, m, y, z, n: 2 * z, "Make up a photo"),
        (lambda C, A, s, m, y, z, n: z[:2], "expected"),
    ],
)
def test_draw_wrong(answer, hint):
    with pytest.raises(Hint, match=hint):
        self_check("ex-ch10-draw", answer)


def closed(r, P, abar, shift=1, root=True):
    signal = (abar[1:].sqrt() if root else abar[1:])[:, None]
    chosen = P[1:] if shift else P[:-1]
    d = r.clone()
    seen = torch.einsum("kij,kj->ki", chosen, r[:-1]) / signal[:-1]
    d[1:] += signal[1:] * seen.cumsum(0)
    return d


def recursion(r, P, abar):
    """d of one step after the other."""
    d = [r[0]]
    for k in range(1, len(r)):
        d.append(r[k] + (abar[k + 1] / abar[k]).sqrt() * P[k] @ d[-1])
    return torch.stack(d)


def looped(r, P, abar):
    """The closed form, but one product after the other."""
    seen = torch.stack([P[k + 1] @ r[k] / abar[k + 1].sqrt() for k in range(len(r) - 1)])
    return r + torch.cat([0 * r[:1], abar[2:].sqrt()[:, None] * seen.cumsum(0)])


@pytest.mark.parametrize("answer", [recursion, looped])
def test_collapse_refuses_a_loop(answer):
    with pytest.raises(Hint, match="there is a loop in it"):
        self_check("ex-ch10-collapse", answer)


def test_collapse_right(capsys):
    self_check("ex-ch10-collapse", closed)
    assert "Right" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("answer", "hint"),
    [
        (lambda r, P, abar: closed(r, P, abar, shift=0), r"take P\[k \+ 1\]"),
        (lambda r, P, abar: closed(r, P, abar, root=False), "root is missing"),
        (lambda r, P, abar: closed(r, torch.eye(4).expand(5, 4, 4).double(), abar), "no memory"),
        (lambda r, P, abar: r, "only the residuals"),
        (lambda r, P, abar: closed(r, P, abar) - r, "own residual is missing"),
        (lambda r, P, abar: 2 * r, "by hand"),
        (lambda r, P, abar: r[1:], "expected"),
    ],
)
def test_collapse_wrong(answer, hint):
    with pytest.raises(Hint, match=hint):
        self_check("ex-ch10-collapse", answer)


def scores(settings):
    """(evaluations, dB) without a restoration."""
    found = {(): (20, 25.0), ("num_steps",): (3, 26.0), ("eta",): (20, 27.0), ("seed",): (5, 24.0)}
    return found[tuple(settings)]


def test_cheapest_right(monkeypatch, capsys):
    monkeypatch.setattr(chapter_10, "_restored", scores)
    self_check("ex-ch10-cheapest", {"num_steps": 3})
    assert "26.00 dB in 3 evaluations" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("answer", "hint"),
    [
        ({"eta": 1.0}, "no fewer than DDNM's"),
        ({"seed": 1}, "DDNM has 25.00 dB"),
        (3, "Expected a dictionary"),
        (None, "placeholder"),
    ],
)
def test_cheapest_wrong(answer, hint, monkeypatch):
    monkeypatch.setattr(chapter_10, "_restored", scores)
    with pytest.raises(Hint, match=hint):
        self_check("ex-ch10-cheapest", answer)


def test_cheapest_runs_what_it_is_given():
    with pytest.raises(Hint, match="does not take these"):
        self_check("ex-ch10-cheapest", {"steps": 3})
    evaluations, quality = chapter_10._restored({"num_steps": 1, "method": "weighted"})
    assert evaluations == 1
    assert 15 < quality < 40
