"""Compressed sensing: a random part of an orthonormal transform of the image."""

import functools

import torch
from torch import Tensor

from deqir_lite.checks import check_exact_size, check_integer, check_size
from deqir_lite.operators.base import Size
from deqir_lite.operators.masks import check_ratio
from deqir_lite.operators.spectral import SpectralOperator


class WalshHadamard(SpectralOperator):
    """A x = a random subset of the Walsh-Hadamard transform of each channel, (B, 3, m).

    The transform of an image is H_h X H_w with Sylvester's matrices of the two sides, which is
    that of the flattened image in natural order. The rows of A are orthonormal, so A^+ = A^T, all
    singular values are 1, and V is the transform itself. One subset of m = round(ratio * H * W)
    coefficients serves all channels. It always holds the constant one, which the published code
    leaves to chance: without it the brightness of the whole image is unknown, and results would
    depend on the luck of the seed.

    Args:
        image_size: (H, W), with H * W a power of two.
        ratio: the fraction of coefficients measured, in (0, 1].
        seed: of the draw of the subset.

    Raises:
        ValueError: H * W is no power of two, or ratio is outside (0, 1]; later, images of
            another size.

    Source: the compressed-sensing operator of DDNM, Sec. 5.
    """

    def __init__(self, image_size: Size, *, ratio: float = 0.5, seed: int = 0) -> None:
        super().__init__()
        image_size = check_size("image_size", image_size)
        ratio = check_ratio("ratio", ratio)
        seed = check_integer("seed", seed, 0)
        n = image_size[0] * image_size[1]
        if n & (n - 1):
            raise ValueError(
                f"image_size: got {image_size[0]}x{image_size[1]}; "
                "H * W must be a power of two for the Walsh-Hadamard transform"
            )
        self._size = (image_size[0], image_size[1])
        self.ratio, self.seed = ratio, seed
        generator = torch.Generator().manual_seed(seed)
        others = 1 + torch.randperm(n - 1, generator=generator)
        chosen = others[: max(0, round(ratio * n) - 1)]
        self._chosen = torch.cat([torch.zeros(1, dtype=torch.long), chosen.sort().values])

    def _vt(self, x: Tensor) -> Tensor:
        # Two small matrix products: the log2(H W) rounds of sums and differences of the fast
        # transform need fewer operations, but each is a pass over memory, and they are slower.
        height, width = (
            self._constants.like(("H", n), x, functools.partial(hadamard_matrix, n))
            for n in self._size
        )
        return height @ x @ width

    _v = _vt

    def _ut(self, y: Tensor) -> Tensor:
        chosen = self._constants.like("chosen", y, lambda: self._chosen)
        c = y.new_zeros(*y.shape[:2], self._size[0] * self._size[1])
        return c.index_copy(2, chosen, y).unflatten(2, self._size)

    def _u(self, c: Tensor) -> Tensor:
        return c.flatten(2).index_select(2, self._constants.like("chosen", c, lambda: self._chosen))

    def _A(self, x: Tensor) -> Tensor:
        return self._u(self._vt(x))

    def _adjoint(self, y: Tensor) -> Tensor:
        return self._v(self._ut(y))

    _pinv = _adjoint

    def _singular_values(self, size: Size) -> Tensor:
        s = torch.zeros(size[0] * size[1], dtype=torch.float64)
        s[self._chosen] = 1
        return s.reshape(1, 1, *size)

    def _measurement_shape(self, size: Size) -> tuple[int, ...]:
        return (3, len(self._chosen))

    def _image_size(self, shape: tuple[int, ...]) -> Size:
        return self._size

    def _check_size(self, name: str, size: Size) -> None:
        check_exact_size(name, size, self._size)

    def __repr__(self) -> str:
        h, w = self._size
        return f"WalshHadamard(size={h}x{w}, ratio={self.ratio:g}, seed={self.seed})"


def hadamard_matrix(n: int) -> Tensor:
    """Sylvester's orthonormal Hadamard matrix, float64 (n, n): symmetric, its own inverse.

    H_1 = 1, H_2n = H_2 x H_n (Kronecker). ValueError: n is no power of two.
    """
    n = check_integer("n", n, 1)
    if n & (n - 1):
        raise ValueError(f"n: got {n}; expected a power of two")
    h = torch.ones(1, 1, dtype=torch.float64)
    h2 = torch.tensor([[1, 1], [1, -1]], dtype=torch.float64)
    while len(h) < n:
        h = torch.kron(h2, h)
    return h / n**0.5
