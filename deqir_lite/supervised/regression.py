"""Regression: one look at A^+ y, and the photo that is right on average."""

from pathlib import Path

import torch
from safetensors.torch import save
from torch import Tensor

from deqir_lite._json import to_json
from deqir_lite.operators import LinearOperator
from deqir_lite.priors.files import CONFIG_FILE, WEIGHTS_FILE
from deqir_lite.priors.tiles import on_tiles
from deqir_lite.priors.unet import ResidualUNet
from deqir_lite.priors.weights import halved
from deqir_lite.supervised.folders import SCALE, config_of, read_folder


class RegressionNetwork:
    """x^ = A^+ y + e f(A^+ y): a network that was trained to be near x in the mean square.

    ``network``: f, a :class:`ResidualUNet` as the bundled prior's, and ``scale`` (1,): e, the rms
    error of A^+ y on training crops, so that f is of order 1. There is no noise: f is asked with
    the level log e, as if the error were some, which is where a prior's weights know most of it.
    ``task``: the name of the one that it was trained for. The mean square has its minimum
    at E[x | y]: such a network is hard to beat in PSNR on its task, and its photos are smooth.
    Source: the supervised rows of DeqIR's Table 5 are such networks, with other losses.
    """

    kind = "RegressionNetwork"

    def __init__(self, task: str, network: ResidualUNet, scale: Tensor) -> None:
        self.task, self.network, self.scale = task, network.float(), scale.float()
        self.network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.network.eval().requires_grad_(False)

    def restore(self, operator: LinearOperator, y: Tensor) -> Tensor:
        """x^ (B, 3, H, W) of y (B, ...), for any operator: it sees A^+ y only. Not clamped."""
        seen = operator.pinv(y)
        level = self.scale.to(seen.device).log().expand(len(seen))

        def ask(x: Tensor, level: Tensor) -> Tensor:
            return self.network(x.float(), level).to(x.dtype)

        answer = on_tiles(ask, seen, level, divisor=self.network.size_divisor)
        return seen + self.scale.to(seen) * answer

    def to(self, device: torch.device | str) -> "RegressionNetwork":
        """Move network and e to ``device``; returns self."""
        self.network.to(device)
        self.scale = self.scale.to(device)
        return self

    def files(self) -> dict[str, bytes]:
        """The files of its folder by name; the weights in half precision."""
        tensors = halved(self.network) | {SCALE: self.scale.cpu()}
        config = config_of(self.kind, self.task, self.network)
        return {
            CONFIG_FILE: to_json(config).encode(),
            WEIGHTS_FILE: save(tensors, metadata={"format": "pt"}),
        }

    @classmethod
    def load(cls, folder: str | Path) -> "RegressionNetwork":
        """Read a folder that the trainer wrote; errors as of :func:`read_folder`."""
        config, network, scale = read_folder(folder, cls.kind, inputs=3)
        return cls(config.task, network, scale)
