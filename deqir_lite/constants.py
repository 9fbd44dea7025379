"""What is computed once: in float64, then kept per dtype and device."""

from collections.abc import Callable, Hashable
from typing import Any

import torch
from torch import Tensor


class Constants:
    """A cache of the constant tensors of one object: matrices, masks, filters, tables.

    What a program reads or builds once, without dtype and device (a file of the package, a network
    for a metric), is kept by ``functools.cache`` instead.

    They are made outside of ``torch.inference_mode``: a tensor that was made under it could never
    be used in training again.
    """

    def __init__(self) -> None:
        self._exact: dict[Hashable, Any] = {}
        self._cast: dict[Hashable, Tensor] = {}

    def exact(self, key: Hashable, build: Callable[[], Any]) -> Any:
        """What ``build`` returned the first time: float64, where the object lives."""
        if key not in self._exact:
            with torch.inference_mode(False), torch.no_grad():
                self._exact[key] = build()
        return self._exact[key]

    def like(self, key: Hashable, x: Tensor, build: Callable[[], Tensor]) -> Tensor:
        """The same tensor in the dtype (complex ones: its complex partner) and device of ``x``."""
        full = (key, x.dtype, x.device)
        if full not in self._cast:
            value = self.exact(key, build)
            with torch.inference_mode(False), torch.no_grad():
                # Cast before the move: some devices (MPS) have no float64. Not .to(x): ``x`` may
                # be a tracer of torch.func.
                if value.is_complex():
                    value = value.to(x.dtype.to_complex())
                elif value.is_floating_point():
                    value = value.to(x.dtype)
                self._cast[full] = value.to(x.device)
        return self._cast[full]
