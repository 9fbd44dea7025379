"""Weights out of a file, and whether they can be used."""

from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors.torch import load_file

from deqir_lite.memory import is_out_of_memory
from deqir_lite.priors.kinds import check_no_pointer


def read_tensors(path: Path, *, name: str = "prior") -> dict[str, torch.Tensor]:
    """The tensors of a safetensors file; FileNotFoundError, or ValueError for a corrupt one."""
    if not path.is_file():
        raise FileNotFoundError(f"{name}: {path.parent} holds no {path.name}")
    check_no_pointer(path)
    try:
        return load_file(str(path))
    except Exception as error:  # safetensors errors have no public base class
        if is_out_of_memory(error):
            raise
        raise ValueError(f"{name}: {path} is corrupt ({error})") from error


def check_weights(where: str, weights: Mapping[str, torch.Tensor]) -> None:
    """Raise ValueError, beginning with ``where``, for the first tensor with NaN or infinity."""
    for name, tensor in weights.items():
        if tensor.is_meta or bool(torch.isfinite(tensor).all()):
            continue
        count = int((~torch.isfinite(tensor)).sum())
        raise ValueError(
            f"{where}: {name}: {count} of {tensor.numel()} weights are NaN or infinite; expected "
            "finite ones"
        )


def halved(network: torch.nn.Module) -> dict[str, torch.Tensor]:
    """The weights as they are stored: on the CPU, in half precision."""
    return {k: v.cpu().half().contiguous() for k, v in network.state_dict().items()}


def load_weights(
    network: torch.nn.Module,
    weights: Mapping[str, torch.Tensor],
    folder: Path,
    *,
    name: str = "prior",
) -> None:
    """Give a network its weights; ValueError where those of ``folder`` are not of its shape."""
    try:
        network.load_state_dict(weights)
    except RuntimeError as error:
        reason = " ".join(str(error).split())[:200]
        raise ValueError(
            f"{name}: the weights in {folder} are of another architecture than its config.json: "
            f"{reason}"
        ) from error
