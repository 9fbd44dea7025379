"""Features of Inception v3, of which FID is the Fréchet distance (Heusel et al. 2017).

The network is that of torchmetrics. Its weights come with no package.
"""

import functools
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from deqir_lite.metrics.fidelity import check_range, same_batch
from deqir_lite.metrics.hub_weights import hub_path, weights_only, wrong_hash

_WEIGHTS = "weights-inception-2015-12-05-6726825d.pth"
_ADDRESS = f"https://github.com/toshas/torch-fidelity/releases/download/v0.2.0/{_WEIGHTS}"


class InceptionUnavailable(RuntimeError):
    """Inception v3 is not here; the message says in one line what is missing."""


def inception_features(x: Tensor) -> Tensor:
    """What FID compares sets of: (B, 2048) float32 on the CPU for images (B, 3, H, W).

    :func:`deqir_lite.metrics.features.frechet_distance` of the features of two sets is what
    ``torchmetrics.image.fid.FrechetInceptionDistance`` gives for their images in 8 bits, to which
    ``x``, clamped to [-1, 1], is rounded here. Any size is brought to 299 x 299 pixels.

    Raises InceptionUnavailable where a package or the weights are missing; ValueError for wrong
    shapes, NaN, or values of another range.
    """
    check_range(x, same_batch(x, x), (-1, 1))
    levels = ((x.clamp(-1, 1) + 1) * 127.5).round().to(torch.uint8)
    with torch.no_grad():
        return inception_network().to(x.device)(levels).reshape(len(x), -1).float().cpu()


def inception_network() -> Any:
    """Inception v3 as torchmetrics has it; raises InceptionUnavailable as above."""
    return _load(hub_path(_WEIGHTS))


@functools.lru_cache(maxsize=1)
def _load(weights: Path) -> Any:
    try:
        import torch_fidelity  # noqa: F401, whose network torchmetrics builds on
        from torchmetrics.image.fid import NoTrainInceptionV3
    except ImportError as error:
        raise InceptionUnavailable(
            f"FID needs the packages torchmetrics and torch-fidelity ({error}): "
            "pip install 'deqir-lite[compare]'"
        ) from error
    if not weights.is_file():
        raise InceptionUnavailable(f"FID needs {weights}: download {_ADDRESS} to that place")
    if wrong := wrong_hash(weights):
        raise InceptionUnavailable(f"FID cannot read {weights}: {wrong}: download it again")
    try:
        with weights_only():
            return NoTrainInceptionV3("inception-v3-compat", ["2048"], str(weights))
    except Exception as error:  # unpickling a damaged file can raise nearly anything
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise InceptionUnavailable(
            f"FID cannot read {weights} ({reason}): download it again"
        ) from error
