"""The folder of a trained generator, and restoration with it."""

from pathlib import Path

import torch
from safetensors.torch import save
from torch import Tensor

from deqir_lite._json import read_schema, to_json
from deqir_lite.gan.inversion import invert
from deqir_lite.gan.networks import Generator
from deqir_lite.gan.schemas import GanConfig
from deqir_lite.operators import LinearOperator
from deqir_lite.priors.files import CONFIG_FILE, WEIGHTS_FILE
from deqir_lite.priors.weights import check_weights, halved, load_weights, read_tensors


class PhotoGAN:
    """A trained ``generator``, as something that restores y by :func:`invert`."""

    kind = "PhotoGAN"

    def __init__(self, generator: Generator) -> None:
        self.generator = generator.eval().requires_grad_(False)

    def restore(self, operator: LinearOperator, y: Tensor, *, seed: int = 0) -> Tensor:
        """x^ (B, 3, H, W) of y (B, ...), each photo by itself. Not clamped."""
        found = [invert(self.generator, operator, one, seed=seed).x0 for one in y.split(1)]
        return torch.cat(found)

    def to(self, device: torch.device | str) -> "PhotoGAN":
        """Move the generator to ``device``; returns self."""
        self.generator.to(device)
        return self

    def files(self) -> dict[str, bytes]:
        """The files of its folder by name; the weights in half precision."""
        g = self.generator
        config = {"_class_name": self.kind, "widths": list(g.widths), "latent": g.latent}
        return {
            CONFIG_FILE: to_json(config).encode(),
            WEIGHTS_FILE: save(halved(g), metadata={"format": "pt"}),
        }

    @classmethod
    def load(cls, folder: str | Path) -> "PhotoGAN":
        """Read a folder that the trainer wrote; FileNotFoundError or ValueError in one line that
        begins with "networks" when it is none, or damaged."""
        root = Path(folder)
        config = read_schema(root / CONFIG_FILE, GanConfig, name="networks")
        generator = Generator(config.widths, latent=config.latent)
        weights = read_tensors(root / WEIGHTS_FILE, name="networks")
        check_weights(f"networks: {root / WEIGHTS_FILE}", weights)
        load_weights(generator, weights, root, name="networks")
        return cls(generator)
