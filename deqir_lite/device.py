"""The device that a computation runs on, by name."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from deqir_lite.checks import check_choice

if TYPE_CHECKING:
    import torch

DEVICES = ("auto", "cpu", "cuda", "mps")
"""Beside these cuda:0, cuda:1, ... mean one GPU of several."""

_ONE_GPU = re.compile("cuda:([0-9]+)")


def check_device(name: str) -> None:
    """Refuse what is no name of a device, whether it is there or not; imports no torch."""
    if not isinstance(name, str) or not _ONE_GPU.fullmatch(name):
        check_choice("device", name, DEVICES)


def choose_device(name: str) -> torch.device:
    """The device of that name; ``auto`` is cuda where there is one, else Apple's mps, else the cpu;
    ``cuda:N`` is the GPU of that number.

    Raises ValueError for what is no such name, and for what is not there.
    """
    import torch

    check_device(name)
    has = {"cpu": True, "cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if name == "auto":
        name = next(device for device in ("cuda", "mps", "cpu") if has[device])
    if (one := _ONE_GPU.fullmatch(name)) and has["cuda"]:
        count = torch.cuda.device_count()
        if int(one[1]) >= count:
            known = "cuda:0" if count == 1 else f"cuda:0 to cuda:{count - 1}"
            raise ValueError(
                f"device: {name!r} is not available on this machine, which has {known}"
            )
    elif one or not has[name]:
        raise ValueError(f"device: {name!r} is not available on this machine; use auto or cpu")
    return torch.device(name)


def fast_in_bfloat16(device: torch.device | str) -> bool:
    """Whether bfloat16 is faster than float32 there: on a GPU, and on a CPU that multiplies in it.

    Other CPUs only imitate it.
    """
    import torch

    if torch.device(device).type != "cpu":
        return True
    if not hasattr(torch.cpu, "get_capabilities"):  # older releases of torch do not tell
        return False
    features = torch.cpu.get_capabilities()
    return any(features.get(name, False) for name in ("amx_bf16", "avx512_bf16", "sve_bf16"))
