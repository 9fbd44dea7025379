"""Networks that this package's trainer made for one task, and its GAN, as rows of a comparison."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from deqir_lite.chain import PICTURE
from deqir_lite.gan import PhotoGAN
from deqir_lite.priors.files import class_name_of
from deqir_lite.priors.kinds import NO_PRIORS
from deqir_lite.restoration import Problem
from deqir_lite.supervised import Palette, RegressionNetwork

Trained = RegressionNetwork | Palette | PhotoGAN


@dataclass(frozen=True)
class TrainedNetwork:
    """What a folder of the trainer holds, ``made``; ``name``: of its row, with its task and the
    start of the weights' SHA-256."""

    name: str
    made: Trained

    @property
    def num_steps(self) -> int:
        """Steps of the chain that a Palette walks; the others have none, and one seed."""
        return PICTURE["num_steps"] if isinstance(self.made, Palette) else 0

    def solve(self, problem: Problem, seed: int) -> Tensor:
        """The photo (1, 3, H, W) of a problem; ValueError where it fails."""
        if isinstance(self.made, RegressionNetwork):
            return self.made.restore(problem.operator, problem.y)
        return self.made.restore(problem.operator, problem.y, seed=seed)

    def refuses(self, task: str, size: int) -> str | None:
        """Why it cannot do a task at ``size``, or None; those that it was not trained for it can,
        if badly."""
        factor = self.made.generator.factor if isinstance(self.made, PhotoGAN) else 1
        return f"it makes photos whose sides are multiples of {factor}" if size % factor else None


def load_trained(folder: Path, device: torch.device | str) -> TrainedNetwork | None:
    """The network in a folder of the trainer; None for a folder of another kind, ValueError or
    FileNotFoundError, in one line that begins with "networks", for a damaged one."""
    kind = class_name_of(folder, name="networks")
    if kind not in NO_PRIORS:
        return None
    made: Trained
    if kind == PhotoGAN.kind:
        made = PhotoGAN.load(folder)
        return TrainedNetwork(named("gan", made.generator), made.to(device))
    made = (RegressionNetwork if kind == RegressionNetwork.kind else Palette).load(folder)
    name = f"{'regression' if kind == RegressionNetwork.kind else 'palette'}-{made.task}"
    return TrainedNetwork(named(name, made.network), made.to(device))


def named(name: str, *modules: torch.nn.Module) -> str:
    """A name that other weights do not have: an evaluation goes on with the same ones only."""
    digest = hashlib.sha256()
    for module in modules:
        for key, value in module.state_dict().items():
            digest.update(key.encode())
            digest.update(value.detach().float().cpu().contiguous().numpy().tobytes())
    return f"{name} ({digest.hexdigest()[:8]})"
