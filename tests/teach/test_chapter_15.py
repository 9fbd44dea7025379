"""Chapter 15's self-checks: the right answer passes, each typical mistake gets its hint; and the
command that the chapter makes for a real checkpoint."""

import json
import os
import shlex
import sys

import pytest
import torch
import typer

from deqir_lite.bundled import book_folder
from deqir_lite.cli import app
from deqir_lite.methods import find_method
from deqir_lite.studies.comparison.settings import SIMPLE
from deqir_lite.teach import Hint, self_check


def test_the_papers_table_is_made_by_a_command_that_parses(monkeypatch, tmp_path, capsys):
    """The branch of the chapter that only somebody with the paper's weights runs."""
    monkeypatch.setenv("DEQIR_LITE_PHOTOS", str(tmp_path))
    monkeypatch.setenv("DEQIR_LITE_TABLE", str(tmp_path / "table"))
    chapter = json.loads((book_folder() / "15-checkpoints.ipynb").read_text(encoding="utf-8"))
    (cell,) = (c for c in chapter["cells"] if "paper-table" in "".join(c["source"]))
    names = {"os": os, "sys": sys, "shlex": shlex, "checkpoint": str(tmp_path), "work": tmp_path}
    exec("".join(cell["source"]), names)
    said, command = capsys.readouterr().out, names["command"]
    assert said.startswith(f"deqir-lite evaluate --prior {shlex.quote('WORK')}")
    evaluate = typer.main.get_command(app).commands["evaluate"]
    options = evaluate.make_context("evaluate", command[4:]).params
    methods = options["methods"].split(",")
    assert options["reference"] in methods
    for method in set(methods) - set(SIMPLE):
        assert find_method(method).num_steps <= 100


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
