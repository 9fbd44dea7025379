"""What all commands share: help, errors in one line, devices; and what importing costs."""

import importlib
import importlib.metadata
import inspect
import re
import signal
import subprocess
import sys
import warnings

import pytest
import torch
from typer.testing import CliRunner

import deqir_lite
from deqir_lite import (
    PICTURE,
    TASKS,
    Damage,
    SolveOptions,
    load_prior,
    photo_names,
    pose_damaged,
    pose_problem,
    restore_problem,
    verification,
)
from deqir_lite.bundled import mask_names, prior_names
from deqir_lite.chain import PRESETS
from deqir_lite.cli import app, options
from deqir_lite.cli.app import check_seed, one_line_errors
from deqir_lite.conversion.convert import BETA_SCHEDULES, LAYOUTS, convert_checkpoint
from deqir_lite.conversion.published import PUBLISHED
from deqir_lite.device import DEVICES
from deqir_lite.fixedpoint import FORMS
from deqir_lite.images import PICTURE_ENDINGS, read_photo
from deqir_lite.methods import METHODS
from deqir_lite.operators.mask_files import HOLES, read_mask
from deqir_lite.operators.named_kernels import kernel_forms
from deqir_lite.priors.base import DTYPES
from deqir_lite.priors.load import GAUSSIAN
from deqir_lite.restoration import SAMPLERS, choose
from deqir_lite.schedule import SPACINGS
from deqir_lite.solvers import SOLVERS
from deqir_lite.training.statistics import fit_photo_spectrum

OUT_OF_MEMORY = " GB are free now); work on a smaller size or a smaller batch\n"
COMMANDS = (
    *("restore", "demo", "verify", "evaluate", "bench", "train", "fit-gaussian", "convert"),
    *("fetch", "study", "teach", "info"),
)
STUDIES = (
    *("sweeps", "inversion", "steps", "weighted", "released", "posterior", "recipes"),
    "evaluation",
)
TEACHING = ("student", "instructor", "notebooks", "slides", "plan")
SINGLE = [
    *(name for name in COMMANDS if name not in ("study", "teach")),
    *(f"study {name}" for name in STUDIES),
    *(f"teach {name}" for name in TEACHING),
]


def python(*arguments):
    return subprocess.run([sys.executable, *arguments], capture_output=True, text=True, timeout=120)


# --- help ---


def test_help_lists_the_commands(run):
    for group, commands in ([], COMMANDS), (["study"], STUDIES), (["teach"], TEACHING):
        for asking in (["--help"], ["-h"], []):
            result = run(*group, *asking)
            assert result.exit_code == 0
            for command in commands:
                assert f"\n  {command} " in result.stdout


@pytest.mark.parametrize("command", SINGLE)
def test_every_option_is_explained_on_one_screen(run, command):
    result = run(*command.split(), "--help")
    assert result.exit_code == 0
    lines = result.stdout.splitlines()
    assert len(lines) <= 47  # half of what restore had once
    assert all(len(line) <= 80 for line in lines)
    rows = [k for k, line in enumerate(lines) if re.match(r" +(-\w, )?--\w", line)]
    for k in rows:
        own = re.split(r"  +", lines[k].strip(), maxsplit=1)
        assert len(own) == 2 or lines[k + 1].startswith(" " * 10), lines[k]


def test_examples_come_before_options(run):
    for command in ("restore", "demo"):
        text = run(command, "--help").stdout
        assert 0 < text.index(f"deqir-lite {command} ") < text.index("--sigma-y X|auto")


def test_version(run):
    assert run("--version").stdout == f"deqir-lite {deqir_lite.__version__}\n"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["restore"], "Missing argument 'PHOTO...'; "),
        (["restore", "photo.png", "--timesteps", "many"], "Invalid value for '--timesteps': "),
        (["demo", "photo.png", "--tsak", "sr4"], "o such option"),
        (["train", "--photos", "."], "Missing option '--"),
        (["bogus"], "No such command 'bogus'"),
        (["study", "bogus"], "No such command 'bogus'"),
        (["info", "too", "much"], "Got unexpected extra argument"),
    ],
)
def test_wrong_usage_is_one_line(run, arguments, message):
    result = run(*arguments)
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.startswith("error: ")
    assert result.stderr.count("\n") == 1
    assert message in result.stderr


# --- defaults and names: what the command says is what the library does ---


def defaults_of(*functions):
    """The defaults of all parameters, those of the first function first."""
    parameters = [inspect.signature(function).parameters for function in functions]
    return {
        name: parameter.default
        for each in reversed(parameters)
        for name, parameter in each.items()
        if parameter.default is not parameter.empty
    }


RENAMED = {"num_steps": "timesteps", "max_sweeps": "sweeps", "name": "prior"}
OWN = {
    "mask", "upscale", "kernel", "out", "report", "size", "photo", "task", "label", "max_pixels",
    "device", "tolerance",
}  # fmt: skip
"""Options that are no defaults of the library: None, or what only the command has."""


@pytest.mark.parametrize(("command", "pose"), [("restore", pose_damaged), ("demo", pose_problem)])
def test_the_defaults_are_those_of_the_library(command, pose):
    module = importlib.import_module(f"deqir_lite.cli.{command}")
    said = defaults_of(getattr(module, command))
    library = defaults_of(
        restore_problem, pose, choose, load_prior, read_mask, SolveOptions, Damage, read_photo
    )
    library = {RENAMED.get(name, name): value for name, value in library.items()}
    for name in said.keys() - OWN:
        expected = library[name]
        shown = float(said[name]) if command == "demo" and name == "sigma_y" else said[name]
        assert shown == expected, name
    assert {name: said[name] for name in ("mask", "out", "report", "label", "max_pixels")} == (
        dict.fromkeys(("mask", "out", "report", "label", "max_pixels"))
    )
    assert said["device"] == "auto"


def test_the_defaults_of_the_other_commands():
    for module, name, function in (
        ("verify", "verify", verification.verify),
        ("train", "fit_gaussian", fit_photo_spectrum),
        ("convert", "convert", convert_checkpoint),
    ):
        said = defaults_of(getattr(importlib.import_module(f"deqir_lite.cli.{module}"), name))
        library = {RENAMED.get(k, k): v for k, v in defaults_of(function).items()}
        both = said.keys() & library.keys()
        assert len(both) >= 3
        assert {k: said[k] for k in both} == {k: library[k] for k in both}
    said = defaults_of(importlib.import_module("deqir_lite.cli.evaluation").evaluation)
    assert said["eta"] == f"{PICTURE['eta']:g}"
    assert said["spacing"] == PICTURE["spacing"]
    assert (said["sizes"], said["timesteps"]) == ("64,128,256", "20,50")


def test_the_names_in_the_help_are_those_of_the_library():
    for text, names in (
        (options.HOLES, HOLES),
        (options.MASKS, mask_names()),
        (options.ENDINGS, PICTURE_ENDINGS),
        (options.PHOTOS, photo_names()),
        (options.TASKS, TASKS),
        (options.DEVICES, DEVICES),
        (options.PRIORS, [*prior_names(), GAUSSIAN]),
        (options.PRESETS, PRESETS),
        (options.SAMPLERS, ["auto", *SAMPLERS]),
        (options.DTYPES, DTYPES),
        (options.METHODS, ["auto", *METHODS]),
        (options.SPACINGS, SPACINGS),
        (options.FORMS, FORMS),
        (options.SOLVERS, SOLVERS),
        (options.LAYOUTS, LAYOUTS),
        (options.BETA_SCHEDULES, BETA_SCHEDULES),
        (options.PUBLISHED, PUBLISHED),
    ):
        assert sorted(text.split(", ")) == sorted(names)
    assert kernel_forms() == options.KERNELS
    assert PICTURE == {"num_steps": 20, "eta": 1.0, "spacing": "cubic"}  # as --help says


@pytest.mark.parametrize(
    ("typed", "found"),
    [
        ("demo co", "coffee"),
        ("demo --task old-photo-", "old-photo-sr2"),
        ("demo --mask s", "scratch stripe"),
        ("restore a.png --mask b", "box"),
        ("restore a.png --hole o", "opaque"),
        ("restore a.png --kernel m", "motion:"),
        ("restore a.png --prior g", "gaussian"),
        ("restore a.png --solver p", "picard"),
        ("restore a.png --method w", "weighted"),
        ("restore a.png --device c", "cpu cuda"),
        ("verify --task sr", "sr2 sr4 sr8"),
    ],
)
def test_a_shell_completes_names(typed, found):
    words = f"deqir-lite {typed}"
    asked = {
        "_DEQIR_LITE_COMPLETE": "complete_bash",
        "COMP_WORDS": words,
        "COMP_CWORD": str(len(words.split()) - 1),
    }
    result = CliRunner().invoke(app, [], prog_name="deqir-lite", env=asked)
    assert result.stdout.split() == found.split()


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
    for distance in ("LPIPS", "features", "FID"):  # here, or what is missing
        assert lines[distance] == "yes" or "need" in lines[distance]


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
    left = []
    # in the background of a shell the signal is ignored
    before, usual = signal.getsignal(number), signal.default_int_handler
    signal.signal(number, usual)

    @one_line_errors
    def command():
        try:
            signal.raise_signal(number)
        finally:
            left.append("tidied up")

    try:
        with pytest.raises(Exception) as caught:  # noqa: PT011 (typer has no public base class)
            command()
        assert signal.getsignal(number) is usual
    finally:
        signal.signal(number, before)
    assert caught.value.exit_code == code
    assert capsys.readouterr().err == line
    assert left == ["tidied up"]


# --- the real thing, in its own process ---


HEAVY = ("torch", "numpy", "diffusers", "lpips", "deepinv", "torchvision", "skimage", "scipy")


OPTIONS_OF_RESTORE = (
    ["missing.png", "--colorize"],
    [__file__, "--mask", "missing.png"],
    [__file__, "--kernel", "missing.png"],
    [__file__, "--sigma-y", "much"],
    [__file__, "--upscale", "1"],
    [__file__, "--upscale", "2", "--form", "bogus"],
    [__file__, "--upscale", "2", "--spacing", "0.5"],
    [__file__, "--upscale", "2", "--hole", "bogus"],
    [__file__, "--upscale", "2", "--device", "bogus"],
    [__file__, "--upscale", "2", "-o", "missing/out.png"],
    [__file__, "--upscale", "2", "-o", "/dev/null"],
)
LIGHT = (
    ["restore", "-h"],
    ["study", "evaluation", "-h"],
    ["restore", "--bogus"],
    *(["restore", *options] for options in OPTIONS_OF_RESTORE),
    ["demo", "--task", "bogus"],
    ["demo", "missing.png"],
    ["demo", "--size", "2"],
    ["demo", "-o", "x.xyz"],
)
"""Commands that end before they compute anything."""


def test_importing_loads_no_heavy_package():
    """One process: what one command has loaded, the next ones have too."""
    code = f"""
import sys
def loaded(what):
    print([name for name in {HEAVY} if name in sys.modules], *what)
import deqir_lite, deqir_lite.cli
loaded(["import"])
for arguments in {LIGHT}:
    try:
        deqir_lite.cli.app(arguments)
    except SystemExit:
        loaded(arguments)
from deqir_lite import *
assert psnr
loaded(["psnr"])
"""
    result = python("-c", code)
    said = [line for line in result.stdout.splitlines() if line.startswith("[")]
    light = [" ".join(["[]", *arguments]) for arguments in (["import"], *LIGHT)]
    assert said == [*light, "['torch', 'numpy'] psnr"], result.stdout + result.stderr


@pytest.mark.parametrize(
    ("arguments", "reader", "shown"),
    [(["info"], "true", ""), (["--version"], "head -1", f"deqir-lite {deqir_lite.__version__}\n")],
)
def test_a_closed_pipe_is_quiet(arguments, reader, shown):
    """Before the first of many lines, for certain, and after one."""
    code = "import sys; sys.modules.update(lpips=None, torchvision=None, torch_fidelity=None); "
    code += "from deqir_lite.__main__ import main; main()"  # without what takes long to load
    command = f'{sys.executable} -c "{code}" {" ".join(arguments)} | {reader}'
    result = subprocess.run(command, shell=True, capture_output=True, text=True, timeout=120)
    assert result.stdout == shown
    assert result.stderr == ""


def test_module_and_exit_codes(tmp_path):
    command = ("restore", "missing.png", "--colorize", "-o", str(tmp_path / "out.png"))
    result = python("-m", "deqir_lite", *command)
    assert result.returncode == 2
    assert result.stderr == "error: photo: no photo 'missing.png'\n"
    assert result.stdout == ""


def test_module_prints_its_name():
    result = python("-m", "deqir_lite", "--help")
    assert result.returncode == 0
    assert "Usage: deqir-lite [OPTIONS] COMMAND" in result.stdout
