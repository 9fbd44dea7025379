"""The folder of a network that was trained for one task: a prior's, with the name of the task."""

from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from deqir_lite._json import read_schema
from deqir_lite.priors.files import CONFIG_FILE, WEIGHTS_FILE
from deqir_lite.priors.unet import ResidualUNet
from deqir_lite.priors.weights import check_weights, load_weights, read_tensors
from deqir_lite.supervised.schemas import TaskConfig

SCALE = "scale"
"""The name of e, or e(t), among the weights."""


def config_of(kind: str, task: str, network: ResidualUNet, **more: Any) -> dict[str, Any]:
    """The content of config.json."""
    shape = {"channels": list(network.channels), "blocks": network.blocks, "patch": network.patch}
    return {"_class_name": kind, "task": task, **shape, **more}


def read_folder(
    folder: str | Path, kind: str, *, inputs: int
) -> tuple[TaskConfig, ResidualUNet, Tensor]:
    """Config, network (of ``inputs`` channels) and e of a folder that holds a ``kind``.

    Raises FileNotFoundError when a file is missing, ValueError when one is corrupt or holds NaN, or
    the weights are not those of the network that config.json describes; the lines begin with
    "networks".
    """
    root = Path(folder)
    config = read_schema(root / CONFIG_FILE, TaskConfig, name="networks")
    if config.class_name != kind:
        raise ValueError(f"networks: {root} holds a {config.class_name}; expected a {kind}")
    network = ResidualUNet(config.channels, blocks=config.blocks, patch=config.patch, inputs=inputs)
    weights = read_tensors(root / WEIGHTS_FILE, name="networks")
    check_weights(f"networks: {root / WEIGHTS_FILE}", weights)
    scale = weights.pop(SCALE, torch.empty(0))
    load_weights(network, weights, root, name="networks")
    return config, network, scale
