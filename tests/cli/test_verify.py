"""``deqir-lite verify``: the table, the JSON, and that a broken method is caught."""

import json
import math
import re

import pytest

from deqir_lite import verification
from deqir_lite.defaults import FORM
from deqir_lite.fixedpoint import FixedPointSystem, GaussianFormModel, NoiseFormModel
from deqir_lite.verification import ETAS, VERIFIED_FORMS


@pytest.fixture
def verify(run):
    def call(*options):
        return run("verify", "--timesteps", 4, *options)

    return call


def test_all_is_well(verify, folder):
    file = folder / "verify.json"
    result = verify(
        "--task", "sr2", "--task", "deblur-anisotropic", "--task", "sr2", "--json", file
    )
    assert result.exit_code == 0, result.output
    assert "72 of 72 comparisons within 1e-10" in result.stdout
    assert "MISS" not in result.stdout
    assert "!" not in result.stdout
    rows = [x for x in result.stdout.splitlines() if x.startswith(("sr2 ", "deblur-anisotropic "))]
    assert len(rows) == 2
    for row in rows:
        assert len(row.split()) == 1 + 9

    content = json.loads(file.read_text())
    assert content["passed"] is True
    assert content["tolerance"] == 1e-10
    assert 0 < content["max_error"] <= 1e-10
    found = [(c["task"], c["eta"], c["form"], c["solver"]) for c in content["comparisons"]]
    assert len(set(found)) == len(found) == 72
    assert all(c["passed"] and c["error"] <= 1e-10 for c in content["comparisons"])


def test_the_table_is_readable_in_80_columns(verify):
    lines = verify("--task", "deblur-anisotropic").stdout.splitlines()
    table = lines[2:5]
    assert all(len(line) < 80 for line in table)
    assert table[0].split() == ["form", *VERIFIED_FORMS]
    assert table[1].split() == ["task", "eta", *["0", "0.15", "0.85"] * 3]
    ends = {match.end() for match in re.finditer(r"\S+", table[1])}
    assert all(match.end() in ends for match in list(re.finditer(r"\S+", table[2]))[1:])


def residual_with_an_error(self, window, first=0, *, asked=None):
    return self.chain.steps(window[:-1], first) - window[1:] + 1e-6


def correction_too_short(self, residual, first=0):
    return 0.9 * residual


def not_a_number(self, v, k):
    return v * math.nan


@pytest.mark.parametrize(
    ("broken", "name", "replacement", "forms"),
    [
        (FixedPointSystem, "residual", residual_with_an_error, VERIFIED_FORMS),
        (NoiseFormModel, "correction", correction_too_short, ("noise",)),
        (GaussianFormModel, "apply", not_a_number, (FORM,)),
    ],
)
def test_a_broken_method_is_caught(verify, monkeypatch, folder, broken, name, replacement, forms):
    monkeypatch.setattr(broken, name, replacement)
    result = verify("--task", "sr4", "--json", folder / "verify.json")
    assert result.exit_code == 1
    content = json.loads((folder / "verify.json").read_text())  # a NaN would not be JSON
    assert content["passed"] is False
    missed = [c for c in content["comparisons"] if not c["passed"]]
    assert {c["form"] for c in missed} == set(forms)
    assert {(c["eta"], c["form"]) for c in missed} == {(e, f) for e in ETAS for f in forms}
    row = next(x for x in result.stdout.splitlines() if x.startswith("sr4 "))
    assert row.count("!") == 3 * len(forms)
    named = [x for x in result.stdout.splitlines() if x.startswith("MISS ")]
    assert len(named) == min(len(missed), 11)
    assert f"{36 - len(missed)} of 36 comparisons within" in result.stdout
    assert "largest difference: " in result.stdout
    assert result.stderr.count("warning") == 0


def test_one_miss_in_one_cell(verify, monkeypatch):
    whole = verification.restore_parallel

    def off(chain, *, form, solver, **options):
        solution = whole(chain, form=form, solver=solver, **options)
        if (form, solver, chain.coefficients.rule.eta) == ("data", "picard", 0.15):
            solution.states[2] += 2e-10
        return solution

    monkeypatch.setattr(verification, "restore_parallel", off)
    result = verify("--task", "pool2")
    assert result.exit_code == 1
    assert result.stdout.count("!") == 1
    assert "MISS 2.0e-10 (pool2, eta 0.15, data form, picard)" in result.stdout
    assert "largest difference: 2.0e-10 (pool2, eta 0.15, data form, picard)" in result.stdout


@pytest.fixture
def no_work(monkeypatch):
    def fail(*arguments, **options):
        raise AssertionError("a chain was solved")

    monkeypatch.setattr(verification, "restore_parallel", fail)


def test_bad_input_is_refused_before_anything_runs(refused, no_work, folder, tmp_path):
    refused("verify", "--task", "sr2", "--task", "bogus",
            message="task: unknown value 'bogus'; known: sr2, sr4")  # fmt: skip
    refused("verify", "--timesteps", 0, message="timesteps: got 0; expected an integer >= 1")
    refused("verify", "--timesteps", 1001, message="timesteps: got 1001; expected at most 1000")
    refused("verify", "--size", 0, message="size: got 0")
    refused("verify", "--size", 12, message="size: got 12, which is not for sr8: got size 12x12")
    refused("verify", "--json", tmp_path / "nowhere" / "v.json", message="json: no folder")
    refused("verify", "--json", folder, message="is a folder; expected a file name")
