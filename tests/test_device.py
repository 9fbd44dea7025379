"""Devices by name, and what is fast there."""

import pytest
import torch

from deqir_lite.device import choose_device, fast_in_bfloat16


@pytest.mark.parametrize(
    ("cuda", "mps", "best"),
    [(True, True, "cuda"), (False, True, "mps"), (False, False, "cpu")],
)
def test_auto_takes_the_best_device(monkeypatch, cuda, mps, best):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: cuda)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: mps)
    assert choose_device("auto") == torch.device(best)
    assert choose_device("cpu") == torch.device("cpu")
    if not mps:
        with pytest.raises(ValueError, match="device: 'mps' is not available on this machine"):
            choose_device("mps")


def test_one_gpu_of_several_by_its_number(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    assert choose_device("cuda:1") == torch.device("cuda:1")
    with pytest.raises(
        ValueError, match="device: 'cuda:2' is not available on this machine, which"
    ):
        choose_device("cuda:2")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(ValueError, match="device: 'cuda:0' is not available on this machine"):
        choose_device("cuda:0")


@pytest.mark.parametrize("name", ["gpu", "cuda:", "cuda:-1", "cuda:N", "cpu:0", 0, None])
def test_what_names_no_device_is_refused(name):
    with pytest.raises(ValueError, match="device: unknown value .*; known: auto, cpu, cuda, mps"):
        choose_device(name)


@pytest.mark.parametrize(
    ("features", "fast"),
    [
        ({"avx2": True, "avx512_f": True}, False),
        ({"amx_bf16": False, "avx512_bf16": False}, False),
        ({"avx512_bf16": True}, True),
        ({"amx_bf16": True}, True),
        ({"sve_bf16": True}, True),
    ],
)
def test_bfloat16_is_fast_where_the_processor_multiplies_in_it(monkeypatch, features, fast):
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: features, raising=False)
    assert fast_in_bfloat16("cpu") is fast
    assert fast_in_bfloat16(torch.device("cuda"))
    assert fast_in_bfloat16("mps")


def test_a_release_of_torch_that_does_not_tell_is_not_trusted(monkeypatch):
    monkeypatch.delattr(torch.cpu, "get_capabilities", raising=False)
    assert not fast_in_bfloat16("cpu")
