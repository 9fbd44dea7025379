"""torchvision loads beside any build of torch, and only where it could not, anything is done."""

import subprocess
import sys
from importlib import metadata, util
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from deqir_lite import _torchvision

ROOT = Path(_torchvision.__file__).parents[1]
NEEDY = ("torchvision", "diffusers", "deepinv", "lpips")


def run(program, *flags):
    done = subprocess.run(
        [sys.executable, *flags, "-c", program], capture_output=True, text=True, timeout=600
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_those_who_need_torchvision_load_after_the_package():
    """Which imports none of them itself."""
    here = [name for name in NEEDY if util.find_spec(name)]
    run(
        "import sys, deqir_lite\n"
        f"assert not set(sys.modules) & set({NEEDY!r})\n"
        + "".join(f"import {name}\n" for name in here)
        + "from diffusers import UNet2DModel"
    )


def test_diffusers_may_come_first():
    run("import diffusers; import deqir_lite; from diffusers import UNet2DModel")


def test_it_is_prepared_once(monkeypatch):
    others = [finder for finder in sys.meta_path if finder is not _torchvision._FINDER]
    monkeypatch.setattr(sys, "meta_path", others)
    for _ in range(2):
        _torchvision.prepare_torchvision()
    assert sys.meta_path.count(_torchvision._FINDER) == 1


def test_the_package_itself_reads_no_metadata():
    """Which takes longer than all else before the command hears of Ctrl-C."""
    added = f"import sys; sys.path.insert(0, {str(ROOT)!r})"
    loaded = "assert not set(sys.modules) & {'importlib.metadata', 'pathlib', 'typing'}"
    run(f"{added}; import deqir_lite.__main__; {loaded}", "-S")


@pytest.mark.parametrize(
    ("torch", "torchvision", "differ"),
    [
        ("2.13.0+cpu", "0.28.0", True),
        ("2.13.0", "0.28.0", False),  # PyPI
        ("2.13.0+cpu", "0.28.0+cpu", False),
        ("2.13.0+cu130", "0.28.0+cu130", False),
        ("2.13.0+cpu", None, False),
        (None, "0.28.0", False),
    ],
)
def test_only_two_builds_that_do_not_fit_need_anything(monkeypatch, torch, torchvision, differ):
    def version(name):
        found = {"torch": torch, "torchvision": torchvision}[name]
        if found is None:
            raise metadata.PackageNotFoundError(name)
        return found

    monkeypatch.setattr(metadata, "version", version)
    assert _torchvision._builds_differ() is differ


@pytest.fixture
def declared(tmp_path, monkeypatch):
    """What is declared before a torchvision with such operators is looked for, twice."""
    found = []

    def library(name, kind):
        return SimpleNamespace(define=lambda signature: found.append((name, kind, signature)))

    def look(loads):
        def load(path):
            if not loads:
                raise OSError(f"{path}: cannot open shared object file")

        monkeypatch.setattr(torch.ops, "load_library", load)
        (tmp_path / "torchvision").mkdir()
        (tmp_path / "torchvision" / "__init__.py").touch()
        (tmp_path / "torchvision" / "_C.so").touch()
        for name in ("torch", "torchvision", "torchvision"):
            assert _torchvision._FINDER.find_spec(name, None) is None
        return found

    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(_torchvision, "_DECLARED", [])
    monkeypatch.setattr(_torchvision, "_builds_differ", lambda: True)
    monkeypatch.setattr(torch.library, "Library", library)
    return look


def test_operators_that_do_not_load_are_declared(declared):
    names = [(name, kind, signature.split("(")[0]) for name, kind, signature in declared(False)]
    assert names == [("torchvision", "DEF", "nms"), ("torchvision", "DEF", "qnms")]


def test_operators_that_load_are_left_alone(declared):
    assert declared(True) == []
