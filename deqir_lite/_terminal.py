"""The command as a program of the system: signals from its first moment on, and a terminal that
may be full or gone. Imports nothing that takes time."""

import errno
import io
import os
import sys
from collections.abc import Callable
from typing import Any, TextIO

from deqir_lite._interrupts import end_at_once


def run(load: Callable[[], Callable[[], Any]]) -> int:
    """Load a command, call it, and give its exit code.

    A signal that comes while it is loading ends the process at once, in one line. What standard
    output does not take is lost, but the work goes on: files come first. For a closed pipe that is
    all, a full one is exit code 2 in the end.
    """
    _fill_closed_streams()
    end_at_once()
    sys.stdout, output = _steady(sys.stdout)
    sys.stderr, _ = _steady(sys.stderr)
    try:
        load()()
        code: Any = 0
    except SystemExit as error:
        code = error.code
    sys.stdout.flush()
    if output is not None and output.error is not None and output.error.errno != errno.EPIPE:
        print(f"error: standard output: {output.error.strerror}", file=sys.stderr)
        return 2
    return code if isinstance(code, int) else 0 if code is None else 1


def _fill_closed_streams() -> None:
    """Let the standard streams that are closed be /dev/null: the next files that are opened would
    be taken for them."""
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        if getattr(sys, name) is None:
            try:
                os.fstat(number)
            except OSError:
                while os.open(os.devnull, os.O_RDWR) < number:
                    pass
            setattr(sys, name, open(number, "r" if number == 0 else "w", closefd=False))  # noqa: SIM115


class _SteadyFile(io.FileIO):
    """A stream that goes on after its first error, which it keeps; what comes then is lost."""

    error: OSError | None = None

    def write(self, data: Any) -> int:
        if self.error is None:
            try:
                return super().write(data)
            except OSError as error:
                self.error = error
        return len(data)


def _steady(stream: TextIO) -> tuple[TextIO, _SteadyFile | None]:
    if sys.platform == "win32" or not isinstance(stream, io.TextIOWrapper):
        return stream, None  # consoles of Windows are no files
    stream.flush()
    file = _SteadyFile(stream.fileno(), "w", closefd=False)
    lines = stream.line_buffering
    buffered = io.BufferedWriter(file)
    made = io.TextIOWrapper(buffered, stream.encoding, "backslashreplace", line_buffering=lines)
    return made, file
