"""With what software, and on which devices, the numbers of a results file were computed."""

from typing import Any

import torch

from deqir_lite.machine import describe_device, versions


def add_contributors(context: dict[str, Any], device: torch.device) -> None:
    """Enter this run into ``context``, beside the runs that are in it already.

    ``devices`` is a sorted list. ``versions`` has one text for each package: the version, or all
    that contributed in their order, "2.12.0, 2.13.0".
    """
    context["devices"] = sorted({*context.get("devices", []), describe_device(device)})
    earlier = context.get("versions", {})
    context["versions"] = earlier | {
        name: _joined(earlier.get(name, ""), now) for name, now in versions().items()
    }


def _joined(earlier: str, now: str) -> str:
    known = earlier.split(", ") if earlier else []
    return ", ".join(known if now in known else [*known, now])
