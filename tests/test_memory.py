"""All the ways in which memory can run out are told in the same line."""

import pytest
import torch

from deqir_lite.memory import explaining_memory


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB"),
        RuntimeError("[enforce fail at alloc_cpu.cpp:1] DefaultCPUAllocator: not enough memory"),
        RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 8 bytes"),
        RuntimeError("MPS backend out of memory (MPS allocated: 5 GB)"),
    ],
)
def test_memory_errors_become_the_message(error):
    with (
        pytest.raises(ValueError, match="^batch: too large$"),
        explaining_memory("batch: too large"),
    ):
        raise error


@pytest.mark.parametrize("error", [RuntimeError("shapes differ"), ValueError("x"), KeyError("y")])
def test_other_errors_pass(error):
    with pytest.raises(type(error)) as caught, explaining_memory("batch: too large"):
        raise error
    assert caught.value is error


def test_a_real_allocation_that_is_far_too_large():
    with pytest.raises(ValueError, match="^far$"), explaining_memory("far"):
        torch.empty(2**60, dtype=torch.uint8)
