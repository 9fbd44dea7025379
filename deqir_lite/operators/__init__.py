"""Linear degradations y = A x with exact pseudo-inverses, projectors and singular values."""

from deqir_lite.operators.base import LinearOperator
from deqir_lite.operators.blur import (
    ReleasedBlur,
    SeparableBlur,
    anisotropic_blur,
    gaussian_blur,
    gaussian_kernel,
    uniform_blur,
)
from deqir_lite.operators.color import Grayscale
from deqir_lite.operators.compose import MaskedGrayscale, PooledMaskedGrayscale
from deqir_lite.operators.conversion import as_operator
from deqir_lite.operators.damaged import DamagedPhoto
from deqir_lite.operators.dense import MatrixOperator
from deqir_lite.operators.external import (
    DeepinvOperator,
    measurement_from_unit_range,
    measurement_to_unit_range,
)
from deqir_lite.operators.fourier import FFTBlur
from deqir_lite.operators.kernel_files import load_kernel
from deqir_lite.operators.kernels import motion_kernel
from deqir_lite.operators.mask_files import load_mask
from deqir_lite.operators.masking import Inpainting
from deqir_lite.operators.masks import box_mask, random_mask, scratch_mask, stripe_mask, text_mask
from deqir_lite.operators.matrices import matrix_operator
from deqir_lite.operators.named_kernels import named_kernel
from deqir_lite.operators.nothing import NoMeasurement
from deqir_lite.operators.resampling import AveragePooling, BicubicDownsampling
from deqir_lite.operators.sensing import WalshHadamard, hadamard_matrix
from deqir_lite.operators.spectral import SpectralOperator
from deqir_lite.operators.tasks import TASKS, Task, check_side, make_task

__all__ = [
    "TASKS",
    "AveragePooling",
    "BicubicDownsampling",
    "DamagedPhoto",
    "DeepinvOperator",
    "FFTBlur",
    "Grayscale",
    "Inpainting",
    "LinearOperator",
    "MaskedGrayscale",
    "MatrixOperator",
    "NoMeasurement",
    "PooledMaskedGrayscale",
    "ReleasedBlur",
    "SeparableBlur",
    "SpectralOperator",
    "Task",
    "WalshHadamard",
    "anisotropic_blur",
    "as_operator",
    "box_mask",
    "check_side",
    "gaussian_blur",
    "gaussian_kernel",
    "hadamard_matrix",
    "load_kernel",
    "load_mask",
    "make_task",
    "matrix_operator",
    "measurement_from_unit_range",
    "measurement_to_unit_range",
    "motion_kernel",
    "named_kernel",
    "random_mask",
    "scratch_mask",
    "stripe_mask",
    "text_mask",
    "uniform_blur",
]
