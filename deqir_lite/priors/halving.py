"""A network's batch in halves, where the whole does not fit into memory."""

import math
import warnings
from collections.abc import Callable

import torch
from torch import Tensor

from deqir_lite.memory import is_out_of_memory


class Halving:
    """Asks a model about as many images at once as memory allowed so far.

    A batch that does not fit is halved until it does, which is said once, and what fits is
    remembered: ``most`` values of x at once. A single image that does not fit is an error.
    """

    def __init__(self) -> None:
        self.most = math.inf

    def __call__(self, model: Callable[[Tensor, Tensor], Tensor], x: Tensor, t: Tensor) -> Tensor:
        """model(x, t) of x (B, ...) and t (B,)."""
        each = x[0].numel() if len(x) else 1
        count = int(max(1, min(len(x), self.most // each)))
        try:
            if count >= len(x):
                return model(x, t)
            parts = zip(x.split(count), t.split(count), strict=True)
            return torch.cat([model(*part) for part in parts])
        except (MemoryError, RuntimeError) as error:
            if count == 1 or not is_out_of_memory(error):
                raise
        # not in the handler: there the error would keep alive what the model had made
        half = (count + 1) // 2
        if self.most == math.inf:
            warnings.warn(
                f"prior: {count} images at once do not fit into memory; from now on {half}, or "
                "fewer if need be",
                stacklevel=2,
            )
        self.most = half * each
        return self(model, x, t)
