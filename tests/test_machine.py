"""What a result is computed with."""

import platform
import re

import pytest
import torch

from deqir_lite import machine as module
from deqir_lite.machine import (
    commit,
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


def test_the_commit_is_that_of_the_package(monkeypatch, tmp_path):
    assert commit() is None or re.fullmatch("[0-9a-f]{40}", commit())
    asked = commit.__wrapped__
    monkeypatch.setattr(module, "__file__", str(tmp_path / "package" / "machine.py"))
    assert asked() is None
    (tmp_path / ".git").write_text("no repository")
    assert asked() is None
