"""A Python function as a prior: given directly, or named as module:function."""

import importlib
import importlib.util
import inspect
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

from deqir_lite.priors.base import ModelPrior, Prior
from deqir_lite.schedule import linear_schedule


def is_callable_name(name: str) -> bool:
    """Whether ``name`` has the form module:function or file.py:function."""
    module, colon, attribute = name.rpartition(":")
    return bool(colon and module) and attribute.isidentifier()


def prior_from_callable(model: Callable[..., Any]) -> Prior:
    """A prior from what a reader's own code offers.

    * a prior, with its ``schedule``: itself;
    * a function of no argument: what it returns, which may be any of these;
    * model(x_t, t) -> eps: wrapped, with the linear schedule of 1000 steps.

    For other schedules and prediction types return a :class:`ModelPrior`. Raises ValueError for
    anything else.
    """
    if callable(model) and _accepts(model, 0):
        model = model()
    if isinstance(model, Prior):
        return model
    if callable(model) and _accepts(model, 2):
        return ModelPrior(model, linear_schedule())
    raise ValueError(
        f"prior: got {model!r}; expected a prior with a schedule, a function that returns one, "
        "or model(x_t, t) -> eps"
    )


def load_callable(name: str) -> Prior:
    """The prior behind ``module:function`` or ``path/to/file.py:function``.

    Modules are also searched in the current folder. Raises FileNotFoundError for a missing
    module, ValueError when importing it or using the function fails.
    """
    source, _, attribute = name.rpartition(":")
    module = _import(source)
    if not hasattr(module, attribute):
        raise ValueError(f"prior: {source} has no {attribute!r}")
    try:
        return prior_from_callable(getattr(module, attribute))
    except Exception as error:  # the reader's code can raise anything
        raise ValueError(f"prior: {name} failed: {error}") from error


def _accepts(model: Callable[..., Any], count: int) -> bool:
    """Whether ``model`` can be called with ``count`` positional arguments."""
    if isinstance(model, Prior):
        return False  # it is one already, and is not called to get one
    try:
        # a torch module's own signature takes anything
        inspect.signature(getattr(model, "forward", model)).bind(*range(count))
    except TypeError:
        return False
    except ValueError:  # some callables in C have no signature
        return count == 2
    return True


def _import(source: str) -> ModuleType:
    is_file = source.endswith(".py")
    here = str(Path.cwd())
    added = here not in sys.path
    if added:
        sys.path.append(here)  # last: a file here must not hide a library
    try:
        if not is_file:
            return importlib.import_module(source)
        path = Path(source)
        if not path.is_file():
            raise FileNotFoundError(f"prior: no file {source!r}")
        spec = importlib.util.spec_from_file_location(path.stem, path)
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        return module
    except FileNotFoundError:
        raise
    except ModuleNotFoundError as error:
        if error.name and source.startswith(error.name):
            raise FileNotFoundError(f"prior: no module {source!r}") from error
        raise ValueError(f"prior: importing {source} failed: {error}") from error
    except Exception as error:  # the reader's code can raise anything
        raise ValueError(f"prior: importing {source} failed: {error}") from error
    finally:
        if added:
            sys.path.remove(here)
