"""Which prior is this? A name for messages is not enough: training goes on in the same folder."""

import hashlib

import torch

from deqir_lite.priors.base import ModelPrior, Prior
from deqir_lite.priors.gaussian import GaussianPrior


def prior_digest(prior: Prior, name: str) -> str:
    """The start of the SHA-256 of a prior's numbers: weights or spectrum, and schedule.

    The same for every device and precision. Nothing but the ``name`` tells functions apart.
    """
    unet = getattr(prior, "unet", None)
    if isinstance(unet, torch.nn.Module) and isinstance(prior, ModelPrior):
        parts = dict(sorted(unet.state_dict().items()))
        kind = f"{prior.prediction_type} {prior.clip_x0}"
    elif isinstance(prior, GaussianPrior):
        parts = {"mean": prior.spectrum.mean, "covariance": prior.spectrum.covariance}
        kind = "gaussian"
    else:
        parts, kind = {}, name
    digest = hashlib.sha256(kind.encode())
    for name, value in (parts | {"schedule": prior.schedule.alpha_bar}).items():
        digest.update(name.encode())
        digest.update(value.detach().float().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()[:16]
