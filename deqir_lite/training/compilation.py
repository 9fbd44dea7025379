"""torch.compile where it pays, with the plain network as the way out."""

import warnings
from collections.abc import Callable
from typing import Any

import torch

from deqir_lite.memory import is_out_of_memory
from deqir_lite.training.recipe import Recipe


def compiled_network(
    network: torch.nn.Module, recipe: Recipe, device: torch.device
) -> Callable[..., Any]:
    """``network`` compiled for the batches of ``recipe`` on CUDA, and as it is elsewhere.

    On a CPU the compilation takes longer than it saves in a training of minutes. It happens
    here, in a step on empty batches, so that it does not count as training time, and so that
    too large a batch is noticed at once. When it fails, a warning says so.
    """
    if device.type != "cuda":
        return network
    compiled = torch.compile(network)
    try:
        _try(compiled, recipe, device)
    except Exception as error:  # the compilers raise whatever they like
        if is_out_of_memory(error):
            raise
        reason = (str(error).splitlines() or [""])[0]
        warnings.warn(
            f"training: torch.compile failed ({type(error).__name__}: {reason}); going on without",
            stacklevel=2,
        )
        return network
    finally:
        network.zero_grad()
    return compiled


def _try(network: Callable[..., Any], recipe: Recipe, device: torch.device) -> None:
    """Forward and backward as in the first and the last training step; only the gradients are left
    behind."""
    for batch, side in dict.fromkeys(recipe.crops(progress) for progress in (0.0, 1.0)):
        x = torch.zeros(batch, recipe.inputs, side, side, device=device)
        with torch.autocast(device.type, torch.bfloat16):
            output = network(x, torch.zeros(batch, device=device))
        output.float().square().mean().backward()
