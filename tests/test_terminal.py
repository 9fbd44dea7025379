"""The command as a program: signals while it loads, terminals that are full, closed or gone."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

import deqir_lite
from deqir_lite import _interrupts, _terminal
from deqir_lite.__main__ import main

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="signals and devices of POSIX")

# without the package's own imports, which take seconds
ALONE = f"""
import os, signal, sys, types
package = types.ModuleType("deqir_lite")
package.__path__ = [{str(Path(deqir_lite.__file__).parent)!r}]
sys.modules["deqir_lite"] = package
from deqir_lite._terminal import run
"""


def program(code, **streams):
    """The code after ``ALONE`` in a process of its own."""
    usual = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    return subprocess.run(
        [sys.executable, "-c", ALONE + code], text=True, timeout=60, check=False, **usual | streams
    )


@pytest.mark.parametrize(
    ("name", "line", "code"),
    [("SIGINT", "Ctrl-C", 130), ("SIGTERM", "SIGTERM", 143), ("SIGHUP", "SIGHUP", 129)],
)
def test_a_signal_during_the_imports_is_one_line(name, line, code):
    """Though what is imported may catch every exception."""
    done = program(f"""
def load():
    try:
        signal.raise_signal(signal.{name})
    except BaseException:
        pass
    print("it goes on")
sys.exit(run(load))
""")
    assert (done.returncode, done.stdout, done.stderr) == (code, "", f"stopped by {line}\n")


WORK = """
def work():
    for k in range(3):
        print("line", k, flush=True)
        print("progress", k, file=sys.stderr)
    open(sys.argv[1], "w").write("whole") if len(sys.argv) > 1 else None
    raise SystemExit(CODE)
sys.exit(run(lambda: work))
"""


def work(tmp_path, code=0, before="", **streams):
    done = tmp_path / "result"
    command = [sys.executable, "-c", ALONE + WORK.replace("CODE", str(code)), str(done)]
    if before:
        command = ["sh", "-c", f'"$0" "$@" {before}', *command]
    usual = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    made = subprocess.run(command, text=True, timeout=60, check=False, **usual | streams)
    assert done.read_text() == "whole"
    return made


@pytest.mark.parametrize("code", [0, 1, 2])
def test_exit_codes_pass(tmp_path, code):
    made = work(tmp_path, code)
    assert made.returncode == code
    assert made.stdout == "line 0\nline 1\nline 2\n"
    assert made.stderr == "progress 0\nprogress 1\nprogress 2\n"


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no /dev/full")
def test_a_full_terminal_loses_no_result(tmp_path):
    with open("/dev/full", "w") as full:
        made = work(tmp_path, stdout=full)
        assert made.returncode == 2
        assert made.stderr.splitlines()[-1] == "error: standard output: No space left on device"
        assert len(made.stderr.splitlines()) == 4
        assert work(tmp_path, stdout=full, stderr=full).returncode == 2
        made = work(tmp_path, stderr=full)
        assert (made.returncode, made.stdout) == (0, "line 0\nline 1\nline 2\n")


def test_a_pipe_that_nobody_reads_is_quiet(tmp_path):
    reading, writing = os.pipe()
    os.close(reading)
    made = work(tmp_path, stdout=writing)
    os.close(writing)
    assert (made.returncode, made.stderr) == (0, "progress 0\nprogress 1\nprogress 2\n")


@pytest.mark.parametrize("closed", [">&-", "2>&-", ">&- 2>&-", "<&- >&- 2>&-"])
def test_closed_streams_are_nobodys_file(tmp_path, closed):
    """The next file that is opened would be taken for standard output."""
    assert work(tmp_path, before=closed).returncode == 0


def test_names_that_are_not_utf_8_are_printed(tmp_path):
    done = program(r"""
def work():
    print("photo", b"\xff.png".decode(errors="surrogateescape"))
sys.exit(run(lambda: work))
""")
    assert (done.returncode, done.stdout) == (0, "photo \\udcff.png\n")


def test_main_is_the_command(monkeypatch):
    seen = []
    monkeypatch.setattr(_interrupts, "end_at_once", lambda: seen.append("signals"))
    monkeypatch.setattr(_terminal, "run", lambda load: seen.append(load()) or 7)
    with pytest.raises(SystemExit) as caught:
        main()
    assert caught.value.code == 7
    assert seen[0] == "signals"  # before anything is imported
    assert seen[1].keywords == {"prog_name": "deqir-lite"}
