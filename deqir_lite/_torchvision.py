"""What a torchvision that was built for CUDA needs to be imported beside a torch that was not.

diffusers, deepinv and lpips import torchvision for a few Python helpers. On Linux, PyPI has it only
built for CUDA; beside a CPU build of torch, which comes from another index, its compiled operators
do not load, and its import stops because two of them are not declared. Whoever installs both from
one index needs nothing of this, and nothing is done. Source: torchvision's ``extension.py`` and
``_meta_registrations.py``.
"""

from __future__ import annotations

import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
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
    if _FINDER not in sys.meta_path:
        sys.meta_path.insert(0, _FINDER)


class _Finder:
    """Finds nothing: it is asked before torchvision is."""

    def find_spec(self, name: str, *others: Any) -> None:
        if name == "torchvision" and not _DECLARED and _builds_differ():
            from importlib.machinery import PathFinder

            spec = PathFinder.find_spec(name)
            if spec and spec.origin:
                _declare_operators(spec.origin)


def _builds_differ() -> bool:
    """Looked up only when torchvision is imported: the metadata of packages take time to read."""
    torch, torchvision = _version("torch"), _version("torchvision")
    return torch.endswith("+cpu") and bool(torchvision) and not torchvision.endswith("+cpu")


_FINDER = _Finder()


def _declare_operators(origin: str) -> None:
    """Declare the two operators where those beside the file ``origin`` do not load; nobody here
    calls them."""
    from pathlib import Path

    import torch  # whoever imports torchvision has imported it, or is about to

    for compiled in Path(origin).parent.glob("_C*.so"):
        try:
            torch.ops.load_library(compiled)
        except OSError:
            _DECLARED.append(torch.library.Library("torchvision", "DEF"))
            for signature in _SIGNATURES:
                _DECLARED[0].define(signature)
        return


def _version(name: str) -> str:
    from importlib import metadata

    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return ""
