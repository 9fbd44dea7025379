"""Deep equilibrium diffusion restoration with parallel sampling."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from deqir_lite.torchvision_repair import repair_torchvision

if TYPE_CHECKING:
    from deqir_lite._public import *

__version__ = "0.1.0"

repair_torchvision()  # for deepinv and diffusers, whoever imports them after this package


def __getattr__(name: str) -> Any:
    """A public name, or a module below; torch is imported with the first of them, so that the
    command shows its help without."""
    if name.startswith("__") and name != "__all__":
        raise AttributeError(f"module 'deqir_lite' has no attribute {name!r}")
    public = import_module("deqir_lite._public")
    if name in globals():  # a module, which has been imported with it
        return globals()[name]
    try:
        return getattr(public, name)
    except AttributeError:
        raise AttributeError(f"module 'deqir_lite' has no attribute {name!r}") from None


def __dir__() -> list[str]:
    return sorted({*globals(), *import_module("deqir_lite._public").__all__})
