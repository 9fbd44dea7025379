"""What a result is computed with."""

import platform

import pytest
import torch

from deqir_lite.machine import (
    describe_device,
    machine,
    versions,
)


def test_versions_are_those_in_use():
    found = versions()
    assert found["python"] == platform.python_version()
    assert found["torch"] == torch.__version__


def test_machine_names_processor_and_threads():
    found = machine()
    assert found["processor"]
    assert found["threads"] == str(torch.get_num_threads())
    assert platform.node() not in found.values()


@pytest.mark.parametrize(("threads", "words"), [(1, ", 1 thread"), (2, ", 2 threads")])
def test_the_processor_is_described_with_its_threads(monkeypatch, threads, words):
    monkeypatch.setattr(torch, "get_num_threads", lambda: threads)
    assert describe_device(torch.device("cpu")).endswith(words)
