"""A certificate must fail whenever a claim does, and say so to everybody."""

import ast
import json
import math
from pathlib import Path

import numpy as np
import pytest
import torch

from deqir_lite import certificate as module
from deqir_lite.certificate import Certificate


@pytest.fixture(autouse=True)
def no_folder(monkeypatch):
    monkeypatch.delenv(module.FOLDER_VARIABLE, raising=False)


def good(title="Proposition 1"):
    certificate = Certificate(title)
    certificate.check("parallel = sequential", "Eq. 11", 3e-13, 1e-10, torch.float64)
    certificate.check("A pinv A = A", "Eq. 5", True)
    return certificate


@pytest.mark.parametrize(
    ("measured", "relation", "tolerance", "passed"),
    [
        (1.0, "<=", 1.0, True),
        (1.0 + 1e-15, "<=", 1.0, False),
        (1.0, "<", 1.0, False),
        (1.0, ">=", 1.0, True),
        (1.0, ">", 1.0, False),
        (2.0, ">", 1.0, True),
        (3, "==", 3, True),
        (3, "==", 4, False),
        (math.inf, ">=", 40.0, True),
        (math.inf, "<=", 40.0, False),
    ],
)
def test_relations(measured, relation, tolerance, passed):
    certificate = Certificate("c")
    certificate.check("claim", "", measured, tolerance, relation=relation)
    assert certificate.passed is passed


@pytest.mark.parametrize("relation", ["<=", "<", ">=", ">", "=="])
def test_nan_always_fails(relation):
    certificate = Certificate("c")
    certificate.check("claim", "", math.nan, 1.0, relation=relation)
    assert not certificate.passed
    with pytest.raises(AssertionError):
        certificate.conclude()


@pytest.mark.parametrize(
    "measured",
    [0.5, np.float32(0.5), np.array([[0.5]]), torch.tensor(0.5), torch.tensor([0.5]), np.int64(0)],
)
def test_numbers_of_all_kinds(measured):
    certificate = Certificate("c")
    certificate.check("claim", "", measured, 0.5)
    assert certificate.passed
    assert type(certificate.claims[0].measured) is float


@pytest.mark.parametrize("measured", [True, np.bool_(True), torch.tensor(True)])
def test_boolean_claims(measured):
    certificate = Certificate("c")
    certificate.check("claim", "", measured)
    assert certificate.passed
    certificate.check("claim", "", not measured)
    assert not certificate.passed
    assert "does not hold" in str(certificate)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("claim", "", torch.zeros(2), 1.0), r"measured: got shape \(2,\)"),
        (("claim", "", "small", 1.0), "measured: got 'small'"),
        (("claim", "", None, 1.0), "measured: got None"),
        (("claim", "", 1.0), "tolerance: got None"),
        (("claim", "", True, 1.0), "tolerance: got 1.0 for measured = True"),
        (("claim", "", 1.0, math.inf), "tolerance: got inf"),
        (("claim", "", 1.0, math.nan), "tolerance: got nan"),
        (("", "", 1.0, 1.0), "claim: got ''"),
        (("claim", "", 1.0, 1.0, None, "~"), "relation: unknown value '~'; known: <=, <"),
    ],
)
def test_what_is_no_claim(arguments, message):
    certificate = Certificate("c")
    with pytest.raises(ValueError, match=message):
        certificate.check(*arguments)
    assert certificate.claims == []


def test_title_is_needed():
    with pytest.raises(ValueError, match="title"):
        Certificate(" ")


def test_conclude_shows_the_table(capsys):
    good().conclude()
    shown = capsys.readouterr().out
    assert "parallel = sequential" in shown
    assert "2 of 2 claims pass" in shown


def test_conclude_names_every_failure_and_shows_the_table_first(capsys):
    certificate = good()
    certificate.check("first wrong", "Eq. 7", 0.1, 1e-3)
    certificate.check("second wrong", "", math.nan, 1e-3)
    certificate.check("third wrong", "Eq. 8", False)
    with pytest.raises(AssertionError) as caught:
        certificate.conclude()
    message = str(caught.value)
    assert "Proposition 1: first wrong (Eq. 7): measured 0.1, required ≤ 0.001" in message
    assert "second wrong" in message
    assert "third wrong" in message
    assert "parallel = sequential" not in message
    assert "2 of 5 claims pass" in capsys.readouterr().out


def test_empty_certificate_fails():
    certificate = Certificate("nothing")
    assert not certificate.passed
    with pytest.raises(AssertionError, match="nothing: no claim was checked"):
        certificate.conclude()


def test_failure_survives_optimised_python():
    sources = [path.read_text() for path in Path(module.__file__).parent.glob("*.py")]
    assert len(sources) > 1
    assert not [
        n for text in sources for n in ast.walk(ast.parse(text)) if isinstance(n, ast.Assert)
    ]


def test_rounding_never_hides_a_failure():
    certificate = Certificate("c")
    certificate.check("close", "", 1.0000001e-10, 1e-10)
    measured, required = certificate.claims[0].cells()[2:4]
    assert measured == "1.0000001e-10"
    assert required == "≤ 1e-10"


def test_html_table():
    bs4 = pytest.importorskip("bs4")
    certificate = good("Chapter <4> & more")
    certificate.check("a < b & c", "Eq. 9", 2.0, 1.0)
    table = bs4.BeautifulSoup(certificate._repr_html_(), "html.parser").table
    assert "certificate" in table["class"]
    assert "Chapter <4> & more" in table.caption.text
    assert "2 of 3 claims pass" in table.caption.text
    assert [th["scope"] for th in table.thead.find_all("th")] == ["col"] * 6
    rows = table.tbody.find_all("tr")
    assert [row.th["scope"] for row in rows] == ["row"] * 3
    assert rows[2].th.text == "a < b & c"
    # the result in words, not by colour alone
    assert [row.find_all("td")[-1].text for row in rows] == ["✓ pass", "✓ pass", "✗ FAIL"]
    assert [td.text for td in rows[0].find_all("td")][:4] == [
        "Eq. 11", "3e-13", "≤ 1e-10", "float64",
    ]  # fmt: skip


def test_json_says_what_ran_where():
    content = json.loads(good().to_json())
    assert content["passed"] is True
    assert {"python", "torch", "numpy", "deqir-lite"} <= set(content["versions"])
    assert content["versions"]["torch"] == torch.__version__
    assert set(content["machine"]) == {"system", "processor", "threads", "accelerator"}
    assert all(content["machine"].values())
    assert content["claims"][0] == {
        "claim": "parallel = sequential",
        "equation": "Eq. 11",
        "measured": 3e-13,
        "tolerance": 1e-10,
        "relation": "<=",
        "dtype": "float64",
        "passed": True,
    }


def test_save_and_load(tmp_path):
    certificate = good()
    for value in (math.nan, math.inf, -math.inf):
        certificate.check("odd", "", value, 1.0)
    certificate.versions["torch"] = "1.0"
    loaded = Certificate.load(certificate.save(tmp_path / "c.json"))
    assert repr(loaded) == repr(certificate)  # not ==: a NaN differs from itself
    json.loads((tmp_path / "c.json").read_text(), parse_constant=pytest.fail)


def test_a_stored_pass_is_not_believed(tmp_path):
    certificate = Certificate("c")
    certificate.check("wrong", "", 2.0, 1.0)
    text = certificate.to_json().replace('"passed": false', '"passed": true')
    (tmp_path / "c.json").write_text(text)
    assert not Certificate.load(tmp_path / "c.json").passed


def test_save_into_a_missing_folder(tmp_path):
    with pytest.raises(FileNotFoundError, match="path: no folder"):
        good().save(tmp_path / "missing" / "c.json")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", " is not valid JSON"),
        ("[]", " holds no JSON object"),
        ("{}", ": title is missing"),
        ("1", " holds no JSON object"),
        (
            '{"title": "c", "versions": {}, "machine": {}, "claims": [1]}',
            r": claims\.0: got 1; exp",
        ),
        ('{"title": " ", "versions": {}, "machine": {}, "claims": []}', ": title: got ' '; expect"),
    ],
)
def test_load_of_something_else(tmp_path, text, message):
    (tmp_path / "c.json").write_text(text)
    with pytest.raises(ValueError, match=rf"^path: \S*c\.json{message}"):
        Certificate.load(tmp_path / "c.json")


def test_load_of_nothing(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"^path: .* holds no c\.json"):
        Certificate.load(tmp_path / "c.json")


def test_conclude_leaves_a_file_where_the_environment_says(tmp_path, monkeypatch):
    monkeypatch.setenv(module.FOLDER_VARIABLE, str(tmp_path))
    bad = Certificate("Chapter 4: Proposition 1")
    bad.check("wrong", "", False)
    with pytest.raises(AssertionError):
        bad.conclude()
    (path,) = tmp_path.iterdir()
    assert path.name == "chapter-4-proposition-1.json"
    assert not Certificate.load(path).passed


def test_a_notebook_shows_the_rich_table(monkeypatch):
    IPython = pytest.importorskip("IPython")
    shown = []

    class Shell:
        kernel = object()

    monkeypatch.setattr(IPython.core.getipython, "get_ipython", lambda: Shell())
    monkeypatch.setattr(IPython.display, "display", shown.append)
    certificate = good()
    certificate.conclude()
    assert shown == [certificate]
