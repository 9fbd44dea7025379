"""Weights in torch's hub folder, under names that end with the start of their SHA-256."""

import contextlib
import hashlib
import os
from collections.abc import Iterator
from pathlib import Path

import torch


def hub_path(name: str) -> Path:
    """Where torch keeps weights of this ``name``: TORCH_HOME/hub/checkpoints/NAME."""
    return Path(torch.hub.get_dir()) / "checkpoints" / name


def hash_in(weights: Path) -> str:
    """The start of the SHA-256 that the file should have."""
    return weights.stem.rsplit("-", 1)[1]


def wrong_hash(weights: Path) -> str | None:
    """What is wrong with the SHA-256 of a file that is there, or None."""
    with weights.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    wanted = hash_in(weights)
    if found.startswith(wanted):
        return None
    return f"its SHA-256 begins with {found[: len(wanted)]}, expected {wanted}"


@contextlib.contextmanager
def weights_only() -> Iterator[None]:
    """torch.load runs no code from a file, whatever a library asks of it."""
    variables = {"TORCH_FORCE_WEIGHTS_ONLY_LOAD": "1", "TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD": "0"}
    before = {name: os.environ.get(name) for name in variables}
    os.environ.update(variables)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
