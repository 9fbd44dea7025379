"""A Python function as a prior: given directly, or named as module:function."""

import importlib
import importlib.util
import inspect
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import torch

from deqir_lite._repr import short
from deqir_lite.memory import is_out_of_memory
from deqir_lite.priors.base import ModelPrior, Prior, ask, model_name
from deqir_lite.priors.halving import Halving
from deqir_lite.priors.tiles import Tiles, on_tiles
from deqir_lite.schedule import NoiseSchedule, linear_schedule


def is_callable_name(name: str) -> bool:
    """Whether ``name`` has the form module:function or file.py:function."""
    module, colon, attribute = name.rpartition(":")
    return bool(colon and module) and attribute.isidentifier()


def prior_from_callable(model: Callable[..., Any], **network: Any) -> Prior:
    """A prior from what a reader's own code offers.

    * a prior, with its ``schedule``: itself;
    * a function of no argument: what it returns, which may be any of these;
    * a UNet2DModel or a pipeline of diffusers: a :class:`NetworkPrior` with the options
      ``network``, see :func:`deqir_lite.priors.network.prior_in_memory`,
    * model(x_t, t) -> eps: wrapped, with the linear schedule of 1000 steps.

    For other schedules and prediction types return a :class:`ModelPrior`. Raises ValueError for
    anything else, and when the function of no argument raises.
    """
    if _is_of(model, "diffusers"):  # before it is called: a pipeline would begin to sample
        from deqir_lite.priors.network import prior_in_memory  # takes seconds to import

        if (found := prior_in_memory(model, **network)) is not None:
            return found
    if callable(model) and _accepts(model, 0):
        name = model_name(model)
        try:
            model = model()
        except (Exception, SystemExit) as error:  # the reader's code can raise anything
            if is_out_of_memory(error):
                raise
            raise ValueError(f"prior: {name} failed: {_reason(error)}") from error
        if _is_of(model, "diffusers"):
            return prior_from_callable(model, **network)
    if isinstance(model, Prior):
        if not isinstance(model.schedule, NoiseSchedule):
            raise ValueError(
                f"prior: got a {type(model).__name__} whose schedule is a "
                f"{type(model.schedule).__name__}; expected a NoiseSchedule"
            )
        ours = isinstance(model, (ModelPrior, ForeignPrior)) or _is_of(model, "deqir_lite")
        return model if ours else ForeignPrior(model)
    if callable(model) and _accepts(model, 2):
        return ModelPrior(model, linear_schedule())
    raise ValueError(
        f"prior: got {model!r}; expected a prior with a schedule, a function that returns one, "
        "or model(x_t, t) -> eps"
    )


class ForeignPrior:
    """A prior of the reader's own class, whose failures are told in one line as those of a
    :class:`ModelPrior` are, with the same ``tiles``. All its other attributes are those of the
    prior; ``size_divisor`` among them says of what the sides of its images must be multiples."""

    def __init__(self, prior: Prior) -> None:
        self.prior, self.schedule = prior, prior.schedule
        self.tiles: Tiles | None = None
        self.halving = Halving()

    def __call__(self, x_t: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
        """eps_theta(x_t, t) for x_t (B, 3, H, W) and t (B,)."""
        divisor = getattr(self.prior, "size_divisor", 1)
        return on_tiles(
            lambda x, time: ask(self.prior, x, time),
            x_t,
            t,
            divisor=divisor,
            tiles=self.tiles,
            halving=self.halving,
        )

    def __getattr__(self, name: str) -> Any:
        if name == "prior":  # not yet there, in a copy for example
            raise AttributeError(name)
        return getattr(self.prior, name)

    def __repr__(self) -> str:
        return f"ForeignPrior({short(self.prior)})"


def load_callable(name: str, **network: Any) -> Prior:
    """The prior behind ``module:function`` or ``path/to/file.py:function``; ``network`` as in
    :func:`prior_from_callable`.

    Modules are also searched in the current folder. Raises FileNotFoundError for a missing
    module, ValueError when importing it or using the function fails.
    """
    source, _, attribute = name.rpartition(":")
    module = _import(source)
    if not hasattr(module, attribute):
        raise ValueError(f"prior: {source} has no {attribute!r}")
    try:
        return prior_from_callable(getattr(module, attribute), **network)
    except Exception as error:  # the reader's code can raise anything
        if is_out_of_memory(error):
            raise
        reason = _reason(error).removeprefix(f"prior: {attribute} failed: ")
        raise ValueError(f"prior: {name} failed: {reason}") from error


def _reason(error: BaseException) -> str:
    return str(error) or type(error).__name__


def _is_of(model: object, package: str) -> bool:
    """Whether a class of the object comes from ``package``, which need not be imported to tell."""
    return any(kind.__module__.partition(".")[0] == package for kind in type(model).__mro__)


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
    except (Exception, SystemExit) as error:  # the reader's code can raise anything
        raise ValueError(f"prior: importing {source} failed: {_reason(error)}") from error
    finally:
        if added:
            sys.path.remove(here)
