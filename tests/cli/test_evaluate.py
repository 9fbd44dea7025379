"""``deqir-lite evaluate``: tables and files, going on, several processes, and what it refuses."""

import csv
import json
import re
import shutil

import pytest
import torch
from PIL import Image

from deqir_lite import load_bundled_photo, save_image
from deqir_lite.cli.evaluate import evaluate as command
from deqir_lite.methods import METHODS
from deqir_lite.operators import TASKS
from deqir_lite.studies.comparison.settings import SIMPLE


@pytest.fixture
def photos(tmp_path):
    made = tmp_path / "photos"
    (made / "more").mkdir(parents=True)
    for name, place in (("cat", made), ("coffee", made / "more")):
        save_image(place / f"{name}.png", load_bundled_photo(name, size=32))
    return made


@pytest.fixture
def evaluate(run, photos, folder):
    """(options...) -> a small comparison under the Gaussian prior, to ``folder``."""

    def call(*options, methods="pinv,ddnm,ddrm", tasks="sr2", timesteps=2, sigma_y=0):
        return run(
            *("evaluate", "--prior", "gaussian", "--photos", photos, "--out", folder),
            *("--sizes", 16, "--device", "cpu", "--methods", methods, "--tasks", tasks),
            *("--timesteps", timesteps, "--sigma-y", sigma_y, *options),
        )

    return call


def lines_of(folder):
    """The rows of methods.csv without what is measured anew each time."""
    with (folder / "methods.csv").open(newline="") as file:
        lines = list(csv.DictReader(file))
    return [{k: v for k, v in x.items() if k not in ("seconds", "peak_bytes")} for x in lines]


def test_the_defaults_are_known_names():
    import inspect

    said = {k: p.default for k, p in inspect.signature(command).parameters.items()}
    assert set(said["methods"].split(",")) <= {*SIMPLE, *METHODS}
    assert set(said["tasks"].split(",")) <= TASKS.keys()


def test_table_and_files(evaluate, folder):
    result = evaluate("--seeds", 2, "--forms", "none,gaussian", timesteps="2,3")
    assert result.exit_code == 0, result.output
    assert "Table 1: super-resolution and deblurring (16 × 16 pixels)" in result.stdout
    assert result.stdout.splitlines()[-1] == f"written to {folder}"
    # two photos; of the chains 2 methods, 2 forms, 2 lengths, 2 seeds
    assert len(lines_of(folder)) == 2 * (1 + 2 * 2 * 2 * 2)
    assert {line["photo"] for line in lines_of(folder)} == {"cat.png", "more/coffee.png"}
    stored = json.loads((folder / "methods.json").read_text())
    assert stored["reference"] == "ddnm"
    page = (folder / "methods.md").read_text()
    assert "--timesteps 2,3 --spacing own --eta own --seeds 2" in page
    assert {path.name for path in folder.iterdir()} == {
        *("methods.json", "methods.csv", "methods.md", "rows-0.jsonl"),
    }


def sheets_of(folder):
    found = (folder / "sheets").rglob("*.png")
    return {path.relative_to(folder / "sheets").as_posix(): path.read_bytes() for path in found}


def test_pictures_are_sheets_of_what_was_restored(evaluate, photos, folder):
    save_image(photos / "cat.jpg", load_bundled_photo("coffee", size=32))
    result = evaluate("--pictures", "--seeds", 2, sigma_y="0,.1")
    assert result.exit_code == 0, result.output
    assert sheets_of(folder).keys() == {
        f"{damage}/{photo}"
        for photo in ("cat.png", "cat.jpg.png", "more/coffee.png")
        for damage in ("sr2-16", "sr2-16-noise0.1")
    }
    wide, high = Image.open(folder / "sheets/sr2-16/cat.png").size
    assert (wide, high) == (4 * 136 + 8, 2 * 176), "five restorations and the photo"
    rows = json.loads((folder / "methods.json").read_text())["rows"]
    assert all("picture" not in row for row in rows)
    assert re.search(r"--pictures --out \S+$", (folder / "methods.md").read_text(), re.MULTILINE)


def test_pictures_may_be_asked_for_later(evaluate, folder):
    evaluate()
    result = evaluate("--pictures", tasks="sr2,sr4")
    assert result.exit_code == 0, result.output
    assert sheets_of(folder).keys() == {"sr4-16/cat.png", "sr4-16/more/coffee.png"}
    assert evaluate(tasks="sr2,sr4").exit_code == 0, "and left out again"


def test_several_processes_make_the_sheets_of_one(evaluate, folder, monkeypatch):
    evaluate("--pictures")
    whole = sheets_of(folder)
    for rank in ("0", "1"):
        shutil.rmtree(folder / "sheets")
        monkeypatch.setenv("WORLD_SIZE", "2")
        monkeypatch.setenv("RANK", rank)
        evaluate("--pictures")
        found = sheets_of(folder)
        assert len(found) == 1
        assert found.items() <= whole.items()


def test_sheets_are_not_put_among_the_photos(run, photos):
    result = run("evaluate", "--photos", photos, "--out", photos, "--pictures", "--sizes", 16)
    assert result.exit_code == 2
    assert result.stderr.startswith("error: out: ")
    assert result.stderr.endswith("has the photos; sheets in it would be taken for some\n")


def test_goes_on_and_adds_what_is_new(evaluate, folder):
    evaluate()
    before = (folder / "rows-0.jsonl").read_bytes()
    assert evaluate("--reference", "ddrm").exit_code == 0
    assert (folder / "rows-0.jsonl").read_bytes() == before
    assert json.loads((folder / "methods.json").read_text())["reference"] == "ddrm"
    assert evaluate(tasks="sr2,sr4").exit_code == 0
    assert (folder / "rows-0.jsonl").read_bytes().startswith(before)
    assert len(lines_of(folder)) == 12


def test_several_processes_make_the_table_of_one(evaluate, folder, monkeypatch):
    evaluate()
    whole = lines_of(folder)
    for path in folder.iterdir():
        path.unlink()
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.setenv("RANK", "1")
    result = evaluate()
    assert result.stdout == "3 of 6 restorations are done; other processes go on\n"
    monkeypatch.setenv("RANK", "0")
    result = evaluate()
    assert result.stdout.splitlines()[-1] == f"written to {folder}"
    assert lines_of(folder) == whole


def test_the_interrupt_key_keeps_what_is_done(evaluate, folder, monkeypatch):
    from deqir_lite.studies.comparison import run as module

    done, usual = [], module.measure

    def interrupted(*arguments, **options):
        if len(done) == 2:
            raise KeyboardInterrupt
        done.append(1)
        return usual(*arguments, **options)

    with monkeypatch.context() as during:
        during.setattr(module, "measure", interrupted)
        result = evaluate()
    assert result.exit_code == 130, result.output
    assert "stopped after 2 of 6 restorations: the same command goes on" in result.stdout
    assert len(lines_of(folder)) == 2
    assert evaluate().exit_code == 0
    assert len(lines_of(folder)) == 6


def test_a_method_that_cannot_do_a_task_is_left_out_with_a_line(evaluate, folder):
    result = evaluate(methods="ddnm,ilvr", tasks="sr2,inpaint-text")
    assert result.exit_code == 0
    (line,) = [x for x in result.stderr.splitlines() if x.startswith("left out")]
    assert line.startswith("left out: ilvr cannot do inpaint-text: method: ilvr shrinks")
    assert line in (folder / "methods.md").read_text()
    assert {(x["method"], x["task"]) for x in lines_of(folder)} == {
        ("ddnm", "sr2"), ("ilvr", "sr2"), ("ddnm", "inpaint-text")
    }  # fmt: skip


def test_a_network_from_a_file_is_a_row_beside_the_methods(evaluate, folder, tmp_path):
    pytest.importorskip("spandrel")
    from spandrel.architectures.ESRGAN import ESRGAN

    weights = tmp_path / "tiny.pth"
    torch.save(ESRGAN(num_filters=4, num_blocks=1, scale=2).state_dict(), weights)
    options = ("--networks", weights, "--reference", weights)
    result = evaluate(*options, methods="pinv", tasks="sr2,sr4")
    assert result.exit_code == 0, result.output
    own = {(x["method"][:4], x["task"], x["nfe"]) for x in lines_of(folder)}
    assert own == {("pinv", "sr2", "0"), ("pinv", "sr4", "0"), ("tiny", "sr2", "")}
    (line,) = [x for x in result.stderr.splitlines() if x.startswith("left out")]
    assert re.match(r"left out: tiny \(\w{8}\) cannot do sr4: it makes colour images 2 times", line)
    stored = json.loads((folder / "methods.json").read_text())
    assert stored["reference"].startswith("tiny (")
    before = (folder / "rows-0.jsonl").read_bytes()
    assert evaluate(*options, methods="pinv", tasks="sr2").exit_code == 0
    assert (folder / "rows-0.jsonl").read_bytes() == before


def test_a_level_at_which_nothing_is_measured_is_left_out_with_a_line(evaluate, folder):
    result = evaluate(methods="ddnm", sigma_y="0.1,1000")
    assert result.exit_code == 0, result.output
    (line,) = [x for x in result.stderr.splitlines() if x.startswith("left out")]
    assert line.startswith("left out: ddnm cannot do sr2: sigma_y: got 1000, but from")
    assert {x["sigma_y"] for x in lines_of(folder)} == {"0.1"}


def test_noise_for_a_blind_method_warns_once(evaluate):
    result = evaluate(methods="ddnm,weighted", sigma_y="0.1,0.2", tasks="sr2,pool2")
    warned = [line for line in result.stderr.splitlines() if line.startswith("warning: ")]
    (line,) = warned
    assert line.startswith("warning: ddnm: sigma_y: ")


def test_unreadable_and_small_photos_are_counted(evaluate, photos, folder):
    (photos / "broken.png").write_bytes(b"no picture")
    save_image(photos / "small.png", load_bundled_photo("cat", size=12))
    result = evaluate()
    assert "warning: photos: skipped 1 unreadable or tiny files, such as broken.png" in (
        result.stderr
    )
    assert "warning: photos: left out 1 of 3 at 16 pixels" in result.stderr
    assert {line["photo"] for line in lines_of(folder)} == {"cat.png", "more/coffee.png"}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"sigma_y": -0.1}, "sigma-y: got -0.1; expected a finite number >= 0"),
        ({"sigma_y": "nan"}, "sigma-y: got nan; expected a finite number >= 0"),
        ({"sigma_y": "some"}, "sigma-y: got 'some'; expected numbers separated by commas"),
        ({"methods": "ddnm,dnm"}, "methods: unknown value 'dnm'; known: pinv, baseline, gaussian"),
        ({"tasks": "sr3"}, "tasks: unknown value 'sr3'"),
        ({"timesteps": 5000}, "timesteps: got 5000; expected at most"),
        ({"timesteps": "x"}, "timesteps: got 'x'; expected numbers separated by commas"),
    ],
)
def test_refuses(evaluate, folder, options, message):
    result = evaluate(**options)
    assert (result.exit_code, result.stdout) == (2, "")
    (line,) = result.stderr.splitlines()
    assert line.startswith("error: ")
    assert message in line
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--reference", "dps"], "reference: unknown value 'dps'; known: pinv, ddnm, ddrm"),
        (["--networks", "nothing"], "networks: 'nothing' is no file, folder or hub id"),
        (["--seeds", 0], "seeds: got 0; expected an integer >= 1"),
        (["--spacing", "log"], "spacing: unknown value 'log'"),
        (["--spacing", "0.5"], "spacing: got 0.5"),
        (["--eta", "2"], "eta: got 2"),
        (["--forms", "sequential"], "forms: unknown value 'sequential'; known: none, noise"),
        (
            ["--sizes", 17],
            "sizes: got 17, which is not for sr2: got size 17x17; both sides must be",
        ),
        (["--sizes", 64], "sizes: got 64, but all 2 photos are smaller"),
    ],
)
def test_refuses_options(evaluate, folder, options, message):
    result = evaluate(*options)
    assert result.exit_code == 2, result.output
    assert message in result.stderr.splitlines()[-1]
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize(
    ("rank", "size", "message"),
    [("2", "2", "RANK: got 2 in the environment; expected less than 2"),
     ("x", "2", "RANK: got 'x' in the environment; expected an integer"),
     ("0", "-1", "WORLD_SIZE: got '-1' in the environment; expected an integer")],
)  # fmt: skip
def test_refuses_a_wrong_environment(evaluate, folder, monkeypatch, rank, size, message):
    monkeypatch.setenv("RANK", rank)
    monkeypatch.setenv("WORLD_SIZE", size)
    result = evaluate()
    assert (result.exit_code, result.stderr) == (2, f"error: {message}\n")
    assert list(folder.iterdir()) == []


def test_nothing_that_can_be_done_is_refused(evaluate, folder):
    result = evaluate(methods="ilvr", tasks="inpaint-text")
    assert result.exit_code == 2
    assert result.stderr.splitlines()[-1] == "error: methods: none of ilvr can do any of the tasks"
    assert list(folder.iterdir()) == []


def test_other_settings_are_refused_by_name(evaluate, photos, folder):
    evaluate()
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    save_image(photos / "cat.png", load_bundled_photo("astronaut", size=32))
    for options, message in (
        ((), "another photos: different cat.png"),
        (("--dtype", "float64"), "another photos: different cat.png"),
    ):
        result = evaluate(*options)
        assert result.exit_code == 2
        assert message in result.stderr.splitlines()[-1]
    save_image(photos / "cat.png", load_bundled_photo("cat", size=32))
    result = evaluate("--dtype", "float64")
    assert "another dtype: 'float32' there, 'float64' now" in result.stderr.splitlines()[-1]
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


def test_a_page_of_another_origin_is_left_alone(evaluate, folder):
    (folder / "methods.md").write_text("mine")
    result = evaluate()
    assert result.exit_code == 2
    assert "is of another origin" in result.stderr
    assert (folder / "methods.md").read_text() == "mine"
