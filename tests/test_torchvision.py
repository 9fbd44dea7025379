"""torchvision loads beside any build of torch, and other failures are not hidden."""

import importlib
import subprocess
import sys

import pytest

from deqir_lite._torchvision import ensure_torchvision

plain = ensure_torchvision.__wrapped__  # without the cache


def fail_with(monkeypatch, error):
    def import_module(name):
        raise error

    monkeypatch.setattr(importlib, "import_module", import_module)


def test_torchvision_can_be_imported_in_a_fresh_process():
    program = (
        "from deqir_lite._torchvision import ensure_torchvision as f; first = f();"
        "import torchvision; from torchvision.transforms import functional; assert f() is first"
    )
    subprocess.run([sys.executable, "-c", program], check=True, timeout=120)


def test_a_missing_torchvision_is_left_to_those_who_need_it(monkeypatch):
    fail_with(monkeypatch, ImportError("No module named 'torchvision'"))
    assert plain() is None


def test_other_failures_are_raised(monkeypatch):
    fail_with(monkeypatch, RuntimeError("something else is broken"))
    with pytest.raises(RuntimeError, match="something else"):
        plain()


def test_nothing_is_declared_where_the_import_works(monkeypatch):
    monkeypatch.setattr(importlib, "import_module", lambda name: sys)
    assert plain() is None
