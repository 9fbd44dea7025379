"""Deep equilibrium diffusion restoration with parallel sampling."""

from __future__ import annotations

from deqir_lite._torchvision import prepare_torchvision

TYPE_CHECKING = False  # typing's own is True for type checkers too, but takes time to import
if TYPE_CHECKING:
    from typing import Any

    from deqir_lite._public import *  # noqa: F403 (it has an __all__)

__version__ = "0.1.0"

prepare_torchvision()  # for deepinv, diffusers and lpips, whoever imports them


def __getattr__(name: str) -> Any:
    """A public name, or a module below. Torch is imported with the first of the names, so that the
    command shows its help without; and nothing before, so that it soon hears of Ctrl-C."""
    from importlib import import_module
    from importlib.util import find_spec

    if name.startswith("__") and name != "__all__":
        raise AttributeError(f"module 'deqir_lite' has no attribute {name!r}")
    if find_spec(f"deqir_lite.{name}") is not None:
        return import_module(f"deqir_lite.{name}")
    try:
        return getattr(import_module("deqir_lite._public"), name)
    except AttributeError:
        raise AttributeError(f"module 'deqir_lite' has no attribute {name!r}") from None


def __dir__() -> list[str]:
    from importlib import import_module

    return sorted({*globals(), *import_module("deqir_lite._public").__all__})
