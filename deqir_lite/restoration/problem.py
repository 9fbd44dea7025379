"""From a picture and the name of a task to what is to be restored."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

import torch

from deqir_lite._repr import short_repr
from deqir_lite.checks import check_integer, check_kinds, deviations
from deqir_lite.defaults import MASK_SEED
from deqir_lite.operators import LinearOperator, as_operator, make_task
from deqir_lite.restoration.noise_level import estimate_sigma_y

_NOISE_SEED = 1_618_033_988
"""Far from the seeds that chains are given: else the noise in y would be their x_T again. (Of a
seed torch's generator on the CPU takes the last 32 bits.)"""

Levels = float | Sequence[float] | torch.Tensor
"""A noise level for all images, or one for each."""


@dataclass(frozen=True, eq=False)
class Problem:
    """A ``task`` by name: its ``operator`` (or what :func:`as_operator` makes one of), the
    measurement ``y`` (B, ...) with white noise of the standard deviation ``sigma_y`` (a number, or
    one for each y), and the photo ``truth`` (B, 3, H, W) where it is known. ``crop`` are the rows
    and columns of images that are the photo: all, unless the operator sees beyond its border.
    ``grey`` (B,), bool: photos whose channels are the same, so that their mean is restored."""

    task: str
    operator: LinearOperator
    y: torch.Tensor
    truth: torch.Tensor | None
    sigma_y: Levels = 0.0
    crop: tuple[slice, slice] = field(default=(slice(None), slice(None)), repr=False)
    grey: torch.Tensor | None = None

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
        grey = None if self.grey is None else self.grey[photos]
        return replace(self, y=self.y[photos], truth=truth, sigma_y=self.levels[photos], grey=grey)


def are_grey(photos: torch.Tensor) -> torch.Tensor:
    """Which of photos (B, 3, H, W) have three channels that are the same: (B,), bool."""
    return (photos == photos[:, :1]).flatten(1).all(dim=1)


def pose_problem(
    picture: torch.Tensor,
    task: str,
    *,
    mask: torch.Tensor | None = None,
    mask_seed: int = MASK_SEED,
    sigma_y: Levels | Literal["auto"] = 0.0,
) -> Problem:
    """Degrade the photos ``picture`` (B, 3, H, W) as a task says, so that they can be restored.

    ``mask`` and ``mask_seed`` are those of the task. ``sigma_y`` is the noise that y gets, with the
    seed of the mask, in units of [-1, 1], a number or one for each photo; "auto" adds nothing, and
    is what :func:`estimate_sigma_y` finds. Raises ValueError for a size that the operator cannot
    take. Photos that are damaged already are for
    :func:`deqir_lite.restoration.damage.pose_damaged`.
    """
    check_kinds(pose_problem, locals())
    mask_seed = check_integer("mask_seed", mask_seed, 0)
    height, width = (int(n) for n in picture.shape[-2:])
    levels = (
        None
        if isinstance(sigma_y, str) and sigma_y == "auto"
        else (deviations("sigma_y", sigma_y, len(picture), "'auto'"))
    )
    operator = make_task(task, (height, width), seed=mask_seed, mask=mask)
    y = operator.A(picture)
    if levels is None:
        return Problem(task, operator, y, picture, estimate_sigma_y(operator, y))
    generator = torch.Generator().manual_seed(_NOISE_SEED + mask_seed)
    noise = torch.randn(y.shape[1:], generator=generator, dtype=torch.float64)
    noisy = y + (levels.reshape(-1, *[1] * noise.ndim) * noise).to(y)
    return Problem(task, operator, noisy, picture, levels)
