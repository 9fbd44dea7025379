"""What an operator computes once: in float64, then kept per dtype and device."""

from collections.abc import Callable, Hashable
from typing import Any

import torch
from torch import Tensor


class Constants:
    """A cache of an operator's matrices, masks and filters."""

    def __init__(self) -> None:
        self._exact: dict[Hashable, Any] = {}
        self._cast: dict[Hashable, Tensor] = {}

    def exact(self, key: Hashable, build: Callable[[], Any]) -> Any:
        """What ``build`` returned the first time (float64, on the CPU)."""
        if key not in self._exact:
            # Made under inference_mode, a cached tensor could never be used in training again.
            with torch.inference_mode(False), torch.no_grad():
                self._exact[key] = build()
        return self._exact[key]

    def like(self, key: Hashable, x: Tensor, build: Callable[[], Tensor]) -> Tensor:
        """The same tensor in the dtype (complex ones: its complex partner) and device of ``x``."""
        full = (key, x.dtype, x.device)
        if full not in self._cast:
            value = self.exact(key, build)
            with torch.inference_mode(False), torch.no_grad():
                # Cast before the move: some devices (MPS) have no float64.
                if value.is_complex():
                    value = value.to(x.dtype.to_complex())
                elif value.is_floating_point():
                    value = value.to(x.dtype)
                self._cast[full] = value.to(x.device)
        return self._cast[full]


def match_batch(constant: Tensor, x: Tensor) -> Tensor:
    """Repeat a per-image constant (b, ...) for a batch of n * b images, the image index fastest.

    The solvers flatten states (T, B, ...) to (T * B, ...), so that image b sits at k * B + b.
    """
    b = constant.shape[0]
    if b in (1, x.shape[0]):
        return constant
    return constant.repeat(x.shape[0] // b, *(1 for _ in constant.shape[1:]))
