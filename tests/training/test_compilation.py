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
    network = recipe.build_network()
    assert compiled_network(network, recipe, CPU) is network


def test_the_compiled_network_is_tried_on_a_whole_step(recipe, monkeypatch, on_cpu):
    network, batches = recipe.build_network(), []

    def compiled(x_t, log_ratio):
        batches.append(tuple(x_t.shape))
        return network(x_t, log_ratio)

    monkeypatch.setattr(torch, "compile", lambda network: compiled)
    assert compiled_network(network, recipe, CUDA) is compiled
    assert batches == [(4, 3, 16, 16)]
    assert all(p.grad is None for p in network.parameters())
    compiled_network(network, dataclasses.replace(recipe, final_crop=32), CUDA)
    assert batches[1:] == [(4, 3, 16, 16), (1, 3, 32, 32)]


def test_a_failing_compiler_is_a_warning(recipe, monkeypatch, on_cpu):
    def broken(*arguments, **options):
        raise RuntimeError("no C compiler found\nwith a long story")

    monkeypatch.setattr(torch, "compile", lambda network: broken)
    network = recipe.build_network()
    expected = r"torch\.compile failed \(RuntimeError: no C compiler found\); going on without"
    with pytest.warns(UserWarning, match=expected):
        assert compiled_network(network, recipe, CUDA) is network


def test_too_large_a_batch_is_no_failure_of_the_compiler(recipe, monkeypatch, on_cpu):
    def full(*arguments, **options):
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(torch, "compile", lambda network: full)
    network = recipe.build_network()
    with pytest.raises(torch.OutOfMemoryError):
        compiled_network(network, dataclasses.replace(recipe, batch=8), CUDA)
