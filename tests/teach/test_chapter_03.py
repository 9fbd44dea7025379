"""Exercises of chapter 3: right answers pass, typical wrong ones get their hint."""

import pytest
import torch

from deqir_lite.methods import DDNMNoise, step_coefficients
from deqir_lite.schedule import linear_schedule, timestep_grid
from deqir_lite.teach import Hint, self_check
from deqir_lite.teach.exercises import chapter_03

C = step_coefficients(linear_schedule(), timestep_grid(20), DDNMNoise(0.15))
ETA = ((1 - C.source / C.target) / (1 - C.source)).sqrt()[:-1]
SCORES = {900: 20.0, 500: 21.0, 200: 19.0, 100: 15.0}


def hint(label, answer):
    with pytest.raises(Hint) as caught:
        self_check(label, answer)
    return str(caught.value)


def test_ddpm(capsys):
    self_check("ex-ddpm", ETA)
    self_check("ex-ddpm", ETA.float().tolist())
    assert capsys.readouterr().out.count("Right") == 2


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (torch.cat([ETA, torch.ones(1)]), "leave it away"),
        (ETA[:5], "got 5"),
        (ETA.square(), "a root is missing"),
        (ETA * (1 - C.target[:-1]).sqrt(), "sigma itself"),
        (ETA.flip(0), "order"),
        (
            ((1 - C.source / C.target) * (1 - C.source)).sqrt()[:-1] / (1 - C.target[:-1]),
            "changed places",
        ),
        (ETA / (1 - C.target[:-1]).sqrt(), "cancels"),
        (torch.full((19,), 0.15), "solve for eta"),
    ],
)
def test_ddpm_hints(answer, words):
    assert words in hint("ex-ddpm", answer)


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (3.0, "dictionary"),
        ({900: 1.0}, "dictionary"),
        (dict.fromkeys(SCORES, 20.0), "does `first_timestep` reach"),
        (SCORES | {100: 18.0}, "I get 15.0 dB, you have 18.0"),
    ],
)
def test_start_hints(answer, words, monkeypatch):
    monkeypatch.setattr(chapter_03, "_score", lambda start: SCORES[start])
    assert words in hint("ex-start", answer)


def test_start(monkeypatch, capsys):
    monkeypatch.setattr(chapter_03, "_score", lambda start: SCORES[start])
    self_check("ex-start", SCORES)
    assert "Right" in capsys.readouterr().out


def test_mean(capsys):
    self_check("ex-mean", torch.tensor(2.01))
    assert "Right" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (0.5, "Upside down"),
        (1.0, "independently"),
        (1.414, "distances"),
        (4.0, "twice the variance"),
        (2.7, "Got 2.7"),
    ],
)
def test_mean_hints(answer, words):
    assert words in hint("ex-mean", answer)


@pytest.mark.parametrize("label", ["ex-ddpm", "ex-start", "ex-mean"])
def test_placeholders(label):
    assert "placeholder" in hint(label, None)
