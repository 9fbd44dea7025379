"""From a picture and the name of a task to what is to be restored."""

import math
import warnings
from dataclasses import dataclass

import torch

from deqir_lite.checks import check_deviation, check_divisible
from deqir_lite.operators import LinearOperator, make_task
from deqir_lite.operators.spectral import SpectralOperator

_NOISE_SEED = 1_618_033_988
"""Far from the seeds that chains are given: else the noise in y would be their x_T again. (Of a
seed torch's generator on the CPU takes the last 32 bits.)"""


@dataclass(frozen=True, eq=False)
class Problem:
    """A ``task`` by name: its ``operator``, the measurements ``y`` (B, ...) with white noise of the
    standard deviation ``sigma_y``, and the photos ``truth`` (B, 3, H, W) where they are known."""

    task: str
    operator: LinearOperator
    y: torch.Tensor
    truth: torch.Tensor | None
    sigma_y: float = 0.0


def pose_problem(
    picture: torch.Tensor,
    task: str,
    *,
    measured: bool = False,
    mask: torch.Tensor | None = None,
    mask_seed: int = 0,
    sigma_y: float = 0.0,
    divisor: int = 1,
) -> Problem:
    """Degrade the photos ``picture`` (B, 3, H, W), or, ``measured``, read them as measurements.

    ``mask`` and ``mask_seed`` are those of the task. ``sigma_y`` is the noise in y, in units of
    [-1, 1]: a degraded photo gets it, with the seed of the mask, in a measurement it is there
    already. ``divisor`` is what the prior needs the sides
    of the restored photo to be multiples of. Raises ValueError for a size that operator or prior
    cannot take, and for a measurement that no picture holds.
    """
    height, width = (int(n) for n in picture.shape[-2:])
    factor, y = 1, picture
    if measured:
        shape = make_task(task, (64, 64), seed=mask_seed).measurement_shape((64, 64))
        channels, *grid = shape
        if len(grid) != 2:
            raise ValueError(f"measured: no picture file can hold what {task} measures")
        factor = 64 // grid[0]
        if channels == 1:
            y = picture.mean(dim=1, keepdim=True)
        advice = "crop the file, or take --prior gaussian, which restores any size"
    else:
        fitting = max(2 ** int(math.log2(min(height, width))), divisor)
        advice = f"--size {fitting} takes the largest square and resizes it to a size that fits"
    check_deviation("sigma_y", sigma_y)
    size = (height * factor, width * factor)
    try:
        operator = make_task(task, size, seed=mask_seed, mask=mask)
        check_divisible("size of the restored picture", size, divisor)
    except ValueError as error:
        raise ValueError(f"{error}; {advice}") from error
    if not measured:
        y = operator.A(picture)
        if sigma_y:
            generator = torch.Generator().manual_seed(_NOISE_SEED + mask_seed)
            noise = torch.randn(y.shape, generator=generator, dtype=torch.float64)
            y = y + sigma_y * noise.to(y)
        return Problem(task, operator, y, picture, sigma_y)
    _warn_of_rounding(operator, task, size)
    # only what A can produce is a measurement
    return Problem(task, operator, operator.A(operator.pinv(y)), None, sigma_y)


def _warn_of_rounding(operator: SpectralOperator, task: str, size: tuple[int, int]) -> None:
    """Say so when one of the 255 steps of an 8-bit file can fill the whole range in A^+ y."""
    values = operator.singular_values(size)
    condition = float(values.max() / values[values > 0].min())
    if condition > 255:
        warnings.warn(
            f"measured: undoing {task} enlarges errors of y up to {condition:.0f} times, also the "
            "rounding in an 8-bit file; expect noise",
            stacklevel=2,
        )
