"""Without extras all but the figures and the course is imported, and says what it lacks."""

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import torch

from deqir_lite.metrics import LPIPSUnavailable, lpips, perceptual

ROOT = Path(__file__).resolve().parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]

EXTRAS = [
    *("IPython", "azula", "deepinv", "efficientnet_lite_pytorch", "ipykernel", "ipywidgets"),
    *("jupyter_cache", "lpips", "markdown_it", "ncnn", "spandrel"),
    *("matplotlib", "mdit_py_plugins", "nbconvert", "nbformat", "pillow_heif", "pybtex"),
    *("torch_fidelity", "torchmetrics", "torchvision"),
]
"""Modules that come with the extras."""


def test_the_rest_needs_no_extra():
    program = f"""
import importlib, pkgutil, sys
for name in {EXTRAS!r}:
    sys.modules[name] = None
import deqir_lite
others = ("deqir_lite.viz", "deqir_lite.teach", "deqir_lite.bridges.to_deepinv")
def fail(name):
    if not name.startswith(others):
        raise
for module in pkgutil.walk_packages(deqir_lite.__path__, "deqir_lite.", fail):
    if not module.name.startswith(others):
        importlib.import_module(module.name)
import deqir_lite.teach
try:
    import deqir_lite.viz
except ImportError as error:
    print(error)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert re.fullmatch(
        r"deqir_lite\.viz needs the packages matplotlib and ipywidgets \(.*\): "
        r"pip install 'deqir-lite\[viz\]'\n",
        done.stdout,
    )


def test_lpips_says_which_extra_it_needs(monkeypatch):
    monkeypatch.setitem(sys.modules, "lpips", None)
    perceptual._load.cache_clear()
    x = torch.rand(1, 3, 32, 32) * 2 - 1
    with pytest.raises(LPIPSUnavailable, match=r"^LPIPS needs the package lpips .*lpips\]'$"):
        lpips(x, x)


@pytest.mark.parametrize("extra", ["features", "lpips", "heic", "networks", "compare", "viz"])
def test_the_extras_that_messages_name_exist(extra):
    assert extra in PROJECT["optional-dependencies"]
