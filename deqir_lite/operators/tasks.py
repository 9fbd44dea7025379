"""Restoration tasks by name, with the settings of the paper where it has the task."""

from collections.abc import Callable
from typing import NamedTuple

from torch import Tensor

from deqir_lite.checks import check_choice, check_integer, check_size
from deqir_lite.defaults import MASK_SEED
from deqir_lite.operators.base import Size
from deqir_lite.operators.blur import anisotropic_blur, gaussian_blur, uniform_blur
from deqir_lite.operators.color import Grayscale
from deqir_lite.operators.compose import MaskedGrayscale, PooledMaskedGrayscale
from deqir_lite.operators.fourier import FFTBlur
from deqir_lite.operators.kernels import motion_kernel
from deqir_lite.operators.masking import Inpainting
from deqir_lite.operators.masks import box_mask, random_mask, scratch_mask, stripe_mask, text_mask
from deqir_lite.operators.resampling import AveragePooling, BicubicDownsampling
from deqir_lite.operators.sensing import WalshHadamard
from deqir_lite.operators.spectral import SpectralOperator


def _multiple_of(factor: int) -> Callable[[int], int]:
    return lambda side: side // factor * factor


def _power_of_two(side: int) -> int:
    return 1 << side.bit_length() - 1


class Task(NamedTuple):
    """One line of description, and how to build the operator.

    ``build``: (image_size, seed) -> operator; ``with_mask``: mask (H, W) -> operator, for tasks
    that have a mask; ``fits``: the side of an image -> the longest one up to it that the operator
    takes.
    """

    description: str
    build: Callable[[Size, int], SpectralOperator]
    with_mask: Callable[[Tensor], SpectralOperator] | None = None
    fits: Callable[[int], int] = _multiple_of(1)


def _masked(
    description: str,
    draw: Callable[..., Tensor],
    with_mask: Callable[[Tensor], SpectralOperator] = Inpainting,
    *,
    factor: int = 1,
) -> Task:
    """A task whose operator is built on a mask that ``draw`` makes."""
    fits = _multiple_of(factor)
    return Task(description, lambda size, seed: with_mask(draw(size, seed=seed)), with_mask, fits)


def _smaller(description: str, operator: Callable[[int], SpectralOperator], factor: int) -> Task:
    return Task(description, lambda size, seed: operator(factor), fits=_multiple_of(factor))


TASKS: dict[str, Task] = {
    "sr2": _smaller("super-resolution x2, bicubic", BicubicDownsampling, 2),
    "sr4": _smaller("super-resolution x4, bicubic", BicubicDownsampling, 4),
    "sr8": _smaller("super-resolution x8, bicubic", BicubicDownsampling, 8),
    "pool2": _smaller("super-resolution x2, block mean", AveragePooling, 2),
    "pool4": _smaller("super-resolution x4, block mean", AveragePooling, 4),
    "deblur-gaussian": Task("Gaussian blur, 5 taps, sigma 10", lambda n, s: gaussian_blur()),
    "deblur-anisotropic": Task(
        "anisotropic Gaussian blur, 9 taps, sigma 20 and 1", lambda n, s: anisotropic_blur()
    ),
    "deblur-uniform": Task("uniform blur, 9 taps", lambda n, s: uniform_blur()),
    "deblur-motion": Task(
        "motion blur, 9 pixels at 30 degrees, periodic boundary",
        lambda n, s: FFTBlur(motion_kernel(9, 30)),
    ),
    "inpaint-text": _masked("text over the image", text_mask),
    "inpaint-stripe": _masked("3 of every 8 columns lost", stripe_mask),
    "inpaint-box": _masked("a box of 2/5 of each side lost", box_mask),
    "inpaint-random": _masked("half of the pixels lost at random", random_mask),
    "colorization": Task("a grey image, the mean of the channels", lambda n, s: Grayscale()),
    "sensing": Task(
        "compressed sensing, half of a Walsh-Hadamard transform",
        lambda n, s: WalshHadamard(n, ratio=0.5, seed=s),
        fits=_power_of_two,
    ),
    "old-photo": _masked("a grey photo with scratches", scratch_mask, MaskedGrayscale),
    "old-photo-sr2": _masked(
        "a small grey photo with scratches, block mean x2",
        scratch_mask,
        lambda mask: PooledMaskedGrayscale(mask, 2),
        factor=2,
    ),
}
"""The degradations by name.

:meta hide-value:
"""


def make_task(
    name: str, image_size: Size, *, seed: int = MASK_SEED, mask: Tensor | None = None
) -> SpectralOperator:
    """The operator of a named task for images of size (H, W).

    Args:
        name: a key of ``TASKS``.
        image_size: (H, W).
        seed: of the mask or of the subset, where the task draws one.
        mask: (H, W), 1 = kept and 0 = lost, in place of the one that the task would draw.

    Raises:
        ValueError: an unknown name (the message lists the known ones), or a size that the
            operator cannot take; a mask for a task without one, or of another size.
    """
    check_choice("task", name, TASKS)
    image_size = check_size("image_size", image_size)
    seed = check_integer("seed", seed, 0)
    task = TASKS[name]
    if mask is None:
        operator = task.build((image_size[0], image_size[1]), seed)
    elif task.with_mask is None:
        masked = ", ".join(known for known, other in TASKS.items() if other.with_mask)
        raise ValueError(f"mask: task {name} has none; tasks with a mask: {masked}")
    else:
        operator = task.with_mask(mask)
    operator.measurement_shape(image_size)  # a size that the operator cannot divide: say so now
    return operator


def check_side(name: str, side: int, task: str) -> None:
    """Raise ValueError unless square images of ``side`` pixels are for a named task; the message
    begins with ``name``, of the argument that has the side."""
    check_choice("task", task, TASKS)
    try:
        make_task(task, (side, side))
    except ValueError as error:
        why = str(error).partition(": ")[2]
        raise ValueError(f"{name}: got {side}, which is not for {task}: {why}") from error
