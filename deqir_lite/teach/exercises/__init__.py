"""The checks of all exercises, one module for each chapter."""

import importlib
import pkgutil


def load_all() -> None:
    """Import every chapter's module, which registers its checks."""
    for module in pkgutil.iter_modules(__path__, f"{__name__}."):
        importlib.import_module(module.name)
