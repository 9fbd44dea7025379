"""One clear error when memory runs out, whichever allocator says so."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch

_PHRASES = ("not enough memory", "can't allocate memory", "out of memory")


@contextmanager
def explaining_memory(message: str) -> Iterator[None]:
    """Turn any out-of-memory error inside into ValueError(``message``)."""
    try:
        yield
    except (MemoryError, RuntimeError) as error:
        if not is_out_of_memory(error):
            raise
        raise ValueError(message) from error


def is_out_of_memory(error: BaseException) -> bool:
    """CUDA and Python have their own types; the CPU allocator of PyTorch only has a message."""
    if isinstance(error, (MemoryError, torch.OutOfMemoryError)):
        return True
    return isinstance(error, RuntimeError) and any(p in str(error).lower() for p in _PHRASES)
