"""Restoration tasks by name, with the settings of the paper where it has the task."""

from collections.abc import Callable
from typing import NamedTuple

from deqir_lite.checks import check_choice, check_integer, check_size
from deqir_lite.operators.base import LinearOperator, Size
from deqir_lite.operators.blur import anisotropic_blur, gaussian_blur, uniform_blur
from deqir_lite.operators.color import Grayscale
from deqir_lite.operators.compose import MaskedGrayscale, PooledMaskedGrayscale
from deqir_lite.operators.fourier import FFTBlur
from deqir_lite.operators.kernels import motion_kernel
from deqir_lite.operators.masking import Inpainting
from deqir_lite.operators.masks import box_mask, random_mask, scratch_mask, stripe_mask, text_mask
from deqir_lite.operators.resampling import AveragePooling, BicubicDownsampling
from deqir_lite.operators.sensing import WalshHadamard


class Task(NamedTuple):
    """One line of description, and (image_size, seed) -> operator."""

    description: str
    build: Callable[[Size, int], LinearOperator]


TASKS: dict[str, Task] = {
    "sr2": Task("super-resolution x2, bicubic", lambda n, s: BicubicDownsampling(2)),
    "sr4": Task("super-resolution x4, bicubic", lambda n, s: BicubicDownsampling(4)),
    "sr8": Task("super-resolution x8, bicubic", lambda n, s: BicubicDownsampling(8)),
    "pool2": Task("super-resolution x2, block mean", lambda n, s: AveragePooling(2)),
    "pool4": Task("super-resolution x4, block mean", lambda n, s: AveragePooling(4)),
    "deblur-gaussian": Task("Gaussian blur, 5 taps, sigma 10", lambda n, s: gaussian_blur()),
    "deblur-anisotropic": Task(
        "anisotropic Gaussian blur, 9 taps, sigma 20 and 1", lambda n, s: anisotropic_blur()
    ),
    "deblur-uniform": Task("uniform blur, 9 taps", lambda n, s: uniform_blur()),
    "deblur-motion": Task(
        "motion blur, 9 pixels at 30 degrees, periodic boundary",
        lambda n, s: FFTBlur(motion_kernel(9, 30)),
    ),
    "inpaint-text": Task("text over the image", lambda n, s: Inpainting(text_mask(n, seed=s))),
    "inpaint-stripe": Task(
        "3 of every 8 columns lost", lambda n, s: Inpainting(stripe_mask(n, seed=s))
    ),
    "inpaint-box": Task(
        "a box of 2/5 of each side lost", lambda n, s: Inpainting(box_mask(n, seed=s))
    ),
    "inpaint-random": Task(
        "half of the pixels lost at random", lambda n, s: Inpainting(random_mask(n, seed=s))
    ),
    "colorization": Task("a grey image, the mean of the channels", lambda n, s: Grayscale()),
    "sensing": Task(
        "compressed sensing, half of a Walsh-Hadamard transform",
        lambda n, s: WalshHadamard(n, ratio=0.5, seed=s),
    ),
    "old-photo": Task(
        "a grey photo with scratches", lambda n, s: MaskedGrayscale(scratch_mask(n, seed=s))
    ),
    "old-photo-sr2": Task(
        "a small grey photo with scratches, block mean x2",
        lambda n, s: PooledMaskedGrayscale(scratch_mask(n, seed=s), 2),
    ),
}


def make_task(name: str, image_size: Size, seed: int = 0) -> LinearOperator:
    """The operator of a named task for images of size (H, W).

    Args:
        name: a key of ``TASKS``.
        image_size: (H, W).
        seed: of the mask or of the subset, where the task draws one.

    Raises:
        ValueError: an unknown name (the message lists the known ones), or a size that the
            operator cannot take.
    """
    check_choice("task", name, TASKS)
    check_size("image_size", image_size)
    check_integer("seed", seed, 0)
    operator = TASKS[name].build((image_size[0], image_size[1]), seed)
    operator.measurement_shape(image_size)  # a size that the operator cannot divide: say so now
    return operator
