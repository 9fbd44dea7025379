"""The commands: complete, careful with what is there, one line for an error."""

import importlib
import json
import os
import sys

import nbformat
import pytest
from typer.testing import CliRunner

import deqir_lite
from deqir_lite.cli.teach import teach
from deqir_lite.teach.export import write_files
from deqir_lite.teach.notebooks import chapters, notebooks
from deqir_lite.teach.units import load_units, plan_markdown

RUNNER = CliRunner()
NAMES = {f"{chapter.name}.ipynb" for chapter in chapters()}


def run(*arguments):
    return RUNNER.invoke(teach, [str(argument) for argument in arguments])


@pytest.mark.parametrize("command", ["student", "instructor"])
def test_all_chapters(command, tmp_path):
    out = tmp_path / "new" / "course"
    result = run(command, out)
    assert result.exit_code == 0
    assert {path.name for path in out.iterdir()} == NAMES
    assert len(result.stdout.split()) == len(NAMES)
    for path in out.iterdir():
        nbformat.validate(nbformat.read(path, as_version=4))


def test_a_readers_copy_of_every_notebook(tmp_path):
    assert run("notebooks", tmp_path).exit_code == 0
    names = {f"{page.name}.ipynb" for page in notebooks()}
    assert {path.name for path in tmp_path.iterdir()} == names > NAMES
    for path in tmp_path.iterdir():
        copy = nbformat.read(path, as_version=4)
        nbformat.validate(copy)
        for cell in copy.cells:
            hidden = {"hide-input", "hide-cell", "solution"} & set(cell.metadata.get("tags", []))
            if cell.cell_type == "code":
                folded = cell.metadata.get("jupyter", {}).get("source_hidden", False)
                assert folded == bool(hidden), cell.source


def test_one_chapter_of_each_kind(tmp_path):
    for command in ("student", "instructor"):
        assert run(command, tmp_path / command, "--chapter", "3").exit_code == 0
    name = "03-ddim-restoration.ipynb"
    texts = {
        c: (tmp_path / c / name).read_text(encoding="utf-8") for c in ("student", "instructor")
    }
    assert "For the teacher" in texts["instructor"]
    assert "For the teacher" not in texts["student"]
    assert "eta_ddpm = ...  # your answer" in texts["student"]
    assert "make_chain(prior, operator, y).coefficients\\neta_ddpm" not in texts["student"]


def test_slides(tmp_path):
    result = run("slides", tmp_path, "-c", "4")
    assert result.exit_code == 0
    assert result.stdout.split() == [str(tmp_path / "04-proposition-1.html")]
    assert (tmp_path / "assets" / "reveal" / "dist" / "reveal.js").is_file()
    assert (tmp_path / "assets" / "mathjax" / "tex-mml-chtml.js").is_file()


@pytest.fixture
def ends_without(capfd):
    """(library, arguments) -> the exit code of the command without it, and what it wrote to
    standard error: in a copy of this process, which forgets what has imported the library."""
    if not hasattr(os, "fork"):
        pytest.skip("no fork")

    def end(missing, arguments):
        copy = os.fork()
        if copy == 0:
            code = 70
            try:
                for name in list(sys.modules):
                    if name.startswith((f"{missing}.", "deqir_lite.teach", "deqir_lite.cli")):
                        del sys.modules[name]
                sys.modules[missing] = None
                del deqir_lite.teach, deqir_lite.cli
                importlib.import_module("deqir_lite.cli").app(arguments)
            except SystemExit as end:
                code = end.code
            finally:
                sys.stderr.flush()
                os._exit(code)
        code = os.waitstatus_to_exitcode(os.waitpid(copy, 0)[1])
        return code, capfd.readouterr().err

    return end


@pytest.mark.parametrize("missing", ["nbconvert", "markdown_it", "pybtex"])
def test_without_a_library_it_says_what_to_install(ends_without, missing, tmp_path):
    code, errors = ends_without(missing, ["teach", "student", str(tmp_path / "out"), "-c", "15"])
    assert code == 2
    assert errors.startswith("error: ")
    assert missing in errors
    assert errors.endswith("; install deqir-lite[book]\n")
    assert errors.count("\n") == 1
    assert not (tmp_path / "out").exists()


def test_plan():
    assert run("plan").stdout == plan_markdown(load_units())


def test_work_is_not_overwritten(tmp_path):
    assert run("student", tmp_path, "-c", "3").exit_code == 0
    path = tmp_path / "03-ddim-restoration.ipynb"
    original = path.read_text(encoding="utf-8")
    assert run("student", tmp_path, "-c", "3").exit_code == 0, "the same again does no harm"
    content = json.loads(original)
    content["cells"][0]["source"] = ["my work"]
    path.write_text(json.dumps(content))
    result = run("student", tmp_path)
    assert result.exit_code == 2
    assert result.stderr.startswith("error: out: ")
    assert "03-ddim-restoration.ipynb; --force" in result.stderr
    assert result.stderr.count("\n") == 1
    assert "my work" in path.read_text()
    assert [p.name for p in tmp_path.iterdir()] == [path.name], "nothing else is written either"
    assert run("student", tmp_path, "-c", "3", "--force").exit_code == 0
    assert path.read_text(encoding="utf-8") == original


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--chapter", "77"], "chapter: unknown value '77'"),
        (["--chapter", "ddim"], "chapter: unknown value 'ddim'"),
    ],
)
def test_errors_in_one_line(tmp_path, arguments, message):
    for command in ("student", "instructor", "slides"):
        result = run(command, tmp_path / "out", *arguments)
        assert (result.exit_code, result.stdout) == (2, "")
        assert result.stderr.startswith(f"error: {message}")
        assert result.stderr.count("\n") == 1
        assert not (tmp_path / "out").exists()


def test_a_file_in_the_place_of_the_folder(tmp_path):
    (tmp_path / "out").write_text("")
    result = run("student", tmp_path / "out")
    assert result.exit_code == 2
    assert "is a file; expected a folder" in result.stderr


def test_missing_executed_chapters(tmp_path):
    result = run("slides", tmp_path / "out", "--executed", tmp_path)
    assert result.exit_code == 2
    assert result.stderr.startswith("error: executed: no file")


def test_nothing_half_written(tmp_path, monkeypatch):
    from deqir_lite.teach import export

    def fails(path, data, name):
        raise OSError("disk full")

    monkeypatch.setattr(export, "write_atomically", fails)
    with pytest.raises(OSError, match="disk full"):
        write_files(tmp_path / "out", {"a.txt": b"a"})
    assert not (tmp_path / "out").exists()
