"""How good is a restoration?

All functions take images (B, 3, H, W) in [-1, 1], unless told otherwise, and return one value for
each image; take ``.mean()`` for the mean of per-image values, which is what the papers' tables
report.
"""

from deqir_lite.metrics.features import (
    FEATURE_BLOCKS,
    FEATURES_SMALLEST_SIDE,
    FeaturesUnavailable,
    feature_distance,
    feature_network,
    frechet_distance,
    mean_features,
)
from deqir_lite.metrics.fidelity import SSIM_WINDOW, measurement_consistency, psnr, ssim
from deqir_lite.metrics.inception import (
    InceptionUnavailable,
    inception_features,
    inception_network,
)
from deqir_lite.metrics.perceptual import (
    LPIPS_BACKBONES,
    LPIPS_SMALLEST_SIDE,
    LPIPSUnavailable,
    lpips,
    lpips_network,
    lpips_weights_path,
)
from deqir_lite.metrics.text import EN_DASH, format_value

__all__ = [
    "EN_DASH",
    "FEATURES_SMALLEST_SIDE",
    "FEATURE_BLOCKS",
    "LPIPS_BACKBONES",
    "LPIPS_SMALLEST_SIDE",
    "SSIM_WINDOW",
    "FeaturesUnavailable",
    "InceptionUnavailable",
    "LPIPSUnavailable",
    "feature_distance",
    "feature_network",
    "format_value",
    "frechet_distance",
    "inception_features",
    "inception_network",
    "lpips",
    "lpips_network",
    "lpips_weights_path",
    "mean_features",
    "measurement_consistency",
    "psnr",
    "ssim",
]
