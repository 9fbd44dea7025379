"""A reference method for every task: total variation, made consistent with y."""

import numpy as np
import torch
from torch import Tensor

from deqir_lite.measurement import Measurement
from deqir_lite.operators import LinearOperator

TV_WEIGHTS = tuple(float(w) for w in np.geomspace(0.5, 0.005, 60))
"""Strengths of the TV steps, for images in [0, 1]: strong first, to fill holes, then gentle."""


def tv_restoration(
    operator: LinearOperator, y: Tensor, weights: tuple[float, ...] = TV_WEIGHTS
) -> Tensor:
    """x <- A^+ y + (I - A^+ A) TV(x, w) for each w, from x = A^+ y: smooth, then correct (Eq. 5).

    TV is scikit-image's ``denoise_tv_chambolle``. The fixed, falling strengths were not tuned on
    any photo that is evaluated; the last correction makes the result fit y exactly.

    Returns (B, 3, H, W) with the dtype and device of y.
    """
    from skimage.restoration import denoise_tv_chambolle  # imports scipy: half a second

    def smooth(image: Tensor, weight: float) -> Tensor:
        pixels = (image.movedim(0, -1).cpu().double().numpy() + 1) / 2
        smoothed = denoise_tv_chambolle(pixels, weight, max_num_iter=20, channel_axis=-1)
        return torch.from_numpy(smoothed).movedim(-1, 0).to(y) * 2 - 1

    measurement = Measurement(operator, y)
    x = measurement.pinv_y
    for weight in weights:
        x = measurement.impose(torch.stack([smooth(image, weight) for image in x]))
    return x
