"""The network of DDPM (Ho et al. 2020) in the PyTorch port that DDIM, SDEdit, DDRM and DDNM use."""

import re
from collections.abc import Iterator, Mapping

import torch

from deqir_lite.conversion.network import (
    GROUPS,
    Network,
    Place,
    attention,
    residual,
    shape_of,
)

FIRST = "conv_in.weight"
"""What every checkpoint of this layout has."""

_BLOCK = re.compile(r"down\.(?P<level>\d+)\.block\.\d+\.conv1\.weight").fullmatch

_RESIDUAL = {
    "norm1": "norm1",
    "conv1": "conv1",
    "time_emb_proj": "temb_proj",
    "norm2": "norm2",
    "conv2": "conv2",
    "conv_shortcut": "nin_shortcut",
}
_PROJECTIONS = {f"to_{name}": Place(name) for name in "qkv"}


def read_ddpm(weights: Mapping[str, torch.Tensor], *, image_size: int, where: str) -> Network:
    """The network that the names and shapes in ``weights`` describe.

    Attention has one head; timesteps are embedded as sines, then cosines; images are padded on
    the right and below before they are halved. Raises ValueError, beginning with ``where``, for
    an incomplete one.
    """
    found = [match for match in map(_BLOCK, weights) if match]
    depth = 1 + max((int(match["level"]) for match in found), default=0)
    blocks = sum(match["level"] == "0" for match in found)
    widths = [
        shape_of(weights, f"down.{level}.block.0.conv1.weight", where)[0] for level in range(depth)
    ]
    attentive = [
        any(f"{way}.{level}.attn.0.q.weight" in weights for way in ("down", "up"))
        for level in range(depth)
    ]
    inner = shape_of(weights, FIRST, where)[1]
    config = {
        "sample_size": image_size,
        "in_channels": inner,
        "out_channels": shape_of(weights, "conv_out.weight", where)[0],
        "block_out_channels": tuple(widths),
        "layers_per_block": blocks,
        "down_block_types": tuple("AttnDownBlock2D" if a else "DownBlock2D" for a in attentive),
        "up_block_types": tuple("AttnUpBlock2D" if a else "UpBlock2D" for a in attentive[::-1]),
        "attention_head_dim": None,
        "norm_num_groups": GROUPS,
        "attn_norm_num_groups": GROUPS,
        "norm_eps": 1e-6,
        "downsample_padding": 0,
        "flip_sin_to_cos": False,
        "freq_shift": 1,
    }
    return Network(config, dict(_places(depth, blocks, attentive)))


def _places(depth: int, blocks: int, attentive: list[bool]) -> Iterator[tuple[str, Place]]:
    for name, layer in {
        "conv_in": "conv_in",
        "time_embedding.linear_1": "temb.dense.0",
        "time_embedding.linear_2": "temb.dense.1",
        "conv_norm_out": "norm_out",
        "conv_out": "conv_out",
    }.items():
        yield name, Place(layer)
    yield from attention("mid_block.attentions.0", "mid.attn_1", _PROJECTIONS)
    for block in range(2):
        yield from residual(f"mid_block.resnets.{block}", f"mid.block_{block + 1}", _RESIDUAL)
    for level in range(depth):
        ways = ("down", level, blocks), ("up", depth - 1 - level, blocks + 1)
        for way, index, count in ways:
            target, source = f"{way}_blocks.{index}", f"{way}.{level}"
            for k in range(count):
                yield from residual(f"{target}.resnets.{k}", f"{source}.block.{k}", _RESIDUAL)
                if attentive[level]:
                    yield from attention(
                        f"{target}.attentions.{k}", f"{source}.attn.{k}", _PROJECTIONS
                    )
            sampler = f"{way}sample"
            yield f"{target}.{sampler}rs.0.conv", Place(f"{source}.{sampler}.conv")
