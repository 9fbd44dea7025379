"""Which prior is this? A name for messages is not enough: training goes on in the same folder."""

import hashlib

import torch

from deqir_lite.priors.base import ModelPrior, Prior
from deqir_lite.priors.gaussian import GaussianPrior
from deqir_lite.priors.residual import ResidualPrior


def prior_digest(prior: Prior, name: str | None) -> str:
    """The start of the SHA-256 of a prior's numbers: weights or spectrum, and schedule.

    The same for every device, precision and process, and for a prior before and after it was
    saved. Nothing but the ``name`` tells functions apart: ValueError for one without.
    """
    network = getattr(prior, "unet", getattr(prior, "model", None))
    if isinstance(network, torch.nn.Module) and isinstance(prior, ModelPrior):
        parts = dict(sorted(network.state_dict().items()))
        kind = f"{prior.prediction_type} {prior.clip_x0}"
        if (label := getattr(prior, "label", None)) is not None:
            kind += f" {label}"
    elif isinstance(prior, GaussianPrior):
        parts, kind = _spectrum(prior), "gaussian"
    elif isinstance(prior, ResidualPrior):
        weights = sorted(prior.network.state_dict().items())
        parts = {name: value.half() for name, value in weights}  # as they are stored
        parts |= {"scale": prior.scale} | _spectrum(prior.gaussian)
        kind = "residual"
    elif name is not None:
        parts, kind = {}, name
    else:
        raise ValueError(
            f"prior: got a {type(prior).__name__}, whose numbers are not known; expected one with "
            "weights or a spectrum, or a prior_name, by which a later run knows it again"
        )
    digest = hashlib.sha256(kind.encode())
    for name, value in (parts | {"schedule": prior.schedule.alpha_bar}).items():
        digest.update(name.encode())
        digest.update(value.detach().float().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()[:16]


def _spectrum(prior: GaussianPrior) -> dict[str, torch.Tensor]:
    return {"mean": prior.spectrum.mean, "covariance": prior.spectrum.covariance}
