"""What the rest of the package needs of a degradation y = A x."""

from typing import Protocol

from torch import Tensor


class MeasurementOperator(Protocol):
    """A linear map with its adjoint, pseudo-inverse and projectors, on batches (B, ...).

    Every :class:`LinearOperator` is one, and so is
    :class:`MatrixOperator`.
    """

    def A(self, x: Tensor) -> Tensor:
        """y = A x."""

    def adjoint(self, y: Tensor) -> Tensor:
        """A^T y."""

    def pinv(self, y: Tensor) -> Tensor:
        """A^+ y."""

    def range_projector(self, x: Tensor) -> Tensor:
        """R x = A^+ A x."""

    def null_projector(self, x: Tensor) -> Tensor:
        """N x = x - R x."""
