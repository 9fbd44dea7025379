"""Priors by name: the bundled ones, a folder, or a diffusers hub id."""

from pathlib import Path

import torch

from deqir_lite.bundled import data_path, prior_names, prior_path
from deqir_lite.priors.base import Prior
from deqir_lite.priors.gaussian import GaussianPrior
from deqir_lite.priors.spectrum import PhotoSpectrum
from deqir_lite.schedule import NoiseSchedule

GAUSSIAN = "gaussian"


def load_gaussian(schedule: NoiseSchedule | None = None) -> GaussianPrior:
    """The bundled Gaussian photo prior, with the linear schedule unless another one is given."""
    spectrum = PhotoSpectrum.load(data_path("priors") / GAUSSIAN / "spectrum.safetensors")
    return GaussianPrior(spectrum, schedule)


def load_prior(
    name: str | Path = "photo64", device: torch.device | str = "cpu", dtype: str = "float32"
) -> Prior:
    """A prior by name.

    ``name``: a bundled prior ("photo64", "gaussian"), a diffusers folder with config.json, weights
    and scheduler_config.json, or a hub id of the form owner/name. ``dtype`` is the precision
    inside a network: float32, float64 or bfloat16.

    Raises FileNotFoundError or ValueError when nothing of that name can be loaded.
    """
    if str(name) == GAUSSIAN:
        return load_gaussian()
    from deqir_lite.priors.network import NetworkPrior  # imports diffusers, which takes seconds

    source = prior_path(str(name)) if str(name) in prior_names() else name
    if source is name and not Path(name).exists() and str(name).count("/") != 1:
        raise FileNotFoundError(
            f"prior: {str(name)!r} is no folder, no hub id (owner/name) and no bundled prior "
            f"({', '.join([GAUSSIAN, *prior_names()])})"
        )
    return NetworkPrior.load(source, device, dtype)
