"""What all commands share: help, errors in one line, devices; and what importing costs."""

import importlib.metadata
import re
import signal
import subprocess
import sys
import warnings

import pytest
import torch

import deqir_lite
from deqir_lite import TASKS, photo_names
from deqir_lite.cli.app import check_seed, one_line_errors

OUT_OF_MEMORY = " GB are free now); work on a smaller size or a smaller batch\n"
COMMANDS = ("restore", "verify", "train", "fit-gaussian", "study", "info")
STUDIES = ("sweeps", "inversion", "steps", "recipes", "evaluation")


def python(*arguments):
    return subprocess.run([sys.executable, *arguments], capture_output=True, text=True, timeout=120)


# --- help ---


def test_help_lists_the_commands(run):
    for group, commands in ([], COMMANDS), (["study"], STUDIES):
        result = run(*group, "--help")
        assert result.exit_code == 0
        for command in commands:
            assert f"│ {command} " in result.stdout


@pytest.mark.parametrize("command", [*COMMANDS, *(f"study {name}" for name in STUDIES)])
def test_every_option_is_explained(run, command):
    result = run(*command.split(), "--help")
    assert result.exit_code == 0
    rows = [line for line in result.stdout.splitlines() if re.match(r"│[ *]+--", line)]
    assert rows
    for row in rows:
        words = row.split(">", 1)[1] if ">" in row else ""
        assert len(words.split()) >= 2, row


@pytest.mark.parametrize(
    "arguments",
    [
        ["restore"],
        ["restore", "photo.png"],
        ["restore", "photo.png", "-o", "out.png", "--timesteps", "many"],
        ["restore", "photo.png", "-o", "out.png", "--tsak", "sr4"],
        ["train", "--photos", "."],
        ["bogus"],
    ],
)
def test_wrong_usage_exits_with_2(run, arguments):
    result = run(*arguments)
    assert result.exit_code == 2
    assert "Usage: " in result.stderr
    assert "Traceback" not in result.output


# --- info ---


def test_info(run):
    result = run("info")
    assert result.exit_code == 0
    lines = dict(line.split(maxsplit=1) for line in result.stdout.splitlines() if " " in line)
    assert lines["deqir-lite"] == deqir_lite.__version__
    assert lines["torch"].startswith(torch.__version__.split("+")[0])
    assert "photo64" in lines["priors"]
    assert "gaussian" in lines["priors"]
    assert lines["photos"] == ", ".join(photo_names())
    for name, task in TASKS.items():
        assert lines[name] == task.description
    assert {"processor", "threads", "accelerator"} <= lines.keys()


def test_info_without_metadata(run, monkeypatch):
    def missing(name):
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(importlib.metadata, "version", missing)
    result = run("info")
    assert result.exit_code == 0
    assert "torch        unknown\n" in result.stdout


# --- errors, warnings, devices ---


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (ValueError("a\n  b"), "error: a b\n"),
        (FileNotFoundError("no file 'x'"), "error: no file 'x'\n"),
        (ValueError(), "error: ValueError\n"),
        (PermissionError(13, "Permission denied", "x"), "[Errno 13] Permission denied: 'x'\n"),
        (MemoryError(), OUT_OF_MEMORY),
        (torch.OutOfMemoryError("CUDA out of memory"), OUT_OF_MEMORY),
        (RuntimeError("DefaultCPUAllocator: not enough memory"), OUT_OF_MEMORY),
    ],
)
def test_errors_are_one_line(capsys, error, line):
    @one_line_errors
    def command():
        raise error

    with pytest.raises(Exception) as caught:  # noqa: PT011 (typer has no public base class)
        command()
    assert caught.value.exit_code == 2
    assert capsys.readouterr().err.endswith(line)


@pytest.mark.parametrize("kind", [TypeError, RuntimeError])
def test_bugs_are_not_hidden(kind):
    @one_line_errors
    def command():
        raise kind("a bug")

    with pytest.raises(kind, match="a bug"):
        command()


def test_own_warnings_are_one_line_and_those_of_libraries_are_not_shown(capsys):
    @one_line_errors
    def command():
        warnings.warn("first\nsecond", stacklevel=2)
        warnings.warn_explicit("of a library", UserWarning, "/elsewhere/library.py", 1)

    before = warnings.showwarning
    command()  # the first is attributed to the decorator, which is in the package
    assert capsys.readouterr().err == "warning: first second\n"
    assert warnings.showwarning is before


def test_seeds_that_torch_takes():
    for seed in (0, 2**63 - 1):
        check_seed(seed)
        torch.Generator().manual_seed(seed)
    with pytest.raises(ValueError, match="seed: got -1"):
        check_seed(-1)


@pytest.mark.parametrize(
    ("name", "code", "line"),
    [
        ("SIGINT", 130, "stopped by Ctrl-C\n"),
        ("SIGTERM", 143, "stopped by SIGTERM\n"),
        ("SIGHUP", 129, "stopped by SIGHUP\n"),
    ],
)
def test_signals_end_a_command_in_one_line(capsys, name, code, line):
    number = getattr(signal, name, None)
    if number is None:
        pytest.skip(f"no {name} here")
    usual, left = signal.getsignal(number), []

    @one_line_errors
    def command():
        try:
            signal.raise_signal(number)
        finally:
            left.append("tidied up")

    with pytest.raises(Exception) as caught:  # noqa: PT011 (typer has no public base class)
        command()
    assert caught.value.exit_code == code
    assert capsys.readouterr().err == line
    assert left == ["tidied up"]
    assert signal.getsignal(number) is usual


# --- the real thing, in its own process ---


def test_importing_loads_no_heavy_package():
    code = (
        "import sys, deqir_lite, deqir_lite.cli\n"
        "heavy = ('diffusers', 'lpips', 'deepinv', 'torchvision', 'skimage', 'scipy')\n"
        "print([name for name in heavy if name in sys.modules])"
    )
    result = python("-c", code)
    assert result.stdout == "[]\n", result.stdout + result.stderr


def test_module_and_exit_codes(tmp_path):
    result = python("-m", "deqir_lite", "restore", "missing.png", "-o", str(tmp_path / "out.png"))
    assert result.returncode == 2
    assert result.stderr == "error: path: no photo 'missing.png'\n"
    assert result.stdout == ""


def test_module_prints_its_name():
    result = python("-m", "deqir_lite", "--help")
    assert result.returncode == 0
    assert "Usage: deqir-lite [OPTIONS] COMMAND" in result.stdout
