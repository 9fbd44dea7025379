"""A command on several ranks: one program for whoever looks at it."""

import functools
import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext, redirect_stderr, redirect_stdout
from typing import Any

import typer

import deqir_lite
from deqir_lite._interrupts import describe, exit_code, ignore_stopping_signals
from deqir_lite.engine.ranks import joined_ranks, numbers_of_process


def on_ranks(command: Callable[..., Any]) -> Callable[..., Any]:
    """Let the processes that torchrun has started do a command together.

    All of them must be given the same options. What they print is printed by rank 0; of their
    errors, which as a rule follow from one another, the first is told.
    """

    @functools.wraps(command)
    def wrapped(**options: Any) -> Any:
        rank, size = numbers_of_process()
        if size == 1:
            return command(**options)
        # one line says what torch would log in many
        os.environ.setdefault("TORCH_CPP_LOG_LEVEL", "FATAL")
        with joined_ranks() as ranks:
            try:
                with _silent() if rank > 0 else nullcontext():
                    ranks.check_same(options | {"deqir-lite": deqir_lite.__version__})
                    return command(**options)
            except KeyboardInterrupt as error:
                ignore_stopping_signals()
                if ranks.is_first_to_end():
                    number = getattr(error, "number", signal.SIGINT)
                    why = ", as when another rank has ended" if number == signal.SIGTERM else ""
                    typer.echo(f"stopped by {describe(error)}{why}", err=True)
                # not typer's: an error after a signal is taken for the signal
                raise SystemExit(exit_code(error)) from error
            except (ValueError, OSError, MemoryError, RuntimeError) as error:
                ignore_stopping_signals()  # torchrun ends the others when one has ended
                if ranks.is_first_to_end():
                    raise
                raise SystemExit(2) from error

    return wrapped


@contextmanager
def _silent() -> Iterator[None]:
    with open(os.devnull, "w") as nowhere, redirect_stdout(nowhere), redirect_stderr(nowhere):
        yield
