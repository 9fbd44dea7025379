"""``deqir-lite study evaluation``: table and files, going on, and what it refuses."""

import json
import os

import pytest
from PIL import Image

from deqir_lite import load_bundled_photo, save_image
from deqir_lite.device import fast_in_bfloat16
from deqir_lite.studies.evaluation import references
from deqir_lite.studies.evaluation import run as run_module


@pytest.fixture(autouse=True)
def quick_tv(monkeypatch):
    """Total variation has tests of its own, and is slow."""
    monkeypatch.setattr(references, "tv_restoration", lambda operator, y: operator.pinv(y))


@pytest.fixture
def photos(tmp_path):
    made = tmp_path / "photos"
    made.mkdir()
    for name in ("cat", "coffee"):
        save_image(made / f"{name}.png", load_bundled_photo(name, size=32))
    return made


@pytest.fixture
def evaluate(run, photos, folder):
    """(options...) -> a small evaluation of the Gaussian prior, to ``folder``."""

    def call(*options, prior="gaussian", out=folder, sizes=16, timesteps=3, tasks="sr2"):
        return run(
            *("study", "evaluation"),
            *("--prior", prior, "--photos", photos, "--out", out, "--seeds", 2),
            *("--sizes", sizes, "--timesteps", timesteps, "--tasks", tasks, "--device", "cpu"),
            *options,
        )

    return call


def test_table_and_files(evaluate, folder):
    result = evaluate(tasks="sr2,colorization", timesteps="3,4")
    assert result.exit_code == 0, result.output
    assert "16 × 16 pixels, T = 3" in result.stdout
    assert "16 × 16 pixels, T = 4" in result.stdout
    assert "2 × 2" in result.stdout
    assert result.stdout.splitlines()[-1] == f"written to {folder}"
    stored = json.loads((folder / "evaluation.json").read_text())
    assert len(stored["samples"]) == 2 * 2 * 2
    assert len(stored["references"]) == 2 * 2
    usual = "bfloat16" if fast_in_bfloat16("cpu") else "float32"
    assert stored["settings"]["dtype"] == usual
    assert {entry["eta"] for entry in stored["samples"]} == {1.0}
    assert stored["context"]["devices"]
    text = (folder / "evaluation.md").read_text()
    assert text.startswith("## Restoration\n")
    assert "--tasks sr2,colorization --sizes 16 --timesteps 3,4 --seeds 2" in text
    with Image.open(folder / "evaluation.png") as picture:
        assert picture.width == 5 * 128 + 6 * 8


def test_goes_on_where_it_stopped(evaluate, folder):
    result = evaluate("--budget", 0)
    assert result.exit_code == 0, result.output
    assert "the same command goes on" in result.stdout
    result = evaluate()
    assert "the same command goes on" not in result.stdout
    before = (folder / "evaluation.json").read_text()
    assert evaluate(tasks="sr2,sr4").exit_code == 0
    after = json.loads((folder / "evaluation.json").read_text())
    assert after["samples"][:2] == json.loads(before)["samples"]
    assert len(after["samples"]) == 4


def test_the_interrupt_key_saves(evaluate, folder, monkeypatch):
    def interrupted(self, *arguments):
        raise KeyboardInterrupt

    monkeypatch.setattr(run_module.Evaluation, "_restore", interrupted)
    result = evaluate()
    assert result.exit_code == 130, result.output
    assert "the same command goes on" in result.stdout
    assert result.stderr.splitlines()[-1] == "stopped by Ctrl-C"
    assert len(json.loads((folder / "evaluation.json").read_text())["references"]) == 2


def test_going_on_without_the_pictures_keeps_the_figure(evaluate, folder):
    evaluate()
    before = (folder / "evaluation.png").read_bytes()
    (folder / "evaluation-pictures.npz").unlink()
    assert evaluate(timesteps="3", tasks="sr2").exit_code == 0
    assert "(evaluation.png)" in (folder / "evaluation.md").read_text()
    assert (folder / "evaluation.png").read_bytes() == before


def test_a_missing_figure_is_drawn_again_by_the_same_command(evaluate, folder):
    """As in a fresh copy: the numbers are there, the figure and its pictures are not."""
    evaluate()
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    for name in ("evaluation.png", "evaluation-pictures.npz", "evaluation.md"):
        (folder / name).unlink()
    assert evaluate().exit_code == 0
    for name in ("evaluation.png", "evaluation.md", "evaluation.json"):
        assert (folder / name).read_bytes() == before[name]


def printed_command(folder):
    return (folder / "evaluation.md").read_text().split("```sh\n")[1].splitlines()[0]


def test_the_printed_command_names_a_folder_that_is_not_the_usual_one(
    run, photos, tmp_path, unet_folder, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    options = ("--photos", photos, "--seeds", 1, "--sizes", 16, "--timesteps", 2, "--tasks", "sr2")
    start = "deqir-lite study evaluation --prior "
    for prior, out, named in (
        ("gaussian", None, ""),
        ("gaussian", "mine/of gaussian", " --out 'mine/of gaussian'"),
        ("gaussian", "./evaluation", ""),
        ("unet", None, ""),
        ("unet", unet_folder, ""),
        ("unet", "elsewhere", " --out elsewhere"),
    ):
        where = () if out is None else ("--out", out)
        result = run("study", "evaluation", "--prior", prior, *where, *options)
        assert result.exit_code == 0, result.output
        folder = tmp_path / (out or {"unet": "unet", "gaussian": "evaluation"}[prior])
        assert printed_command(folder).startswith(f"{start}{prior}{named} --photos ")
        run("study", "evaluation", "--out", folder, "--only-table")
        assert printed_command(folder).startswith(f"{start}{prior}{named} --photos ")


def test_where_all_is_known_the_command_still_becomes_the_new_one(evaluate, folder, monkeypatch):
    evaluate()
    monkeypatch.chdir(folder.parent)
    evaluate(out=folder.name)
    assert f" --out {folder.name} " in printed_command(folder)
    context = json.loads((folder / "evaluation.json").read_text())["context"]
    assert context["out"] == folder.name
    assert {"versions", "devices"} <= context.keys()


def test_a_folder_with_the_name_of_a_bundled_prior_is_left_alone(
    run, photos, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "gaussian").mkdir()
    result = run(
        *("study", "evaluation"),
        *("--prior", "gaussian", "--photos", photos, "--seeds", 1, "--sizes", 16),
        *("--timesteps", 2, "--tasks", "sr2"),
    )
    assert result.exit_code == 0, result.output
    assert list((tmp_path / "gaussian").iterdir()) == []
    assert (tmp_path / "evaluation" / "evaluation.json").is_file()


def test_only_table(evaluate, run, folder):
    evaluate()
    (folder / "evaluation.md").unlink()
    (folder / "evaluation.png").unlink()
    before = (folder / "evaluation.json").read_bytes()
    result = run("study", "evaluation", "--out", folder, "--only-table")
    assert result.exit_code == 0, result.output
    assert "16 × 16 pixels, T = 3" in result.stdout
    assert (folder / "evaluation.md").is_file()
    assert (folder / "evaluation.png").is_file()
    assert (folder / "evaluation.json").read_bytes() == before


def test_references_only(evaluate, folder):
    result = evaluate("--references-only")
    assert result.exit_code == 0, result.output
    stored = json.loads((folder / "evaluation.json").read_text())
    assert len(stored["references"]) == 2
    assert stored["samples"] == []


def test_several_etas(evaluate, folder):
    result = evaluate("--eta", "0.3, 0.9")
    titles = [line for line in result.stdout.splitlines() if "pixels" in line]
    assert titles == [f"16 × 16 pixels, T = 3, eta = {eta}" for eta in (0.3, 0.9)]
    assert " --eta 0.3,0.9 " in printed_command(folder)


def test_a_spacing_by_name_or_exponent(evaluate, folder):
    evaluate("--spacing", "quadratic")
    evaluate("--spacing", "2", tasks="sr4")  # is the same: the results are gone on with
    stored = json.loads((folder / "evaluation.json").read_text())
    assert stored["settings"]["spacing"] == 2
    assert len(stored["samples"]) == 2 * 2
    assert "--spacing 2 " in printed_command(folder)
    assert "power law of exponent 2" in (folder / "evaluation.md").read_text()


def test_a_network_and_the_prior_s_own_folder(run, photos, unet_folder):
    """Without --out the results go to the folder of the prior; a card is left alone."""
    (unet_folder / "training_log.json").write_text("[]")
    (unet_folder / "README.md").write_text("a card")
    result = run(
        *("study", "evaluation"),
        *("--prior", unet_folder, "--photos", photos, "--seeds", 2, "--sizes", 16),
        *("--timesteps", 2, "--tasks", "sr2", "--device", "cpu", "--dtype", "float64"),
    )
    assert result.exit_code == 0, result.output
    assert (unet_folder / "evaluation.json").is_file()
    assert (unet_folder / "README.md").read_text() == "a card"
    assert "model card left as it is" in result.stderr


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"tasks": "sr2,sr3"}, "tasks: unknown value 'sr3'; known: sr2"),
        ({"tasks": ""}, "'--tasks': got an empty text"),
        (
            {"sizes": "16,17"},
            "sizes: got 17, which is not for sr2: got size 17x17; both sides must",
        ),
        ({"sizes": "large"}, "sizes: got 'large'; expected numbers separated by commas"),
        ({"sizes": "4"}, "sizes: got 4; expected an integer >= 8"),
        ({"timesteps": "0"}, "timesteps: got 0"),
        ({"timesteps": "1001"}, "timesteps: got 1001; expected at most 1000"),
        ({"prior": "none"}, "prior: 'none'"),
    ],
)
def test_refused(evaluate, folder, options, message):
    result = evaluate(**options)
    assert result.exit_code == 2
    (line,) = result.stderr.splitlines()
    assert line.startswith("error: ")
    assert message in line
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--eta", "1.5"), "eta: got 1.5; expected a number in [0, 1]"),
        (("--eta", "x"), "eta: got 'x'"),
        (
            ("--spacing", "karras"),
            "spacing: unknown value 'karras'; known: uniform, quadratic, cubic",
        ),
        (("--spacing", "0.5"), "spacing: got 0.5; expected an exponent >= 1"),
        (("--dtype", "int8"), "dtype: unknown value 'int8'"),
        (("--batch", 0), "batch: got 0"),
        (("--seeds", 0), "seeds: got 0"),
        (("--budget", -1), "budget: got -1"),
        (("--device", "tpu"), "device: unknown value 'tpu'"),
        (("--photos", "nowhere"), "photos: no folder 'nowhere'"),
        (("--only-table",), "holds no evaluation.json"),
    ],
)
def test_refused_options(evaluate, folder, options, message):
    result = evaluate(*options)
    assert result.exit_code == 2, result.output
    (line,) = result.stderr.splitlines()
    assert message in line
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize(
    ("name", "make", "message"),
    [
        ("evaluation.json", os.mkfifo, "is a pipe or a device"),
        ("evaluation.md", os.mkfifo, "is a pipe or a device"),
        ("evaluation.png", os.mkdir, "is a folder; expected a file name"),
        ("evaluation-pictures.npz", os.mkfifo, "is a pipe or a device"),
        ("evaluation.md", lambda path: path.write_text("# Mine\n"), "is of another origin"),
        ("evaluation.json", lambda path: path.write_text("{}"), "format is missing"),
    ],
)
def test_what_lies_in_the_folder_already_is_seen_before_the_work(
    evaluate, folder, monkeypatch, name, make, message
):
    monkeypatch.setattr(run_module.Evaluation, "run", None)
    make(folder / name)
    result = evaluate()
    assert result.exit_code == 2, result.output
    (line,) = result.stderr.splitlines()
    assert line.startswith("error: out: ")
    assert message in line
    assert [path.name for path in folder.iterdir()] == [name]


def test_the_folder_of_the_photos_is_none_for_results(evaluate, photos):
    """The figure would be one of the photos of the next run."""
    result = evaluate(out=photos)
    assert result.exit_code == 2
    assert "has the photos, to which the figure would count" in result.stderr
    assert len(list(photos.iterdir())) == 2


def test_results_of_other_settings_stay(evaluate, folder, photos):
    evaluate()
    before = (folder / "evaluation.json").read_bytes()
    for options, message in (
        (("--dtype", "float64"), "there, 'float64' now"),
        (("--seeds", 3), "another seeds: 2 there, 3 now"),
        (("--spacing", "uniform"), "another spacing: 3.0 there, 1.0 now"),
        (("--all-seeds",), "another all_seeds: False there, True now"),
    ):
        result = evaluate(*options)
        assert result.exit_code == 2
        assert message in result.stderr
    save_image(photos / "cat.png", load_bundled_photo("camera", size=32))
    assert "another photos: different cat.png" in evaluate().stderr
    assert (folder / "evaluation.json").read_bytes() == before


def test_unreadable_photos_are_counted(evaluate, photos):
    (photos / "broken.png").write_bytes(b"nothing")
    result = evaluate()
    assert result.exit_code == 0
    assert (
        "warning: photos: skipped 1 unreadable or tiny files, such as broken.png" in result.stderr
    )


def test_photos_that_are_too_small(evaluate, photos, folder, run):
    save_image(photos / "small.png", load_bundled_photo("cell", size=15))
    result = evaluate()
    assert result.exit_code == 0, result.output
    (line,) = [line for line in result.stderr.splitlines() if "warning" in line]
    assert line == (
        "warning: photos: left out 1 of 3 at 16 pixels, which are smaller, such as small.png"
    )
    names = {
        entry["photo"] for entry in json.loads((folder / "evaluation.json").read_text())["samples"]
    }
    assert names == {"cat.png", "coffee.png"}


def test_photos_that_are_all_too_small(evaluate, folder):
    out = folder / "new"
    result = evaluate(sizes="16,64", out=out)
    assert result.exit_code == 2
    (line,) = result.stderr.splitlines()
    assert line.startswith("error: sizes: got 64, but all 2 photos are smaller; the largest has 32")
    assert not out.exists()


def test_out_of_memory_names_the_batch(evaluate, monkeypatch):
    def full(*arguments, **options):
        raise RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to ...")

    monkeypatch.setattr(run_module, "restore_samples", full)
    result = evaluate("--batch", 4)
    assert result.exit_code == 2
    assert "error: batch: out of memory with 4 images" in result.stderr


def test_the_card_of_a_trained_prior_is_written_last(evaluate, folder, monkeypatch):
    def write_card(there):
        seen.append((there, sorted(path.name for path in there.iterdir())))

    seen = []
    monkeypatch.setattr("deqir_lite.training.card.write_card", write_card)
    evaluate()
    assert seen == []
    (folder / "training_log.json").write_text("{}")
    evaluate()
    assert [there for there, _ in seen] == [folder]
    assert {"evaluation.json", "evaluation.md", "evaluation.png"} <= set(seen[0][1])
