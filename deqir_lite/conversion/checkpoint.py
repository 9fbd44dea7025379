"""The tensors of a checkpoint, read without running what else may be in it."""

import pickle
import re
import warnings
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from deqir_lite._files import is_there
from deqir_lite.memory import is_out_of_memory
from deqir_lite.priors.kinds import describe_file, tensor_names
from deqir_lite.priors.weights import read_tensors

_PARALLEL = "module."
"""What names begin with after training on several devices."""


def read_checkpoint(
    path: str | Path, *, entry: str | None = None, usual: Sequence[str] = ()
) -> dict[str, torch.Tensor]:
    """The network in a file that ``torch.save`` wrote, or in a .safetensors file: name -> tensor.

    ``entry`` names the one that is meant where the file holds several, such as ``ema``; without it
    the first of the ``usual`` that is there. Raises FileNotFoundError, or ValueError in one line,
    which begins with "checkpoint", for what is none, is cut off, or holds code or objects beside
    tensors: nothing in the file is run.
    """
    path = Path(path)
    try:
        there = is_there(path)
    except (OSError, ValueError) as error:  # a name that is too long, or with a null character
        reason = getattr(error, "strerror", None) or error
        raise FileNotFoundError(
            f"checkpoint: {str(path)[:80]!r} is no name of a file ({reason})"
        ) from error
    if not there:
        raise FileNotFoundError(f"checkpoint: no file {str(path)!r}")
    if not path.is_file():
        kind = "a folder" if path.is_dir() else "no regular file"
        raise ValueError(
            f"checkpoint: {str(path)!r} is {kind}; expected a file, as torch.save writes it"
        )
    content = read_tensors(path, name="checkpoint") if tensor_names(path) else _load(path)
    weights = _network(content, entry, usual, path)
    if all(name.startswith(_PARALLEL) for name in weights):
        weights = {name.removeprefix(_PARALLEL): tensor for name, tensor in weights.items()}
    return weights


def _load(path: Path) -> Any:
    mapped = zipfile.is_zipfile(path)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of pickles that it then refuses
            return torch.load(path, map_location="cpu", weights_only=True, mmap=mapped)
    except Exception as error:  # torch.load raises half a dozen unrelated types
        if is_out_of_memory(error):
            raise
        if isinstance(error, OSError) and error.strerror:
            raise OSError(f"checkpoint: {path} cannot be read ({error.strerror})") from error
        kind = describe_file(path)
        code = re.search(r"GLOBAL ([\w.]+)", str(error))
        if code and isinstance(error, pickle.UnpicklingError):
            raise ValueError(
                f"checkpoint: {path} holds {code[1]}, code or an object beside tensors; nothing of "
                "it was run. Expected tensors alone, as model.state_dict() gives them"
            ) from error
        reason = "; it is corrupt, or cut off" if "PyTorch" in kind else ""
        raise ValueError(
            f"checkpoint: {path} is {kind}{reason}; expected the tensors of a network, as "
            "torch.save writes them"
        ) from error


def _network(
    content: Any, entry: str | None, usual: Sequence[str], path: Path
) -> dict[str, torch.Tensor]:
    """The mapping of names to tensors in ``content``, or one level below."""
    if entry is None and _is_network(content):
        return dict(content)
    if isinstance(content, list | tuple):
        content = {str(k): part for k, part in enumerate(content)}
    parts = content if isinstance(content, Mapping) else {}
    networks = {str(name): part for name, part in parts.items() if _is_network(part)}
    if entry is not None and entry not in networks:
        known = ", ".join(networks) or "none"
        raise ValueError(f"entry: {path} holds no network {entry!r}; known: {known}")
    if entry is None and len(networks) > 1:
        entry = next((name for name in usual if name in networks), None)
    if entry is None and len(networks) != 1:
        held = ", ".join(networks)
        raise ValueError(
            f"checkpoint: {path} holds several networks; name one with entry: {held}"
            if networks
            else f"checkpoint: {path} holds no network; expected names with tensors, as "
            "model.state_dict() gives them"
        )
    return dict(networks[entry] if entry is not None else next(iter(networks.values())))


def _is_network(content: Any) -> bool:
    return (
        isinstance(content, Mapping)
        and bool(content)
        and all(
            isinstance(name, str) and isinstance(tensor, torch.Tensor)
            for name, tensor in content.items()
        )
    )
