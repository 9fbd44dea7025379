"""Priors by name: the bundled ones, a folder, a diffusers hub id, or a Python function."""

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from deqir_lite.bundled import data_path, prior_names, prior_path
from deqir_lite.defaults import DTYPE, PRIOR
from deqir_lite.priors.base import Prior
from deqir_lite.priors.callables import is_callable_name, load_callable, prior_from_callable
from deqir_lite.priors.files import CONFIG_FILE, SPECTRUM_FILE, class_name_of, find_model
from deqir_lite.priors.gaussian import GaussianPrior
from deqir_lite.priors.kinds import FOLDERS, NO_PRIORS, describe_file, tensor_names
from deqir_lite.priors.residual import ResidualPrior, is_residual_prior
from deqir_lite.priors.spectrum import PhotoSpectrum
from deqir_lite.schedule import NoiseSchedule

GAUSSIAN = "gaussian"


def load_gaussian(schedule: NoiseSchedule | None = None) -> GaussianPrior:
    """The bundled Gaussian photo prior, with the linear schedule unless another one is given."""
    file = data_path("priors") / GAUSSIAN / SPECTRUM_FILE
    return GaussianPrior(_bundled_spectrum(file), schedule=schedule)


_bundled_spectrum = functools.cache(PhotoSpectrum.load)
"""A file that comes with the package is read once, and what it gives for a size kept with it."""


def prior_folder(name: str | Path) -> Path | None:
    """The folder that ``name`` means, or None when it means no folder.

    A bundled prior's name means that prior, also where a folder of this name lies: that one is
    ./photo64, for example.
    """
    if name in _bundled_names() or not Path(name).is_dir():
        return None
    return Path(name)


def _bundled_names() -> list[str]:
    return [*prior_names(), GAUSSIAN]


def gaussian_of(prior: Prior) -> GaussianPrior:
    """The Gaussian prior that ``prior`` is or holds; else the bundled one for its schedule."""
    if isinstance(prior, GaussianPrior):
        return prior
    part = getattr(prior, "gaussian", None)
    if isinstance(part, GaussianPrior):
        return part
    bundled = load_gaussian(prior.schedule)
    if not getattr(prior, "grey", False):
        return bundled
    return GaussianPrior(_without_colours(bundled.spectrum), schedule=prior.schedule)


_without_colours = functools.cache(PhotoSpectrum.grey)


def foreign_gaussian(prior: Prior) -> str | None:
    """Whose :func:`gaussian_of` a prior without a Gaussian part is given; None for one with."""
    if isinstance(prior, (GaussianPrior, ResidualPrior)):
        return None
    own = isinstance(getattr(prior, "gaussian", None), GaussianPrior)
    return "the Gaussian prior in its folder" if own else "the bundled Gaussian prior"


def load_prior(
    name: str | Path | Callable[..., Any] = PRIOR,
    *,
    device: torch.device | str = "cpu",
    dtype: str = DTYPE,
    max_batch: int | None = None,
    label: int | None = None,
) -> Prior:
    """A prior by name.

    * ``name``: a bundled prior ("photo64", "gaussian"), which comes before a folder of that name
      (see :func:`prior_folder`); the folder of a trained :class:`ResidualPrior`, or of a fitted
      Gaussian prior, or one of their .safetensors files; a diffusers folder with config.json,
      weights and scheduler_config.json, and perhaps a fitted spectrum (the network's
      ``gaussian``); a diffusers hub id of the form owner/name; ``module:function`` or
      ``file.py:function``; or the function itself, a network or a pipeline of diffusers (see
      :func:`prior_from_callable`),
    * ``device``, ``dtype`` (float32, float64 or bfloat16, inside the network) and ``max_batch``
      (images through the network at once) count for networks only,
    * ``label``: the class, for networks that are class-conditional.

    Raises FileNotFoundError or ValueError when nothing of that name can be loaded.
    """
    options: dict[str, Any] = {"device": device, "dtype": dtype, "max_batch": max_batch}
    if callable(name):
        prior = prior_from_callable(name, **options, label=label)
    elif not isinstance(name, (str, Path)) or not str(name):
        raise ValueError(f"prior: got {name!r}; expected a name, a folder, or a function")
    else:
        prior = _load_named(name, options, label)
    if label is not None and getattr(prior, "label", None) != label:
        raise ValueError(f"label: got {label!r}, but the prior has no classes; leave it out")
    return prior


def _load_named(name: str | Path, options: dict[str, Any], label: int | None) -> Prior:
    if name == GAUSSIAN:
        return load_gaussian()
    source = prior_path(str(name)) if name in prior_names() else Path(name)
    try:
        there = source.exists()
    except (OSError, ValueError) as error:  # a name that is too long, or with a null character
        reason = getattr(error, "strerror", None) or error
        raise FileNotFoundError(
            f"prior: {str(name)[:80]!r} is no name of a file or a model ({reason})"
        ) from error
    if there and not source.is_dir():
        return _load_file(source, options)
    _refuse_no_prior(source)
    if is_residual_prior(source):  # it has a spectrum too
        return ResidualPrior.load(source, **options)
    spectrum = source / SPECTRUM_FILE
    if spectrum.is_file() and not any((source / place).exists() for place in (CONFIG_FILE, "unet")):
        return GaussianPrior(PhotoSpectrum.load(spectrum))
    if not there and is_callable_name(str(name)):
        return load_callable(str(name), **options, label=label)
    if not there and str(name).count("/") != 1:
        raise FileNotFoundError(
            f"prior: {str(name)!r} is no folder, no hub id (owner/name), no module:function and no "
            f"bundled prior ({', '.join(_bundled_names())})"
        )
    find_model(source)  # what is missing is said before the next line
    from deqir_lite.priors.network import NetworkPrior  # imports diffusers, which takes seconds

    network = NetworkPrior.load(source, **options, label=label)
    if spectrum.is_file():
        network.gaussian = GaussianPrior(PhotoSpectrum.load(spectrum), schedule=network.schedule)
    return network


def _refuse_no_prior(folder: Path) -> None:
    kind = class_name_of(folder)
    if kind in NO_PRIORS:
        raise ValueError(
            f"prior: {folder} holds {NO_PRIORS[kind]}; compare it with priors by `deqir-lite "
            f"evaluate --networks {folder}`"
        )


def _load_file(path: Path, options: dict[str, Any]) -> Prior:
    """The prior in one .safetensors file of this package's; ValueError, which says what the file
    is, for any other."""
    names = tensor_names(path) or set() if path.is_file() else set()
    if names == {"mean", "covariance"}:
        return GaussianPrior(PhotoSpectrum.load(path))
    if {"scale", "input.weight"} <= names:
        missing = [n for n in (CONFIG_FILE, SPECTRUM_FILE) if not (path.parent / n).is_file()]
        if not missing:
            return ResidualPrior.load(path.parent, weights_file=path.name, **options)
        raise FileNotFoundError(
            f"prior: {path} holds the weights of a ResidualPrior, but beside it lies no "
            f"{' and no '.join(missing)}; give the whole folder that train made"
        )
    raise ValueError(f"prior: {path} is {describe_file(path)}; expected {FOLDERS}")
