"""Operators from elsewhere: what they are is not known, but found out, once, by probes."""

import math
import warnings
from abc import abstractmethod

import torch
from torch import Tensor

from deqir_lite.checks import check_exact_size, check_integer, check_interval, check_size
from deqir_lite.conjugate_gradients import least_squares
from deqir_lite.linear_map import Map
from deqir_lite.memory import is_out_of_memory
from deqir_lite.operators.base import LinearOperator, Size, check_adjoint


class ProbedOperator(LinearOperator):
    """A linear map of photos of one size that somebody else wrote, with a pseudo-inverse.

    Two white images and two white measurements are sent through it when it is made. A is refused
    unless it is linear, and A^T unless it is the adjoint. A^+ is the map's own where it has one
    and that is exact (``direct``), else the limit of conjugate gradients, see ``LinearOperator``:
    at most ``max_iterations`` of them, to a relative residual of 1e-12 in float64 and 1e-5 in
    float32. ``pinv_error`` is how far the chosen one is from the equations of Moore and Penrose,

        A A^+ A = A,   A^+ A A^+ = A^+,   A^+ A and A A^+ symmetric,

    relative to their sides. One that is farther than ``tolerance`` is refused, and one beyond
    rounding is remarked on: a blur with tiny singular values has no A^+ that one could use.

    Raises ValueError, which begins with ``name``, as said.
    """

    def __init__(
        self,
        name: str,
        image_size: Size,
        *,
        like: Tensor,
        direct: Map | None,
        max_iterations: int,
        tolerance: float,
    ) -> None:
        check_size("image_size", image_size)
        check_integer("max_iterations", max_iterations, 1)
        check_interval("tolerance", tolerance, 0.0, math.inf)
        self._size, self.max_iterations = (image_size[0], image_size[1]), max_iterations
        self._direct: Map | None = None
        generator = torch.Generator().manual_seed(0)

        def white(*shape: int) -> Tensor:
            return torch.randn(shape, generator=generator, dtype=torch.float64).to(like)

        with torch.no_grad():
            x = white(2, 3, *self._size)
            seen = self._A(x)
            self._shape = tuple(seen.shape[1:])
            self._check_linear(name, x, seen)
            check_adjoint(name, self._A, self._adjoint, x[:1])
        self.pinv_error = self._find_pinv(name, x, white(2, *self._shape), direct, tolerance)

    def _check_linear(self, name: str, x: Tensor, seen: Tensor) -> None:
        expected = 2 * seen[:1] - 3 * seen[1:]
        off = _relative(self._A(2 * x[:1] - 3 * x[1:]) - expected, expected)
        if not off <= torch.finfo(x.dtype).eps ** 0.5:
            raise ValueError(
                f"{name}: A is not linear: A(2 u - 3 v) is off 2 A u - 3 A v by {off:.1e}, relative"
            )

    def _find_pinv(
        self, name: str, x: Tensor, u: Tensor, direct: Map | None, tolerance: float
    ) -> float:
        """Choose the pseudo-inverse, and say how far it is from being one."""
        found: dict[Map | None, float] = {}
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)  # what does not converge is measured
            for self._direct in [direct, None] if direct else [None]:
                found[self._direct] = error = self._error_of_pinv(x, u)
                if error <= _EXACT[x.dtype]:
                    return error
        self._direct = min(found, key=lambda pinv: found[pinv])
        error = found[self._direct]
        said = f"conjugate gradients ({self.max_iterations}) are off by {found[None]:.1e}"
        if direct:
            said = f"its own is off by {found[direct]:.1e}, {said}"
        if not error <= tolerance:
            raise ValueError(
                f"{name}: no pseudo-inverse was found: {said}; expected at most {tolerance:g}"
            )
        warnings.warn(f"{name}: its pseudo-inverse is inexact: {said}", stacklevel=4)
        return error

    def _error_of_pinv(self, x: Tensor, u: Tensor) -> float:
        """The largest violation of the four equations, for images x and measurements u (2, ...).

        Conjugate gradients keep A^+ A A^+ = A^+ by themselves, and their gradient is the transpose:
        of the map's own pseudo-inverse both are looked at.
        """
        try:
            with torch.no_grad():
                ax = self._A(x)
                pax, pu = self._pinv(ax), self._pinv(u)
                apu = self._A(pu)
                errors = [
                    _relative(self._A(pax) - ax, ax),
                    _asymmetry(pax, x),
                    _asymmetry(apu, u),
                ]
            if self._direct is not None:
                at = u.clone().requires_grad_()
                with torch.enable_grad():
                    (slope,) = torch.autograd.grad(self._pinv(at), at, x)
                errors += [
                    _relative(self._pinv(apu) - pu, pu),
                    _cross(slope[0], u[1], x[0], pu[1]),
                ]
        except Exception as error:  # of the map's own pseudo-inverse
            if self._direct is None or is_out_of_memory(error):
                raise
            return math.inf
        return math.inf if any(math.isnan(e) for e in errors) else max(errors)

    # --- the contract ---

    @abstractmethod
    def _A(self, x: Tensor, /) -> Tensor: ...

    def _pinv(self, y: Tensor) -> Tensor:
        if self._direct is not None:
            return self._direct(y)
        return least_squares(y, self._A, self._adjoint, max_iterations=self.max_iterations)

    def _measurement_shape(self, size: Size) -> tuple[int, ...]:
        return self._shape

    def _image_size(self, shape: tuple[int, ...]) -> Size:
        return self._size

    def _check_size(self, name: str, size: Size) -> None:
        check_exact_size(name, size, self._size)

    def _repr(self, what: str) -> str:
        h, w = self._size
        return f"{type(self).__name__}({what}, size={h}x{w}, pinv_error={self.pinv_error:.0e})"


_EXACT = {torch.float64: 1e-6, torch.float32: 3e-5}
"""An A^+ that is no farther off passes for exact: singular values that were dropped may remain."""


def _relative(off: Tensor, whole: Tensor) -> float:
    size = float(whole.norm())
    return float(off.norm()) / size if size else float(off.norm())


def _asymmetry(mapped: Tensor, v: Tensor) -> float:
    return _cross(mapped[0], v[1], v[0], mapped[1])


def _cross(a: Tensor, b: Tensor, c: Tensor, d: Tensor) -> float:
    """<a, b> - <c, d>, which for white b and c has the size of a and d."""
    size = max(float(a.norm()), float(d.norm()))
    off = abs(float((a * b).sum() - (c * d).sum()))
    return off / size if size else off
