"""What all studies share: they go on where they stopped, with the same prior."""

import json
import subprocess
import sys
from dataclasses import dataclass, replace

import pytest

from deqir_lite import load_prior
from deqir_lite._json import Schema
from deqir_lite.bundled import data_path
from deqir_lite.priors import GaussianPrior, power_law_spectrum
from deqir_lite.priors.identity import prior_digest
from deqir_lite.studies import inversion, posterior, released, steps, sweeps, weighted
from deqir_lite.studies.bench import study as bench
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


def test_killed_anywhere_it_loses_and_doubles_nothing(study, tmp_path, kill_at):
    """Killed at each thing in turn that it does to a file, and once more after that."""
    out, runs, turn = tmp_path / "lengths.json", [Run("a"), Run("bc"), Run("def")], 0
    killed = True
    while killed:
        turn += 1
        killed = kill_at(turn, lambda: study.run(out, runs, prior=PRIOR))
        kept = study.load(out) if out.exists() else []
        assert [entry.run for entry in kept] == runs[: len(kept)]
        kill_at(3, lambda: study.run(out, runs, prior=PRIOR))
        assert [entry.run for entry in study.run(out, runs, prior=PRIOR)] == runs
        assert list(tmp_path.iterdir()) == [out]
        out.unlink()
    assert turn > 20


def test_two_at_once_are_refused(study, tmp_path):
    out = tmp_path / "lengths.json"

    def measure(runs, prior):
        for run in runs:
            with pytest.raises(
                BlockingIOError, match=r"^out: another process \(\d+\) is at work on"
            ):
                study.run(out, [Run("other")], prior=PRIOR)
            yield Length(run, 1.0)

    assert replace(study, measure=measure).run(out, [Run("a")], prior=PRIOR) == study.load(out)


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


ROW = '{"name": "a", "sizes": [1], "value": 2.0}'


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", " is not valid JSON"),
        ("nonsense", " is not valid JSON"),
        ("[]", " holds no JSON object"),
        ("null", " holds no JSON object"),
        ("{}", ": entries is missing"),
        ('{"entries": {}}', r": entries: got \{\}; expected it to be a valid list"),
        ('{"entries": [3]}', r": entries\.0: got 3; expected it to be a valid"),
        ('{"entries": [{"name": "a"}]}', r": entries\.0\.value is missing"),
        ('{"entries": [{"name": "a", "value": 1}]}', r": entries\.0\.sizes is missing"),
        (
            f'{{"entries": [{ROW}, {ROW.replace("2.0", "true")}]}}',
            r": entries\.1\.value: got True;",
        ),
        (f'{{"entries": [{ROW.replace("2.0", "NaN")}]}}', r": entries\.0\.value: got nan; expect"),
        (f'{{"entries": [{ROW.replace("[1]", "1")}]}}', r": entries\.0\.sizes: got 1; expected"),
        (f'{{"entries": [{ROW.replace("[1]", "[1.5]")}]}}', r": entries\.0\.sizes\.0: got 1.5;"),
        ('{"entries": [{"name": 7, "sizes": [], "value": 1}]}', r": entries\.0\.name: got 7; exp"),
        (f'{{"entries": [{ROW}], "prior": 7}}', ": prior: got 7; expected it to be a valid string"),
    ],
)
def test_other_files_are_refused(study, tmp_path, text, message):
    path = tmp_path / "other.json"
    path.write_text(text)
    for name, attempt in (
        ("path", lambda: study.load(path)),
        ("out", lambda: study.run(path, [], prior=PRIOR)),
    ):
        with pytest.raises(
            ValueError, match=rf"^{name}: \S*other\.json{message}.*no lengths study$"
        ):
            attempt()
    assert path.read_text() == text
    assert list(tmp_path.iterdir()) == [path]


def test_missing_places(study, tmp_path):
    with pytest.raises(FileNotFoundError, match="path: .* holds no nothing.json"):
        study.load(tmp_path / "nothing.json")
    with pytest.raises(FileNotFoundError, match="out: no folder"):
        study.run(tmp_path / "nowhere" / "lengths.json", [Run("a")], prior=PRIOR)
    (tmp_path / "a.json").mkdir()
    with pytest.raises(ValueError, match=r"out: .*a\.json' is a folder"):
        study.run(tmp_path / "a.json", [Run("a")], prior=PRIOR)


@pytest.mark.parametrize(
    "study",
    [module.STUDY for module in (sweeps, inversion, steps, weighted, released, posterior, bench)],
    ids=lambda study: study.name,
)
def test_the_bundled_file_says_where_it_comes_from(study):
    content = json.loads((data_path("benchmarks") / f"{study.name}.json").read_text())
    assert content["command"] == (study.command or f"deqir-lite study {study.name}")
    assert {"torch", "deqir-lite", "python"} <= set(content["versions"])
    assert {"system", "processor", "threads"} <= set(content["machine"])
    digest = prior_digest(load_prior("photo64"), None)
    assert content["prior"] == digest, "measured with other weights: run it again"
