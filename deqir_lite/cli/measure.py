"""From a picture and the name of a task to an operator and its measurement."""

import math
import warnings
from pathlib import Path

import torch

from deqir_lite.bundled import mask_names, mask_path
from deqir_lite.checks import check_divisible
from deqir_lite.operators import SpectralOperator, make_task


def mask_file(name: str) -> str | Path:
    """The bundled mask of that name, else the file."""
    return mask_path(name) if name in mask_names() else name


def measure(
    picture: torch.Tensor,
    task: str,
    seed: int,
    measured: bool,
    divisor: int,
    mask: torch.Tensor | None,
) -> tuple[SpectralOperator, torch.Tensor]:
    """The operator and y: the degraded photo, or the photo itself read as a measurement.

    ``divisor`` is what the prior needs the sides of the restored picture to be multiples of.
    """
    height, width = (int(n) for n in picture.shape[-2:])
    factor = 1
    if measured:
        channels, *grid = make_task(task, (64, 64), seed=seed).measurement_shape((64, 64))
        if len(grid) != 2:
            raise ValueError(f"measured: no picture file can hold what {task} measures")
        factor = 64 // grid[0]
        if channels == 1:
            picture = picture.mean(dim=1, keepdim=True)
        advice = "crop the file, or take --prior gaussian, which restores any size"
    else:
        fitting = max(2 ** int(math.log2(min(height, width))), divisor)
        advice = f"--size {fitting} takes the largest square and resizes it to a size that fits"
    size = (height * factor, width * factor)
    try:
        operator = make_task(task, size, seed=seed, mask=mask)
        check_divisible("size of the restored picture", size, divisor)
    except ValueError as error:
        raise ValueError(f"{error}; {advice}") from error
    if not measured:
        return operator, operator.A(picture)
    _warn_of_rounding(operator, task, size)
    return operator, operator.A(operator.pinv(picture))  # only what A can produce is a measurement


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
