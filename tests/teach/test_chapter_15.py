"""Chapter 15's self-checks: the right answer passes, each typical mistake gets its hint."""

import pytest
import torch

from deqir_lite.teach import Hint, self_check


def heads_of(qkv, heads):
    parts = qkv.unflatten(0, (heads, 3, -1))
    return [parts[:, kind].flatten(0, 1) for kind in range(3)]


def test_heads_right(capsys):
    self_check("ex-ch15-heads", heads_of)
    assert "Right" in capsys.readouterr().out


def across(qkv, heads):
    parts = qkv.unflatten(0, (heads, 3, -1))
    return [parts[:, kind].transpose(0, 1).flatten(0, 1) for kind in range(3)]


@pytest.mark.parametrize(
    ("answer", "hint"),
    [
        (lambda qkv, heads: qkv.chunk(3), "new order"),
        (lambda qkv, heads: [qkv[k::3] for k in range(3)], "Every third"),
        (across, "do not follow"),
        (lambda qkv, heads: heads_of(qkv, heads)[::-1], "Read the rows"),
        (lambda qkv, heads: qkv, "three weights"),
        (None, "placeholder"),
    ],
)
def test_heads_wrong(answer, hint):
    with pytest.raises(Hint, match=hint):
        self_check("ex-ch15-heads", answer)


def learned(out, beta, low, *, power=1.0, flip=False):
    noise, place = out.chunk(2, dim=1)
    share = (1 - place) / 2 if flip else (place + 1) / 2
    logs = torch.tensor([low, beta], dtype=out.dtype).log()
    return noise, (power * (share * logs[1] + (1 - share) * logs[0])).exp()


def test_variance_right(capsys):
    self_check("ex-ch15-variance", learned)
    assert "Right" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("answer", "hint"),
    [
        (lambda o, b, c: (o[:, :3], learned(o, b, c)[1].log()), "logarithm of the variance"),
        (lambda o, b, c: (o[:, :3], c + (b - c) * (o[:, 3:] + 1) / 2), "not the variance"),
        (lambda o, b, c: (o[:, :3], c * (b / c) ** o[:, 3:]), "runs from -1"),
        (lambda o, b, c: learned(o, b, c, flip=True), "exchanged"),
        (lambda o, b, c: learned(o, b, c, power=0.5), "deviation"),
        (lambda o, b, c: learned(o, b, c)[::-1], "first three"),
        (lambda o, b, c: (o[:, :3], o[:, 3:]), "Make a share"),
        (lambda o, b, c: o, "a pair"),
    ],
)
def test_variance_wrong(answer, hint):
    with pytest.raises(Hint, match=hint):
        self_check("ex-ch15-variance", answer)


def unfit(weights, shapes):
    common = set(weights) & set(shapes)
    other = [n for n in common if tuple(weights[n].shape) != tuple(shapes[n])]
    return sorted(set(shapes) - common), sorted(set(weights) - common), sorted(other)


def test_keys_right(capsys):
    self_check("ex-ch15-keys", unfit)
    assert "Right" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("answer", "hint"),
    [
        (lambda w, s: [part[::-1] for part in unfit(w, s)], "sort them"),
        (lambda w, s: (*unfit(w, s)[1::-1], unfit(w, s)[2]), "file lacks"),
        (lambda w, s: (*unfit(w, s)[:2], ["a"]), "not yet the same shape"),
        (lambda w, s: ([], [], []), "sets of names"),
        (lambda w, s: unfit(w, s)[:2], "three lists"),
    ],
)
def test_keys_wrong(answer, hint):
    with pytest.raises(Hint, match=hint):
        self_check("ex-ch15-keys", answer)
