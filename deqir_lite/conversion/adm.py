"""The network of guided-diffusion (Dhariwal and Nichol 2021), "ADM"."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import torch

from deqir_lite.conversion.network import (
    GROUPS,
    Network,
    Place,
    attention,
    residual,
    shape_of,
)

FIRST = "input_blocks.0.0.weight"
"""What every checkpoint of this layout has."""

HEAD_CHANNELS = 64
"""Of an attention head, in the published networks for 256 pixels."""

_RESIDUAL = {
    "norm1": "in_layers.0",
    "conv1": "in_layers.2",
    "time_emb_proj": "emb_layers.1",
    "norm2": "out_layers.0",
    "conv2": "out_layers.3",
    "conv_shortcut": "skip_connection",
}
_PROJECTIONS = {f"to_{name}": Place("qkv", part) for part, name in enumerate("qkv")}


@dataclass(frozen=True)
class _Levels:
    """How the numbered blocks are divided: ``depth`` levels of ``layers`` blocks on the way down,
    one more on the way up; which levels have attention, and how sizes change between them."""

    depth: int
    layers: int
    attentive: list[bool]
    sampling: str

    def down(self, level: int) -> int:
        """The first input block of a level; its last one halves the size."""
        return 1 + level * (self.layers + 1)

    def up(self, level: int) -> int:
        """The first output block of a level; its last one doubles the size too."""
        return (self.depth - 1 - level) * (self.layers + 1)


def read_adm(
    weights: Mapping[str, torch.Tensor],
    *,
    image_size: int,
    where: str,
    num_head_channels: int | None = None,
    num_heads: int | None = None,
    new_attention_order: bool = False,
) -> Network:
    """The network that the names and shapes in ``weights`` describe.

    They do not tell the heads: ``num_head_channels`` is the width of one, 64 unless it is given
    or ``num_heads`` is, their number. By default queries, keys and values of one head lie
    together, with ``new_attention_order`` all queries come first. Raises ValueError, beginning
    with ``where`` or with the argument, for an incomplete network, and for heads that it cannot
    have, or a UNet2DModel cannot.
    """
    levels = _levels(weights, where)
    widths = [
        shape_of(weights, f"input_blocks.{levels.down(k)}.0.out_layers.3.weight", where)[0]
        for k in range(levels.depth)
    ]
    attended = {width for width, a in zip(widths, levels.attentive, strict=True) if a}
    head = _head_width(attended | {widths[-1]}, num_head_channels, num_heads)
    modulation = shape_of(weights, "input_blocks.1.0.emb_layers.1.weight", where)[0]
    plain = "Resnet{}sampleBlock2D" if levels.sampling == "resnet" else "{}Block2D"
    kinds = ["Attn{}Block2D" if a else plain for a in levels.attentive]
    config = {
        "sample_size": image_size,
        "in_channels": shape_of(weights, FIRST, where)[1],
        "out_channels": shape_of(weights, "out.2.weight", where)[0],
        "block_out_channels": tuple(widths),
        "layers_per_block": levels.layers,
        "down_block_types": tuple(kind.format("Down") for kind in kinds),
        "up_block_types": tuple(kind.format("Up") for kind in kinds[::-1]),
        "downsample_type": levels.sampling,
        "upsample_type": levels.sampling,
        "resnet_time_scale_shift": "scale_shift" if modulation == 2 * widths[0] else "default",
        "attention_head_dim": head,
        "norm_num_groups": GROUPS,
        "attn_norm_num_groups": GROUPS,  # without it the middle has attention without a norm
    }
    if "label_emb.weight" in weights:
        config["num_class_embeds"] = weights["label_emb.weight"].shape[0]
    order = None if new_attention_order or head is None else head
    return Network(config, dict(_places(levels)), order)


def _levels(weights: Mapping[str, torch.Tensor], where: str) -> _Levels:
    """The upsampling at the end of each level but the last tells how many blocks it has: on the
    way down, a residual block that halves the size looks like any other."""
    numbers = [int(m[1]) for m in map(re.compile(r"output_blocks\.(\d+)\.").match, weights) if m]
    if not numbers:
        raise ValueError(
            f"{where}: it has no output_blocks, so it is half of a network, such as a classifier"
        )
    ends = sorted(
        {
            int(found[1])
            for found in map(
                re.compile(r"output_blocks\.(\d+)\.[12]\.(conv|in_layers\.2)\.weight").match,
                weights,
            )
            if found
        }
    )
    count = max(numbers) + 1
    length = ends[0] + 1 if ends else count
    depth = count // length
    if length < 2 or count % length or ends != [length * (k + 1) - 1 for k in range(depth - 1)]:
        raise ValueError(
            f"{where}: its {count} output_blocks double the size after the numbers {ends}; "
            "expected levels of as many blocks each, such as the numbers 2, 5, 8 of 12"
        )
    sampling = "conv" if any(name.endswith(".0.op.weight") for name in weights) else "resnet"
    layers = length - 1
    levels = _Levels(depth, layers, [], sampling)
    for k in range(depth):
        blocks = [f"input_blocks.{levels.down(k) + i}" for i in range(layers)]
        blocks += [f"output_blocks.{levels.up(k) + i}" for i in range(length)]
        levels.attentive.append(any(f"{block}.1.qkv.weight" in weights for block in blocks))
    return levels


def _head_width(
    widths: set[int], num_head_channels: int | None, num_heads: int | None
) -> int | None:
    """The width of the attention heads; None for one head that is as wide as its level."""
    if num_heads == 1:
        return None
    if num_heads is None:
        head = HEAD_CHANNELS if num_head_channels is None else num_head_channels
        if bad := [width for width in sorted(widths) if width % head]:
            raise ValueError(
                f"num_head_channels: got {head}, but a level with attention has {bad[0]} channels; "
                "expected a divisor of them (or give num_heads)"
            )
        return head
    if num_head_channels is not None:
        raise ValueError("num_heads: got num_head_channels too; give one of them")
    if len(widths) > 1:
        raise ValueError(
            f"num_heads: got {num_heads} for levels of {_listed(widths)} channels, whose heads "
            "would differ in width; a UNet2DModel has one width for all (num_head_channels)"
        )
    (width,) = widths
    if width % num_heads:
        raise ValueError(f"num_heads: got {num_heads}; expected a divisor of {width} channels")
    return width // num_heads


def _listed(widths: Sequence[int] | set[int]) -> str:
    return " and ".join(map(str, sorted(widths)))


def _places(levels: _Levels) -> Iterator[tuple[str, Place]]:
    for name, layer in {
        "conv_in": FIRST.removesuffix(".weight"),
        "time_embedding.linear_1": "time_embed.0",
        "time_embedding.linear_2": "time_embed.2",
        "class_embedding": "label_emb",
        "conv_norm_out": "out.0",
        "conv_out": "out.2",
    }.items():
        yield name, Place(layer)
    yield from residual("mid_block.resnets.0", "middle_block.0", _RESIDUAL)
    yield from attention("mid_block.attentions.0", "middle_block.1", _PROJECTIONS)
    yield from residual("mid_block.resnets.1", "middle_block.2", _RESIDUAL)
    for level, attentive in enumerate(levels.attentive):
        ways = {
            f"down_blocks.{level}": ("input_blocks", levels.down(level), levels.layers),
            f"up_blocks.{levels.depth - 1 - level}": (
                "output_blocks",
                levels.up(level),
                levels.layers + 1,
            ),
        }
        for target, (blocks, first, count) in ways.items():
            for k in range(count):
                source = f"{blocks}.{first + k}"
                yield from residual(f"{target}.resnets.{k}", f"{source}.0", _RESIDUAL)
                if attentive:
                    yield from attention(f"{target}.attentions.{k}", f"{source}.1", _PROJECTIONS)
        samplers = {
            f"down_blocks.{level}.downsamplers.0": f"input_blocks.{levels.down(level + 1) - 1}.0",
            f"up_blocks.{levels.depth - 1 - level}.upsamplers.0": (
                f"output_blocks.{levels.up(level) + levels.layers}.{1 + attentive}"
            ),
        }
        for target, source in samplers.items():
            if levels.sampling == "resnet":
                yield from residual(target, source, _RESIDUAL)
            else:
                convolution = "op" if target.startswith("down") else "conv"
                yield f"{target}.conv", Place(f"{source}.{convolution}")
