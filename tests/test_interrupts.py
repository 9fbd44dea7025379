"""Ctrl-C and its like: raised everywhere, held back where work must be whole."""

import signal
import threading

import pytest

from deqir_lite._interrupts import postponed_interrupt


def test_an_interrupt_comes_after_the_block():
    usual, done = signal.getsignal(signal.SIGINT), []

    def work():
        with postponed_interrupt():
            signal.raise_signal(signal.SIGINT)
            signal.raise_signal(signal.SIGINT)
            done.append("whole")
        done.append("never")

    with pytest.raises(KeyboardInterrupt):
        work()
    assert done == ["whole"]
    assert signal.getsignal(signal.SIGINT) is usual


def test_without_an_interrupt_nothing_happens_and_errors_pass():
    usual = signal.getsignal(signal.SIGINT)
    with postponed_interrupt():
        pass
    with pytest.raises(OSError, match="full"), postponed_interrupt():
        raise OSError("full")
    assert signal.getsignal(signal.SIGINT) is usual


def test_other_threads_may_use_it_too():
    done = []

    def work():
        with postponed_interrupt():
            done.append(1)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert done == [1]
