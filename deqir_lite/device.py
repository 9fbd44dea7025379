"""The device that a computation runs on, by name."""

import torch

from deqir_lite.checks import check_choice

DEVICES = ("auto", "cpu", "cuda", "mps")


def choose_device(name: str) -> torch.device:
    """The device of that name; ``auto`` is cuda where there is one, else Apple's mps, else the cpu.

    Raises ValueError for another name than those of DEVICES, and for what is not there.
    """
    check_choice("device", name, DEVICES)
    has = {"cpu": True, "cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if name == "auto":
        name = next(device for device in ("cuda", "mps", "cpu") if has[device])
    if not has[name]:
        raise ValueError(f"device: {name!r} is not available on this machine; use auto or cpu")
    return torch.device(name)


def fast_in_bfloat16(device: torch.device | str) -> bool:
    """Whether bfloat16 is faster than float32 there: on a GPU, and on a CPU that multiplies in it.

    Other CPUs only imitate it.
    """
    if torch.device(device).type != "cpu":
        return True
    if not hasattr(torch.cpu, "get_capabilities"):  # older releases of torch do not tell
        return False
    features = torch.cpu.get_capabilities()
    return any(features.get(name, False) for name in ("amx_bf16", "avx512_bf16", "sve_bf16"))
