"""Ctrl-C and its like: raised everywhere, held back where work must be whole."""

import signal
import threading

import pytest

from deqir_lite._interrupts import Stopped, exit_code, postponed_interrupt, stopping_signals


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


def test_other_signals_are_held_back_like_ctrl_c():
    done = []

    def work():
        with stopping_signals():
            with postponed_interrupt():
                signal.raise_signal(signal.SIGTERM)
                done.append("whole")
            done.append("never")

    with pytest.raises(Stopped) as caught:
        work()
    assert done == ["whole"]
    assert exit_code(caught.value) == 143
    assert exit_code(KeyboardInterrupt()) == 130
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL


def test_what_is_ignored_stays_ignored():
    """As nohup does with SIGHUP."""
    usual = signal.signal(signal.SIGTERM, signal.SIG_IGN)
    try:
        with stopping_signals(), postponed_interrupt():
            signal.raise_signal(signal.SIGTERM)
            assert signal.getsignal(signal.SIGTERM) is signal.SIG_IGN
        assert signal.getsignal(signal.SIGTERM) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGTERM, usual)


def test_an_interrupt_that_became_another_error_is_one():
    """As that of a class whose attributes learn their names."""

    class Slow:
        def __set_name__(self, owner, name):
            signal.raise_signal(signal.SIGTERM)

    def work():
        with stopping_signals():
            type("Made", (), {"attribute": Slow()})

    with pytest.raises(Stopped) as caught:
        work()
    assert exit_code(caught.value) == 143
    with pytest.raises(RuntimeError, match="a bug"), stopping_signals():
        raise RuntimeError("a bug")
