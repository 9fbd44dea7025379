"""A checkpoint's network as a UNet2DModel: where each of its layers goes."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from diffusers import UNet2DModel

from deqir_lite.priors.scheduler import silent_diffusers

GROUPS = 32
"""Of every normalisation, in both families of networks."""

_SHOWN = 3
"""So many tensors of each kind of difference are named."""


@dataclass(frozen=True)
class Place:
    """Where a layer of a UNet2DModel comes from: the ``layer`` of the checkpoint, all of it, or
    the ``part`` 0, 1 or 2 of one that computes queries, keys and values together."""

    layer: str
    part: int | None = None


@dataclass(frozen=True)
class Network:
    """What a checkpoint's shapes say: the ``config`` of the UNet2DModel, and the place of each of
    its layers. ``heads_first`` is the width of a head where queries, keys and values of one head
    lie together, None where all queries come first."""

    config: dict[str, Any]
    places: dict[str, Place]
    heads_first: int | None = None

    def tensors(self, weights: Mapping[str, torch.Tensor], where: str) -> dict[str, torch.Tensor]:
        """The state of the UNet2DModel, in the precision of the checkpoint.

        Raises ValueError, beginning with ``where``, that names what is missing, what is left
        over, and what has another shape or holds no plain floating-point numbers.
        """
        found: dict[str, torch.Tensor] = {}
        taken: set[int] = set()
        used, missing, reshaped = set(), [], []
        for name, shape in _shapes(self.config, where).items():
            layer, _, leaf = name.rpartition(".")
            place = self.places[layer]
            source = f"{place.layer}.{leaf}"
            used.add(source)
            if source not in weights:
                missing.append(source)
                continue
            tensor = weights[source]
            if not tensor.is_floating_point() or tensor.layout != torch.strided:
                reshaped.append(f"{source} ({tensor.dtype}, {tensor.layout})")
                continue
            if place.part is not None and len(tensor) == 3 * shape[0]:
                tensor = self._part(tensor, place.part)
            if tensor.shape[: len(shape)] != shape or tensor.numel() != shape.numel():
                reshaped.append(f"{source} {tuple(tensor.shape)}")
                continue
            found[name] = _alone(tensor.reshape(shape).contiguous(), taken)
        surplus = [name for name in weights if name not in used]
        differences = {
            "missing": missing,
            "left over": surplus,
            "of another shape or kind": reshaped,
        }
        if any(differences.values()):
            said = "; ".join(f"{kind}: {_some(n)}" for kind, n in differences.items() if n)
            raise ValueError(f"{where}: no whole network of this layout; {said}")
        return found

    def _part(self, tensor: torch.Tensor, part: int) -> torch.Tensor:
        if self.heads_first is None:
            return tensor.chunk(3)[part]
        heads = tensor.unflatten(0, (-1, 3, self.heads_first))
        return heads[:, part].flatten(0, 1)


def _alone(tensor: torch.Tensor, taken: set[int]) -> torch.Tensor:
    """The tensor in memory that no other has, as a .safetensors file asks for: copied only where
    it is not, since a checkpoint may be half as large as the memory. ``taken`` is what is."""
    place = tensor.untyped_storage().data_ptr()
    if place in taken:
        return tensor.clone()
    taken.add(place)
    return tensor


def attention(target: str, source: str, names: Mapping[str, Place]) -> Iterator[tuple[str, Place]]:
    """The layers of an attention block; ``names`` are those of its three projections."""
    yield f"{target}.group_norm", Place(f"{source}.norm")
    for name, place in names.items():
        yield f"{target}.{name}", Place(f"{source}.{place.layer}", place.part)
    yield f"{target}.to_out.0", Place(f"{source}.proj_out")


def residual(target: str, source: str, names: Mapping[str, str]) -> Iterator[tuple[str, Place]]:
    """The layers of a residual block; ``names`` are theirs in the checkpoint."""
    for name, layer in names.items():
        yield f"{target}.{name}", Place(f"{source}.{layer}")


def shape_of(weights: Mapping[str, torch.Tensor], name: str, where: str) -> torch.Size:
    """The shape of a tensor by which the architecture is told; ValueError where it is missing."""
    if name not in weights:
        raise ValueError(f"{where}: {name} is missing, by whose shape the network is told")
    return weights[name].shape


def _shapes(config: dict[str, Any], where: str) -> dict[str, torch.Size]:
    try:
        with silent_diffusers(), torch.device("meta"):
            unet = UNet2DModel(**config)
    except Exception as error:  # of torch's layers and diffusers' blocks: no common base
        reason = " ".join(str(error).split())[:200]
        raise ValueError(f"{where}: no UNet2DModel has such layers ({reason})") from error
    return {name: tensor.shape for name, tensor in unet.state_dict().items()}


def _some(found: list[str]) -> str:
    names = list(dict.fromkeys(found))  # three layers may come from one
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more
