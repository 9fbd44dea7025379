"""Let torchvision's Python parts load beside a CPU build of torch.

diffusers, deepinv and lpips import torchvision for a few Python helpers. Wheels of torchvision are
built for CUDA, and beside a CPU-only torch their compiled operators do not load: the import stops
because two operators are not declared. Declaring their signatures is enough; nobody here calls
them.
"""

import sys
from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from types import ModuleType
from typing import Any

_SIGNATURES = (
    "nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
    "qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
)


def repair_torchvision() -> None:
    """From now on ``import torchvision``, by whomever, works beside a CPU build of torch.

    Importing ``deqir_lite`` does this; import it before deepinv or diffusers. Nothing is imported
    here: only once somebody imports torchvision, and only where that stops for want of its
    operators, they are declared and the import is done again. A missing torchvision, and one that
    fails for another reason, stay as they are. Repeated calls change nothing.
    """
    if _FINDER not in sys.meta_path:
        sys.meta_path.insert(0, _FINDER)


class _Finder(MetaPathFinder):
    def find_spec(
        self, name: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if name != "torchvision":
            return None
        spec = PathFinder.find_spec(name, path, target)
        if spec and isinstance(spec.loader, SourceFileLoader):
            spec.loader = _Loader(name, spec.loader.path)
        return spec


class _Loader(SourceFileLoader):
    def exec_module(self, module: ModuleType) -> None:
        try:
            super().exec_module(module)
        except RuntimeError as error:
            if "operator torchvision::" not in str(error):
                raise
            for name in [n for n in sys.modules if n.startswith("torchvision.")]:
                del sys.modules[name]
            import torch  # here: `import deqir_lite` alone does not need it

            library = torch.library.Library("torchvision", "DEF")
            for signature in _SIGNATURES:
                library.define(signature)
            _DECLARED.append(library)
            super().exec_module(module)


_FINDER = _Finder()

_DECLARED: list[Any] = []
"""Declarations last as long as their library."""
