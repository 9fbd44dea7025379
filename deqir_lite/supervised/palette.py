"""Palette: a diffusion that was trained for one task, and sees A^+ y beside every noisy state."""

from pathlib import Path

import torch
from safetensors.torch import save
from torch import Tensor

from deqir_lite._json import to_json
from deqir_lite.chain import PICTURE, make_chain
from deqir_lite.operators import LinearOperator, NoMeasurement
from deqir_lite.operators.base import match_batch
from deqir_lite.priors.files import CONFIG_FILE, SPECTRUM_FILE, WEIGHTS_FILE
from deqir_lite.priors.gaussian import GaussianPrior
from deqir_lite.priors.residual import ResidualPrior
from deqir_lite.priors.spectrum import PhotoSpectrum
from deqir_lite.priors.unet import ResidualUNet
from deqir_lite.priors.weights import halved
from deqir_lite.schedule import linear_schedule
from deqir_lite.supervised.folders import SCALE, config_of, read_folder


class ConditionedPrior(ResidualPrior):
    """p(x | y) as a noise predictor: x_{0|t} = xG_{0|t} + e(t) f([x_t, A^+ y], t).

    ``condition``: A^+ y (B, 3, H, W), which the network of 6 channels sees behind x_t. It is asked
    about B images of that size, or about stacks of such batches, as the parallel solvers do.
    """

    def __init__(
        self, gaussian: GaussianPrior, network: ResidualUNet, scale: Tensor, condition: Tensor
    ) -> None:
        super().__init__(gaussian, network, scale)
        self.condition = condition

    def rest(self, x_t: Tensor, t: Tensor) -> Tensor:
        """f([x_t, A^+ y], t), (B, 3, H, W)."""
        beside = match_batch(self.condition, x_t)
        return super().rest(torch.cat([x_t, beside.to(x_t)], dim=1), t)


class Palette:
    """A conditional diffusion for one ``task`` (Saharia et al. 2022), in the shape of the prior.

    ``gaussian``, ``network`` (of 6 channels) and ``scale`` as in :class:`ResidualPrior`, so that a
    run can begin with a prior's weights, and zeros for the new channels. The consistency step is
    gone: what is known of y comes in through the network, and nothing makes A x^ = y.
    """

    kind = "Palette"

    def __init__(
        self, task: str, gaussian: GaussianPrior, network: ResidualUNet, scale: Tensor
    ) -> None:
        self.task, self.gaussian = task, gaussian
        self.network, self.scale = network, scale

    def given(self, condition: Tensor) -> ConditionedPrior:
        """The prior of photos whose A^+ y is ``condition`` (B, 3, H, W)."""
        return ConditionedPrior(self.gaussian, self.network, self.scale, condition)

    def restore(self, operator: LinearOperator, y: Tensor, *, seed: int = 0) -> Tensor:
        """A sample x^ (B, 3, H, W) of y (B, ...): the chain of :data:`PICTURE`, as DDNM's, walked,
        but one that has measured nothing. Not clamped."""
        seen = operator.pinv(y)
        nothing = NoMeasurement((seen.shape[-2], seen.shape[-1]))
        chain = make_chain(self.given(seen), nothing, seen.flatten(1)[:, :0], seed=seed, **PICTURE)
        return chain.sequential()[-1]

    def to(self, device: torch.device | str) -> "Palette":
        """Move network and e(t) to ``device``; returns self."""
        self.network.to(device)
        self.scale = self.scale.to(device)
        return self

    def files(self) -> dict[str, bytes]:
        """The files of its folder by name; the weights in half precision."""
        steps = self.gaussian.schedule.num_train_timesteps
        config = config_of(self.kind, self.task, self.network, num_train_timesteps=steps)
        tensors = halved(self.network) | {SCALE: self.scale.cpu()}
        return {
            CONFIG_FILE: to_json(config).encode(),
            WEIGHTS_FILE: save(tensors, metadata={"format": "pt"}),
            SPECTRUM_FILE: self.gaussian.spectrum.to_bytes(),
        }

    @classmethod
    def load(cls, folder: str | Path) -> "Palette":
        """Read a folder that the trainer wrote; errors as of :func:`read_folder`."""
        config, network, scale = read_folder(folder, cls.kind, inputs=6)
        spectrum = PhotoSpectrum.load(Path(folder) / SPECTRUM_FILE)
        schedule = linear_schedule(config.num_train_timesteps)
        return cls(config.task, GaussianPrior(spectrum, schedule=schedule), network, scale)
