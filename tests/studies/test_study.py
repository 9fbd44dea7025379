"""What all studies share: they go on where they stopped, with the same prior."""

import json
import subprocess
import sys
from dataclasses import dataclass

import pytest

from deqir_lite import load_prior
from deqir_lite._json import Schema
from deqir_lite.bundled import data_path
from deqir_lite.priors import GaussianPrior, power_law_spectrum
from deqir_lite.priors.identity import prior_digest
from deqir_lite.studies import inversion, steps, sweeps
from deqir_lite.studies.study import Study
from deqir_lite.verification import bent_prior

PRIOR = GaussianPrior(power_law_spectrum())


@dataclass(frozen=True)
class Run:
    name: str
    sizes: tuple[int, ...] = (1, 2)


@dataclass(frozen=True)
class Length:
    run: Run
    value: float


@pytest.fixture
def measured():
    """The runs that were measured, in order."""
    return []


@pytest.fixture
def study(measured):
    def measure(runs, prior):
        for run in runs:
            if run.name == "endless":
                raise KeyboardInterrupt
            measured.append(run)
            yield Length(run, float(len(run.name)))

    def encode(entry):
        return {"value": entry.value}

    class Row(Schema):
        value: float

    def decode(run, row):
        return Length(run, row.value)

    return Study("lengths", "entries", Run, measure, Row, encode, decode)


def test_it_goes_on_where_it_stopped(study, measured, tmp_path):
    out = tmp_path / "lengths.json"
    study.run(out, [Run("a")], prior=PRIOR)
    both = study.run(out, [Run("a"), Run("bc")], prior=GaussianPrior(power_law_spectrum()))
    assert measured == [Run("a"), Run("bc")]
    assert both == [Length(Run("a"), 1.0), Length(Run("bc"), 2.0)] == study.load(out)
    assert study.run(out, [Run("a")], prior=PRIOR) == both
    assert list(tmp_path.iterdir()) == [out]
    content = json.loads(out.read_text())
    assert content["command"] == "deqir-lite study lengths"
    assert content["entries"][1] == {"name": "bc", "sizes": [1, 2], "value": 2.0}


def test_an_interrupted_one_keeps_what_it_has(study, tmp_path):
    out = tmp_path / "lengths.json"
    with pytest.raises(KeyboardInterrupt):
        study.run(out, [Run("a"), Run("endless")], prior=PRIOR)
    assert study.load(out) == [Length(Run("a"), 1.0)]


def test_it_does_not_go_on_with_another_prior(study, tmp_path):
    out = tmp_path / "lengths.json"
    study.run(out, [Run("a")], prior=PRIOR)
    written = out.read_text()
    other = GaussianPrior(power_law_spectrum(exponent=1.5))
    with pytest.raises(ValueError, match=r"out: .* measured with another prior \(.* there, .* now"):
        study.run(out, [Run("b")], prior=other)
    assert out.read_text() == written


def test_a_function_is_known_again_by_its_name_alone(study, measured, tmp_path):
    """Two objects of one function, and two processes, are one prior; without a name it is none."""
    out = tmp_path / "lengths.json"
    with pytest.raises(ValueError, match=r"prior: got a ModelPrior, .* prior_name"):
        study.run(out, [Run("a")], prior=bent_prior(PRIOR))
    assert not out.exists()
    for _ in range(2):
        study.run(out, [Run("a")], prior=bent_prior(PRIOR), prior_name="bent")
    assert measured == [Run("a")]
    with pytest.raises(ValueError, match="another prior"):
        study.run(out, [Run("a")], prior=bent_prior(PRIOR), prior_name="more bent")
    code = "from deqir_lite.priors import GaussianPrior, power_law_spectrum as s; "
    code += "from deqir_lite.priors.identity import prior_digest as d; "
    code += "from deqir_lite.verification import bent_prior as b; "
    code += "print(d(b(GaussianPrior(s())), 'bent'))"
    there = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert json.loads(out.read_text())["prior"] == there.stdout.strip()


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '{"entries": [{"name": "a"}]}', '{"entries": [3]}']
)
def test_other_files_are_refused(study, tmp_path, text):
    path = tmp_path / "other.json"
    path.write_text(text)
    for attempt in (lambda: study.load(path), lambda: study.run(path, [], prior=PRIOR)):
        with pytest.raises(ValueError, match="no lengths study"):
            attempt()
    assert path.read_text() == text


def test_missing_places(study, tmp_path):
    with pytest.raises(FileNotFoundError, match="path: .* holds no nothing.json"):
        study.load(tmp_path / "nothing.json")
    with pytest.raises(FileNotFoundError, match="out: no folder"):
        study.run(tmp_path / "nowhere" / "lengths.json", [Run("a")], prior=PRIOR)


@pytest.mark.parametrize(
    "study", [sweeps.STUDY, inversion.STUDY, steps.STUDY], ids=lambda s: s.name
)
def test_the_bundled_file_says_where_it_comes_from(study):
    content = json.loads((data_path("benchmarks") / f"{study.name}.json").read_text())
    assert content["command"] == f"deqir-lite study {study.name}"
    assert {"torch", "deqir-lite", "python"} <= set(content["versions"])
    assert {"system", "processor", "threads"} <= set(content["machine"])
    digest = prior_digest(load_prior("photo64"), None)
    assert content["prior"] == digest, "measured with other weights: run it again"
