"""Compiled on CUDA only, and never at the price of the training."""

import dataclasses

import pytest
import torch

from deqir_lite.training import compilation
from deqir_lite.training.compilation import compiled_network

CPU, CUDA = torch.device("cpu"), torch.device("cuda")


@pytest.fixture
def on_cpu(monkeypatch):
    """What is meant for CUDA is tried on the CPU."""
    real = compilation._try
    monkeypatch.setattr(compilation, "_try", lambda network, recipe, _: real(network, recipe, CPU))


def test_nothing_is_compiled_on_the_cpu(recipe, monkeypatch):
    monkeypatch.setattr(torch, "compile", None)
    unet = recipe.build_unet()
    assert compiled_network(unet, recipe, CPU) is unet


def test_the_compiled_network_is_tried_on_a_whole_step(recipe, monkeypatch, on_cpu):
    unet, batches = recipe.build_unet(), []

    def compiled(x, t, return_dict):
        batches.append(tuple(x.shape))
        assert t.dtype == torch.int64
        return unet(x, t, return_dict=return_dict)

    monkeypatch.setattr(torch, "compile", lambda network: compiled)
    assert compiled_network(unet, recipe, CUDA) is compiled
    assert batches == [(4, 12, 8, 8)]
    assert all(p.grad is None for p in unet.parameters())


def test_a_failing_compiler_is_a_warning(recipe, monkeypatch, on_cpu):
    def broken(*arguments, **options):
        raise RuntimeError("no C compiler found\nwith a long story")

    monkeypatch.setattr(torch, "compile", lambda network: broken)
    unet = recipe.build_unet()
    expected = r"torch\.compile failed \(RuntimeError: no C compiler found\); going on without"
    with pytest.warns(UserWarning, match=expected):
        assert compiled_network(unet, recipe, CUDA) is unet


def test_too_large_a_batch_is_no_failure_of_the_compiler(recipe, monkeypatch, on_cpu):
    def full(*arguments, **options):
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(torch, "compile", lambda network: full)
    unet = recipe.build_unet()
    with pytest.raises(torch.OutOfMemoryError):
        compiled_network(unet, dataclasses.replace(recipe, batch=8), CUDA)
