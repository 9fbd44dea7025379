"""One door for all that can be an operator."""

from typing import Any

from torch import Tensor

from deqir_lite.checks import kind_of
from deqir_lite.operators.base import LinearOperator, Size
from deqir_lite.operators.external import DeepinvOperator, image_size_of, is_physics
from deqir_lite.operators.matrices import is_matrix, matrix_operator


def as_operator(
    operator: Any, image_size: Size | None = None, *, y: Tensor | None = None
) -> LinearOperator:
    """The operator that is meant, for photos of ``image_size`` (H, W).

    * a :class:`LinearOperator`: itself,
    * a linear physics of deepinv: a :class:`DeepinvOperator`; without ``image_size``, the size is
      that of the photos that its adjoint makes of ``y`` (B, ...),
    * a matrix (p, 3 H W) of torch, NumPy or SciPy, or a SciPy ``LinearOperator``: that of
      :func:`matrix_operator`.

    The last two are probed here; keep the result where it is used again. Raises ValueError for
    anything else, and as the two do.
    """
    if isinstance(operator, LinearOperator):
        if image_size is not None:
            operator.measurement_shape(image_size)  # a size that it cannot take: say so now
        return operator
    if is_physics(operator):
        if image_size is None:
            if y is None:
                raise ValueError("image_size: got None; a physics needs the size (H, W) of photos")
            image_size = image_size_of(operator, y)
        return DeepinvOperator(operator, image_size)
    if is_matrix(operator):
        if image_size is None:
            raise ValueError(
                "operator: got a matrix without the size of photos; as_operator(matrix, (H, W)) "
                "has it, and MatrixOperator(matrix) is one on vectors"
            )
        return matrix_operator(operator, image_size)
    raise ValueError(
        f"operator: got {kind_of(operator)}; expected a LinearOperator (make_task makes one by "
        "name), a physics of deepinv or a matrix"
    )
