"""Tables in the paper's layout, and the files."""

import csv
import json

import pytest
import torch

from deqir_lite.bundled import data_path
from deqir_lite.operators import TASKS
from deqir_lite.priors.identity import prior_digest
from deqir_lite.priors.load import load_prior
from deqir_lite.studies.comparison.paper import PAPER
from deqir_lite.studies.comparison.report import PAGE_START, write_report
from deqir_lite.studies.comparison.rows import (
    Journal,
    pack_features,
    read_rows,
    read_table,
    rows_file,
)
from deqir_lite.studies.comparison.summary import summarise
from deqir_lite.studies.comparison.tables import tables
from deqir_lite.studies.evaluation.photos import find_photos


def test_the_papers_tables_are_whole():
    for table in PAPER:
        assert set(table.tasks) <= TASKS.keys()
        for row in table.rows:
            assert len(row.values) == len(table.columns)
            for (_, number), value in zip(table.columns, row.values, strict=True):
                low, high = {
                    "psnr": (9, 48), "consistency_8bit": (0, 500), "fid": (40, 100)
                }.get(number, (0, 1))  # fmt: skip
                assert value is None or low <= value <= high
    deqir = next(row for row in PAPER[0].rows if row.method == "DeqIR")
    assert deqir.values[:3] == (32.35, 0.913, 0.082)
    best = {row.data: max(r.values[0] for r in PAPER[3].rows if r.data == row.data)
            for row in PAPER[3].rows}  # fmt: skip
    assert best == {"ImageNet": 29.25, "CelebA-HQ": 34.96}, "DiffIR, as the paper's text says"


def test_the_papers_networks_stand_below_networks(row):
    methods = [row("ddnm", photo, task="sr4") for photo in "ab"]
    titles = [table.title for table in tables(summarise(methods, reference="ddnm"))]
    assert [title for title in titles if "Table" in title] == [
        "Table 1: super-resolution and deblurring (16 × 16 pixels)"
    ]
    network = [row("tiny (01234567)", photo, task="sr4", timesteps=0) for photo in "ab"]
    *_, table, _ = tables(summarise([*methods, *network], reference="ddnm"))
    assert table.title.startswith("Table 5: ")
    names = [line[0] for line in table.rows]
    assert names[:3] == ["ddnm", "tiny (01234567)", "SRGAN, paper"]


def test_tasks_are_columns_methods_rows_and_the_paper_stands_below(row):
    rows = [row(m, photo, task=task) for task in ("sr2", "pool2") for m in ("ddnm", "dps")
            for photo in "ab"]  # fmt: skip
    first, _, second, _ = tables(summarise(rows, reference="ddnm"))
    assert first.title == "Table 1: super-resolution and deblurring (16 × 16 pixels)"
    assert first.header[:6] == ["method", "chain", "photos × seeds", "sr2: PSNR", "SSIM", "LPIPS"]
    assert [line[:4] for line in first.rows[:2]] == [
        ["ddnm", "T = 2, cubic, eta 1", "2 × 1", "20.00"],
        ["dps", "T = 2, cubic, eta 1", "2 × 1", "20.00"],
    ]
    assert ["DeqIR, paper", "ImageNet", "–", "32.35", "0.913", "0.082", "15"] in [
        line[:7] for line in first.rows
    ]
    assert all(len(line) == len(first.header) for line in first.rows)
    assert second.header[3] == "pool2: PSNR"
    assert len(second.rows) == 2, "the paper has no such task"


def test_the_paper_has_no_noise(row):
    rows = [row("ddnm", "a", sigma_y=0.1)]
    (table,) = tables(summarise(rows, reference="ddnm"))
    assert "noise of 0.1 in y" in table.title
    assert [line[0] for line in table.rows] == ["ddnm"]


def test_marks_say_which_way_is_better(row):
    photos = "abcdef"
    rows = [row("ddnm", p, 20.0, ssim=0.5, lpips=0.5, lite0_relative=1.0) for p in photos]
    rows += [row("dps", p, 19.0, ssim=0.6, lpips=0.4, lite0_relative=2.0) for p in photos]
    first, differences = tables(summarise(rows, reference="ddnm"))
    assert first.rows[0][3:6] == ["20.00", "0.500", "0.500"]
    assert first.rows[1][3:7] == ["19.00 ▼", "0.600 ▲", "0.400 ▲", "2.000 ▼"]
    assert differences.rows == [
        ["dps", "T = 2, cubic, eta 1", "ddnm: T = 2, cubic, eta 1", "-1.00 [-1.00, -1.00] of 6 ▼"]
    ]


def test_the_terminal_shows_what_is_known(row):
    cells = summarise([row("ddnm", "a")], reference="ddnm")
    (table,) = tables(cells, full=False)
    assert table.header[3:] == ["sr2: PSNR", "NFEs", "sweeps", "seconds", "memory"]
    assert all(len(line) == len(table.header) for line in table.rows)


@pytest.fixture
def written(tmp_path, row):
    settings = {"prior": "1", "photos": {"b.png": "1", "a|.png": "2"}, "dtype": "x", "lpips": None}
    journal = Journal(rows_file(tmp_path, 0))
    journal.begin(settings, "mine", torch.device("cpu"))
    for photo in ("a|.png", "b.png"):
        journal.add(row("dps", photo, float("inf"), failed=None))
        journal.add(row("ddnm", photo, None, failed="diverged"))
    text = write_report(
        *(tmp_path, read_rows(tmp_path)), reference="ddnm", left_out=["left out: x"], command="do"
    )
    return tmp_path, text


def test_the_files(written):
    folder, text = written
    stored = json.loads((folder / "methods.json").read_text())
    assert [(r["photo"], r["method"]) for r in stored["rows"]] == [
        ("b.png", "ddnm"), ("b.png", "dps"), ("a|.png", "ddnm"), ("a|.png", "dps")
    ]  # fmt: skip
    assert stored["rows"][1]["psnr"] == "inf"
    assert {cell["method"]: cell["failed"] for cell in stored["summary"]} == {"ddnm": 2, "dps": 0}
    with (folder / "methods.csv").open(newline="") as file:
        lines = list(csv.DictReader(file))
    assert [line["photo"] for line in lines] == ["b.png", "b.png", "a|.png", "a|.png"]
    assert lines[0]["failed"] == "diverged"
    page = (folder / "methods.md").read_text()
    assert page.startswith(PAGE_START)
    for said in (
        "left out: x",
        "2 photos at",
        "prior mine",
        "ddnm on sr2, b.png, seed 0",
        "\ndo\n",
    ):
        assert said in page
    assert "100 photos each of ImageNet and CelebA-HQ at 256 × 256" in page
    assert "ddnm on sr2, b.png, seed 0: diverged" in text


def test_distances_for_relative_use_say_so_everywhere(tmp_path, row):
    settings = {"photos": {"a": "1", "b": "2"}, "dtype": "x", "lpips": None, "features": "lite0"}
    settings["inception"] = "inception-v3-compat"
    journal = Journal(rows_file(tmp_path, 0))
    journal.begin(settings, "mine", torch.device("cpu"))
    for photo in "ab":
        features = pack_features(torch.rand(2, 4))
        for method, distance in (("ddnm", 1.5), ("a network", 0.5)):
            numbers = {"lite0_relative": distance, "features": features, "inception": features}
            journal.add(row(method, photo, timesteps=2 * (method == "ddnm"), **numbers))
    text = write_report(tmp_path, read_rows(tmp_path), reference="ddnm")
    page = (tmp_path / "methods.md").read_text()
    assert "| LPIPS" in page
    assert "| Lite0, rel. | Fréchet-Lite0, rel. | FID |" in " ".join(page.split())
    assert "Both are for relative use" in page
    assert "it is for relative use as well" in page
    assert "a network: trained to restore one kind of damage directly" in page
    assert "Lite0" not in text
    for name in ("methods.json", "methods.csv"):
        content = (tmp_path / name).read_text()
        assert "lite0_relative" in content
        assert features not in content
    (first, _) = json.loads((tmp_path / "methods.json").read_text())["summary"]
    assert first["frechet_lite0_relative"] == first["fid"] >= 0
    methods = [row["method"] for row in json.loads((tmp_path / "methods.json").read_text())["rows"]]
    assert methods == ["ddnm", "a network"] * 2, "networks stand below methods"


def test_the_papers_fid_stands_below(tmp_path, row):
    """Of colours, as in its Table 3; the terminal has the column where we have a number, too."""
    rows = [row("ddnm", photo, task="colorization", inception=pack_features(torch.rand(2, 4)))
            for photo in "ab"]  # fmt: skip
    (known,) = tables(summarise(rows, reference="ddnm"), full=False)
    assert known.header[-5:-4] == ["FID"]
    (line,) = [x for x in known.rows if x[:2] == ["DeqIR, paper", "ImageNet"]]
    assert line[-5] == "70.94"
    (unknown,) = tables(summarise([row("ddnm", "a", task="colorization")], reference="ddnm"))
    assert unknown.header.count("FID") == 1
    assert unknown.rows[0][unknown.header.index("FID")] == "–"


def test_the_table_comes_back_as_rows(written):
    folder, _ = written
    table = read_table(folder / "methods.json")
    assert {row.key: row for row in table} == read_rows(folder).rows
    assert [row.photo for row in table] == ["b.png", "b.png", "a|.png", "a|.png"]


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('"rows": [', '"lines": [', "rows is missing"),
        ('"psnr": ', '"psnr_db": ', "rows.0: no row of methods has an entry 'psnr_db'"),
        ('"method": ', '"methods": ', "rows.0.method is missing"),
        ('"seed": 0', '"seed": "zero"', "rows.0.seed: got 'zero'; expected it to be a valid int"),
    ],
)
def test_refuses_another_table(written, old, new, message):
    path = written[0] / "methods.json"
    text = path.read_text()
    start = text.index('"rows"')
    path.write_text(text[:start] + text[start:].replace(old, new, 1))
    with pytest.raises(ValueError, match=message):
        read_table(path)


@pytest.mark.parametrize("name", ["features", "methods", "parallel", "seeds", "trained"])
def test_stored_tables_are_of_the_prior_and_the_photos_of_now(name):
    path = data_path("benchmarks") / f"{name}.json"
    check_settings(json.loads(path.read_text())["settings"])
    assert {row.photo for row in read_table(path)} <= set(photo_files())


@pytest.mark.parametrize("name", ["noisy", "pictures"])
def test_stored_rows_are_of_the_prior_and_the_photos_of_now(name):
    for session in read_rows(data_path("benchmarks") / name).sessions:
        check_settings(session.settings)


def photo_files():
    return {photo.name: photo.digest for photo in find_photos(data_path("photos"))}


def check_settings(settings):
    assert settings["prior"] == prior_digest(load_prior("photo64"), "photo64")
    assert settings["photos"].items() <= photo_files().items()


def test_refuses_another_format(written):
    path = written[0] / "methods.json"
    path.write_text(path.read_text().replace('"format": 1', '"format": 2', 1))
    with pytest.raises(ValueError, match="table: .*methods.json: format: got 2"):
        read_table(path)


def test_without_the_papers_tasks_nothing_is_said_of_it(tmp_path, row):
    settings = {"prior": "1", "photos": {"a": "1"}, "dtype": "x", "lpips": "vgg"}
    journal = Journal(rows_file(tmp_path, 0))
    journal.begin(settings, "mine", torch.device("cpu"))
    journal.add(row("ddnm", "a", task="pool2"))
    write_report(tmp_path, read_rows(tmp_path), reference="ddnm")
    page = (tmp_path / "methods.md").read_text()
    assert "ImageNet" not in page
    assert "LPIPS is that of vgg." in page
