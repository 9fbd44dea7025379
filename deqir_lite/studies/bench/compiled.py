"""A prior whose network is compiled for this machine, without changing what it says."""

import copy
import warnings
from typing import Any

import torch
from torch import nn

from deqir_lite.memory import is_out_of_memory
from deqir_lite.priors.base import Prior


def compiled_prior(prior: Prior, example: torch.Tensor) -> Prior | None:
    """``prior`` with its network compiled for batches like ``example`` (B, 3, H, W); the given one
    stays as it is.

    It is tried out here, so that nothing is compiled later for this shape. None, after a warning,
    where the network cannot be compiled, as without a compiler.
    """
    part = next((name for name, value in vars(prior).items() if isinstance(value, nn.Module)), None)
    if part is None:
        warnings.warn("compiled: this prior has no network", stacklevel=2)
        return None
    made: Any = copy.copy(prior)
    setattr(made, part, torch.compile(getattr(prior, part), dynamic=False))
    try:
        with torch.no_grad():
            made(example, torch.zeros(len(example), dtype=torch.long, device=example.device))
    except Exception as error:  # the compilers raise whatever they like
        if is_out_of_memory(error):
            raise
        reason = (str(error).splitlines() or [""])[0]
        warnings.warn(f"compiled: {type(error).__name__}: {reason}; left out", stacklevel=2)
        return None
    return made
