"""What a torchvision that was built for CUDA needs to be imported beside a torch that was not.

diffusers, deepinv and lpips import torchvision for a few Python helpers. On Linux, PyPI has it only
built for CUDA; beside a CPU build of torch, which comes from another index, its compiled operators
do not load, and its import stops because two of them are not declared. Whoever installs both from
one index needs nothing of this, and nothing is done. Source: torchvision's ``extension.py`` and
``_meta_registrations.py``.
"""

import sys
from importlib import metadata
from importlib.abc import MetaPathFinder
from importlib.machinery import PathFinder
from pathlib import Path
from typing import Any

_SIGNATURES = (
    "nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
    "qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
)

_DECLARED: list[Any] = []
"""Declarations last as long as their library."""


def prepare_torchvision() -> None:
    """Where a CPU build of torch has another build of torchvision beside it: let that be imported,
    by whomever, from now on. Imports nothing; repeated calls change nothing."""
    builds = [_version(name).endswith("+cpu") for name in ("torch", "torchvision")]
    if builds == [True, False] and _version("torchvision") and _FINDER not in sys.meta_path:
        sys.meta_path.insert(0, _FINDER)


class _Finder(MetaPathFinder):
    """Finds nothing: it is asked before torchvision is."""

    def find_spec(self, name: str, *others: Any) -> None:
        if name == "torchvision" and not _DECLARED:
            spec = PathFinder.find_spec(name)
            if spec and spec.origin:
                _declare_operators(Path(spec.origin).parent)


_FINDER = _Finder()


def _declare_operators(folder: Path) -> None:
    """Declare the two operators where those in ``folder`` do not load; nobody here calls them."""
    import torch  # whoever imports torchvision has imported it, or is about to

    for compiled in folder.glob("_C*.so"):
        try:
            torch.ops.load_library(compiled)
        except OSError:
            _DECLARED.append(torch.library.Library("torchvision", "DEF"))
            for signature in _SIGNATURES:
                _DECLARED[0].define(signature)
        return


def _version(name: str) -> str:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return ""
