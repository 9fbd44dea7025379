"""Chapter 1's self-checks: the right answer passes, each typical mistake gets its hint."""

import pytest
import torch

from deqir_lite.operators import make_task
from deqir_lite.teach import Hint, self_check

W = torch.tensor([0.299, 0.587, 0.114], dtype=torch.float64).reshape(1, 3, 1, 1)


def test_luma_right(capsys):
    self_check("ex-luma", lambda y: y * W / W.square().sum())
    assert "Right" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("answer", "hint"),
    [
        (lambda y: y * W, r"A\^T y"),
        (lambda y: y * W / W.norm(), "length of w"),
        (lambda y: y.repeat(1, 3, 1, 1), "shorter picture"),
        (lambda y: y * W.flip(1) / W.square().sum(), "Red and blue"),
        (lambda y: y / 3, "expected \\(2, 3, 3, 4\\)"),
        (lambda y: -y * W / W.square().sum(), "by hand"),
        (lambda y: "picture", "returned str"),
        (torch.zeros(1, 3, 4, 4), r"function \(or class\) itself"),
        (None, "placeholder"),
    ],
)
def test_luma_wrong(answer, hint):
    with pytest.raises(Hint, match=hint):
        self_check("ex-luma", answer)


def noise_gain(s):
    return (1 / s[s > 0].square()).sum().div(s.numel()).sqrt()


def test_noise_gain_right(capsys):
    self_check("ex-noise-gain", noise_gain)
    self_check("ex-noise-gain", lambda s: float(noise_gain(s)))
    assert "Right" in capsys.readouterr().out


def test_noise_gain_is_what_the_exercise_says():
    """The formula against noise, so that the check does not teach a mistake."""
    operator = make_task("deblur-gaussian", (16, 16))
    e = torch.randn(200, 3, 16, 16, generator=torch.Generator().manual_seed(0)).double()
    s = operator.singular_values((16, 16)).expand(1, 3, 16, 16)
    measured = operator.pinv(e).square().mean().sqrt()
    assert abs(float(measured / noise_gain(s)) - 1) < 0.02


@pytest.mark.parametrize(
    ("answer", "hint"),
    [
        (lambda s: noise_gain(s) ** 2, "squared gain"),
        (lambda s: (1 / s[s > 0].square()).mean().sqrt(), "not measured"),
        (lambda s: 1 / s[s > 0].min(), "1 / s_min"),
        (lambda s: s.max() / s[s > 0].min(), "condition number"),
        (lambda s: (1 / s[s > 0]).sum() / s.numel(), "Standard deviations"),
        (lambda s: (1 / s[s > 0].square()).sum().sqrt(), "length of A"),
        (lambda s: s.square().mean().sqrt(), "gain of measuring"),
        (lambda s: (1 / s.square()).mean().sqrt(), "not finite"),
        (lambda s: 1 / s[s > 0], "one number"),
        (lambda s: 3 * noise_gain(s), "by hand"),
    ],
)
def test_noise_gain_wrong(answer, hint):
    with pytest.raises(Hint, match=hint):
        self_check("ex-noise-gain", answer)


@pytest.fixture
def kept():
    return int(make_task("old-photo", (64, 64)).mask.sum())


def test_old_photo_right(kept, capsys):
    self_check("ex-old-photo", 3 * 64 * 64 - kept)
    self_check("ex-old-photo", torch.tensor(3.0 * 64 * 64 - kept))
    assert "Right" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("wrong", "hint"),
    [
        (lambda kept: kept, "rank"),
        (lambda kept: 4096 - kept, "lost pixels"),
        (lambda kept: 3 * (4096 - kept), "one direction of three"),
        (lambda kept: 2 * kept, "kept pixels only"),
        (lambda kept: 2 * 4096, "without scratches"),
        (lambda kept: 7, "Count the unknowns"),
        (lambda kept: "many", "Expected a number"),
        (lambda kept: True, "Expected a number"),
    ],
)
def test_old_photo_wrong(wrong, hint, kept):
    with pytest.raises(Hint, match=hint):
        self_check("ex-old-photo", wrong(kept))
