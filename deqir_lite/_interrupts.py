"""Ctrl-C, and the signals by which systems and terminals end a program: all of them alike.

The command imports it first, so it imports little itself.
"""

from __future__ import annotations

import os
import signal
from contextlib import contextmanager

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Any

STOPPING = tuple(
    getattr(signal, name)
    for name in ("SIGINT", "SIGTERM", "SIGHUP", "SIGBREAK")
    if hasattr(signal, name)
)
"""Ctrl-C, an end that is asked for, a terminal that was closed; Ctrl-Break on Windows."""


class Stopped(KeyboardInterrupt):
    """One of :data:`STOPPING` came: its ``number``."""

    def __init__(self, number: int = signal.SIGINT) -> None:
        super().__init__(number)
        self.number = number


def exit_code(error: KeyboardInterrupt) -> int:
    """As shells have it: 130 for Ctrl-C, 143 for SIGTERM, 129 for SIGHUP."""
    return 128 + getattr(error, "number", signal.SIGINT)


def describe(error: KeyboardInterrupt) -> str:
    """What stopped the program: Ctrl-C, or the name of the signal."""
    number = getattr(error, "number", signal.SIGINT)
    return "Ctrl-C" if number == signal.SIGINT else signal.Signals(number).name


def end_at_once() -> None:
    """From now on, as long as nothing has been written, each of :data:`STOPPING` ends the process
    in one line; what is ignored stays so."""
    for number in STOPPING:
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, _end)


def ignore_stopping_signals() -> None:
    """From now on: the process has said why it ends, and does so anyway."""
    for number in STOPPING:
        signal.signal(number, signal.SIG_IGN)


def _end(number: int, frame: Any) -> None:
    """Not by an exception: a module that is being imported may catch it, or pass it on as an
    error of its own."""
    error = Stopped(number)
    try:
        os.write(2, f"stopped by {describe(error)}\n".encode())
    finally:
        os._exit(exit_code(error))


@contextmanager
def stopping_signals() -> Iterator[None]:
    """Inside, each of :data:`STOPPING` raises :class:`Stopped`; what was ignored, as SIGHUP is
    under nohup, stays so.

    A class that is being made, in a module that is being imported for example, passes it on as a
    RuntimeError: an error that comes after a signal is taken for it.
    """
    came: list[Stopped] = []

    def stop(number: int, frame: Any) -> None:
        came.append(Stopped(number))
        raise came[-1]

    with _handled(lambda usual: None if usual is signal.SIG_IGN else stop):
        try:
            yield
        except Exception as error:
            if came:
                raise came[0] from error
            raise


@contextmanager
def postponed_interrupt() -> Iterator[None]:
    """Hold back the :data:`STOPPING` that come inside, where they would raise something, and let
    the first of them do so at the end."""
    received: list[Callable[[], Any]] = []

    def hold_back(usual: Any) -> Any:
        if not callable(usual):  # ignored, or the end without further ado
            return None
        return lambda *arguments: received.append(lambda: usual(*arguments))

    with _handled(hold_back):
        yield
    if received:
        received[0]()


@contextmanager
def _handled(choose: Callable[[Any], Any]) -> Iterator[None]:
    """Inside, each of :data:`STOPPING` has the handler that ``choose`` gives for its usual one,
    unless that is None. Python delivers signals to the main thread: elsewhere nothing changes."""
    import threading

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    usual = {number: signal.getsignal(number) for number in STOPPING}
    usual = {number: handler for number, handler in usual.items() if handler is not None}
    chosen = {number: choose(handler) for number, handler in usual.items()}
    chosen = {number: handler for number, handler in chosen.items() if handler is not None}
    try:
        for number, handler in chosen.items():
            signal.signal(number, handler)
        yield
    finally:
        for number, handler in chosen.items():
            if signal.getsignal(number) is handler:  # else somebody has changed it since
                signal.signal(number, usual[number])
