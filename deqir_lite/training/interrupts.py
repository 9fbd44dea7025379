"""Ctrl-C at the right moment: not in the middle of a training step or of a save."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


@contextmanager
def postponed_interrupt() -> Iterator[None]:
    """Hold back a Ctrl-C that comes inside, and raise its KeyboardInterrupt at the end.

    Python delivers signals to the main thread only; in other threads there is nothing to do.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    received: list[tuple[Any, ...]] = []
    usual = signal.signal(signal.SIGINT, lambda *arguments: received.append(arguments))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, usual)
    if received and callable(usual):
        usual(*received[0])
