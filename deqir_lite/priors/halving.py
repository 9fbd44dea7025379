"""A network's batch in halves, where the whole does not fit into memory."""

import warnings
from collections.abc import Callable

import torch
from torch import Tensor

from deqir_lite.memory import is_out_of_memory


class Halving:
    """Asks a model about as many images at once as memory allowed so far.

    A batch that does not fit is halved until it does, which is said once, and what fits is
    remembered, by copies of a prior together: ``most`` values of x at once, None as long as all
    did. A single image that does not fit is an error. Where gradients are wanted, what the halves
    keep for them counts as well, and may not fit in any number of parts.
    """

    def __init__(self) -> None:
        self.most: int | None = None

    def __call__(self, model: Callable[[Tensor, Tensor], Tensor], x: Tensor, t: Tensor) -> Tensor:
        """model(x, t) of x (B, ...) and t (B,)."""
        each = max(x[:1].numel(), 1)
        first = count = max(len(x) if self.most is None else min(len(x), self.most // each), 1)
        while True:
            try:
                parts = zip(x.split(count), t.split(count), strict=True)
                answers = [model(*part) for part in parts]
                break
            except (MemoryError, RuntimeError) as error:
                if count == 1 or not is_out_of_memory(error):
                    raise
            count = (count + 1) // 2
        if count < first:
            if self.most is None:
                warnings.warn(
                    f"prior: {first} images at once do not fit into memory; from now on {count}, "
                    "or fewer if need be",
                    stacklevel=2,
                )
            self.most = count * each
        return answers[0] if len(answers) == 1 else torch.cat(answers)
