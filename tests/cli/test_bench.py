"""``deqir-lite bench``: which runs, into which file, with errors in one line."""

import pytest

from deqir_lite.studies.bench import runs
from deqir_lite.studies.bench.samplers import GRAPHS, OURS, PEERS, WALK
from deqir_lite.studies.study import Study


@pytest.fixture
def asked(monkeypatch):
    """The runs of every benchmark that was asked for; none is run."""
    seen = []
    monkeypatch.setattr(Study, "run", lambda self, out, runs, **_: seen.append(list(runs)) or [])
    return seen


def test_counts(run, asked, folder):
    out = folder / "a.json"
    told = ("--counts-only", "--steps", 20, "--sizes", 32, "--eta", 1, "--spacing", "cubic,2.5")
    result = run("bench", "--json", out, *told, "--device", "cpu")
    assert result.exit_code == 0, result.output
    assert "runs are left: the same command goes on" in result.stdout
    chains = [(1.0, "cubic"), (1.0, 2.5)]
    expected = [*runs.count_runs((20,), (32,), chains=chains), *runs.quality_runs()]
    assert asked == [list(dict.fromkeys(expected))]


def test_quick_is_timed_on_this_machine(run, asked, folder):
    run("bench", "--json", folder / "a.json", "--quick", "--device", "cpu")
    (found,) = asked
    assert {each.num_steps for each in found} == {1, 20}
    assert {each.repeats for each in found if each.start == "own"} == {2}
    assert {each.repeats for each in found if each.start != "own"} == {0}
    assert len({each.device for each in found if each.repeats}) == 1
    assert {each.sampler for each in found} >= {OURS, WALK, *PEERS}
    assert not {each.sampler for each in found} & set(GRAPHS)  # of CUDA


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--steps", "0"), "steps: got 0; expected an integer >= 1"),
        (("--steps", "ten"), "steps: got 'ten'; expected numbers"),
        (("--steps", "2000"), "timesteps: got 2000; expected at most 1000"),
        (("--sizes", "-3"), "sizes: got -3"),
        (("--sizes", "30"), "sizes: got 30, which is not for sr4"),
        (("--batches", "0"), "batches: got 0"),
        (("--eta", "2"), "eta: got 2"),
        (("--spacing", "cubical"), "spacing: unknown value 'cubical'"),
        (("--samplers", "DDIM"), "samplers: unknown value 'DDIM'"),
        (("--problems", "sr2"), "problems: unknown value ''"),
        (("--problems", "sr3:cat"), "problems: unknown value 'sr3'"),
        (("--repeats", "0"), "repeats: got 0"),
        (("--minutes", "-1"), "minutes: got -1"),
        (("--dtype", "float8"), "dtype: unknown value 'float8'"),
        (("--device", "gpu"), "device: unknown value 'gpu'"),
    ],
)
def test_wrong_options(refused, folder, arguments, message):
    refused("bench", "--json", folder / "a.json", *arguments, message=message)


def test_a_place_where_no_file_can_be(refused, folder):
    refused("bench", "--json", folder / "nowhere" / "a.json", message="json: no folder")
