"""Let torchvision's Python parts load beside a CPU build of torch.

lpips and diffusers import torchvision for a few Python helpers. Wheels of torchvision are
built for CUDA, and beside a CPU-only torch their compiled operators do not load: the import
stops because two operators are not declared. Declaring their signatures is enough; nobody
here calls them.
"""

import functools
import importlib
import sys

import torch

_SIGNATURES = (
    "nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
    "qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
)


@functools.cache
def ensure_torchvision() -> torch.library.Library | None:
    """Import torchvision; only where that fails for want of its operators, declare them first.

    Returns the declaring library, kept alive by the cache, or None when the real import worked.
    """
    try:
        importlib.import_module("torchvision")
        return None
    except ImportError:
        return None  # not installed: whoever needs it says so
    except RuntimeError as error:
        if "torchvision::" not in str(error):
            raise
    for name in [n for n in sys.modules if n.split(".")[0] == "torchvision"]:
        del sys.modules[name]
    library = torch.library.Library("torchvision", "DEF")
    for signature in _SIGNATURES:
        library.define(signature)
    importlib.import_module("torchvision")
    return library
