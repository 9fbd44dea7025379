"""From a picture and the name of a task to what is to be restored."""

import math
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import torch

from deqir_lite._repr import short_repr
from deqir_lite.checks import check_integer, check_kinds, deviations
from deqir_lite.operators import LinearOperator, as_operator, make_task
from deqir_lite.operators.spectral import SpectralOperator
from deqir_lite.restoration.noise_level import estimate_sigma_y

_NOISE_SEED = 1_618_033_988
"""Far from the seeds that chains are given: else the noise in y would be their x_T again. (Of a
seed torch's generator on the CPU takes the last 32 bits.)"""

_DETAIL, _GREY_DETAIL = 0.03, 0.15
"""More than :func:`estimate_sigma_y` finds in exact y of any bundled photo, in colour and grey."""

Levels = float | Sequence[float] | torch.Tensor
"""A noise level for all images, or one for each."""


@dataclass(frozen=True, eq=False)
class Problem:
    """A ``task`` by name: its ``operator`` (or what :func:`as_operator` makes one of), the
    measurement ``y`` (B, ...) with white noise of the standard deviation ``sigma_y`` (a number, or
    one for each y), and the photo ``truth`` (B, 3, H, W) where it is known."""

    task: str
    operator: LinearOperator
    y: torch.Tensor
    truth: torch.Tensor | None
    sigma_y: Levels = 0.0

    __repr__ = short_repr

    def __post_init__(self) -> None:
        object.__setattr__(self, "operator", as_operator(self.operator, y=self.y))
        check_kinds(Problem.__init__, vars(self))

    @property
    def levels(self) -> torch.Tensor:
        """``sigma_y`` of each y, (B,) float64."""
        return deviations("sigma_y", self.sigma_y, len(self.y))

    def __getitem__(self, photos: slice) -> "Problem":
        """The same for some of the photos."""
        truth = None if self.truth is None else self.truth[photos]
        return Problem(self.task, self.operator, self.y[photos], truth, self.levels[photos])


def pose_problem(
    picture: torch.Tensor,
    task: str,
    *,
    measured: bool = False,
    mask: torch.Tensor | None = None,
    mask_seed: int = 0,
    sigma_y: Levels | Literal["auto"] = 0.0,
) -> Problem:
    """Degrade the photos ``picture`` (B, 3, H, W), or, ``measured``, read them as the measurement.

    ``mask`` and ``mask_seed`` are those of the task. ``sigma_y`` is the noise in y, in units of
    [-1, 1], a number or one for each photo: a degraded photo gets it, with the seed of the mask, in
    a measurement it is there already; "auto" is what :func:`estimate_sigma_y` finds in y, and
    nothing is added. Warns of a measurement that is given as exact and clearly is not. Raises
    ValueError for a size that the operator cannot take, and for a measurement that no picture
    holds.
    """
    check_kinds(pose_problem, locals())
    mask_seed = check_integer("mask_seed", mask_seed, 0)
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
        advice = "crop the file"
    else:
        fitting = 2 ** int(math.log2(min(height, width)))
        advice = f"--size {fitting} takes the largest square and resizes it to a size that fits"
    levels = (
        None
        if isinstance(sigma_y, str) and sigma_y == "auto"
        else (deviations("sigma_y", sigma_y, len(picture), "'auto'"))
    )
    size = (height * factor, width * factor)
    try:
        operator = make_task(task, size, seed=mask_seed, mask=mask)
    except ValueError as error:
        raise ValueError(f"{error}; {advice}") from error
    if not measured:
        y = operator.A(picture)
        if levels is None:
            return Problem(task, operator, y, picture, estimate_sigma_y(operator, y))
        generator = torch.Generator().manual_seed(_NOISE_SEED + mask_seed)
        noise = torch.randn(y.shape[1:], generator=generator, dtype=torch.float64)
        return Problem(
            task,
            operator,
            y + (levels.reshape(-1, *[1] * noise.ndim) * noise).to(y),
            picture,
            levels,
        )
    if levels is None:
        levels = estimate_sigma_y(operator, y)
    elif not levels.all():
        _warn_of_noise(operator, y, levels)
    _warn_of_rounding(operator, task, size)
    # only what A can produce is a measurement
    return Problem(task, operator, operator.A(operator.pinv(y)), None, levels)


def _warn_of_noise(operator: LinearOperator, y: torch.Tensor, levels: torch.Tensor) -> None:
    """Say so when a y that is given as exact has more noise than the rounding of an 8-bit file, and
    than the finest detail of a photo is taken for: that of grey ones is hard to tell from noise."""
    clearly = _DETAIL if y.shape[1] > 1 else _GREY_DETAIL
    found = float((estimate_sigma_y(operator, y) * (levels == 0)).max())
    if found > clearly:
        warnings.warn(
            f"sigma_y: y is given as exact, but looks as if it had noise of {found:.2g}; "
            'sigma_y="auto" (--sigma-y auto) or a number takes it into account',
            stacklevel=3,
        )


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
