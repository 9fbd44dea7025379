"""Our priors as networks in the pipelines of diffusers."""

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import torch
from diffusers.models.unets.unet_2d import UNet2DOutput
from torch import Tensor, nn

from deqir_lite.checks import check_divisible, check_integer, check_kinds
from deqir_lite.priors.base import Prior


class PriorUNet(nn.Module):
    """A prior as the ``unet`` of ``DDIMPipeline`` or ``DDPMPipeline``: it predicts eps::

        unet = PriorUNet(load_prior("photo64"))
        DDIMPipeline(unet=unet, scheduler=DDIMScheduler(clip_sample=False))()

    The scheduler must have the table of the prior; that of the bundled ones is the default of
    diffusers, linear with 1000 steps. ``clip_sample`` is the default there, and nowhere here.
    ``sample_size`` is the side of the images that a pipeline draws, in pixels; a call takes any
    size that the prior takes. Raises ValueError for a side that the prior cannot take.
    """

    def __init__(self, prior: Prior, *, sample_size: int = 64) -> None:
        check_kinds(PriorUNet.__init__, locals())
        check_integer("sample_size", sample_size, 1)
        check_divisible("sample_size", (sample_size,) * 2, getattr(prior, "size_divisor", 1))
        super().__init__()
        self.prior = prior
        self.config = SimpleNamespace(sample_size=sample_size, in_channels=3, out_channels=3)
        self._home = nn.Buffer(torch.zeros(()), persistent=False)

    @property
    def dtype(self) -> torch.dtype:
        """That of the images that a pipeline draws: float32, unless ``.to`` says otherwise."""
        return self._home.dtype

    @property
    def device(self) -> torch.device:
        """Where a pipeline draws its images."""
        return self._home.device

    def forward(self, sample: Tensor, timestep: Any, return_dict: bool = True, **_: Any) -> Any:
        """eps_theta(sample, timestep) as ``.sample``, or in a tuple; ``timestep`` is one for all
        images (B, 3, H, W), or (B,)."""
        t = torch.as_tensor(timestep, device=sample.device).reshape(-1).long().expand(len(sample))
        eps = self.prior(sample, t)
        return UNet2DOutput(sample=eps) if return_dict else (eps,)

    def _apply(self, fn: Callable[..., Any], recurse: bool = True) -> "PriorUNet":
        """Where ``.to`` takes this module, the prior goes too; its precision is its own."""
        super()._apply(fn, recurse)
        if hasattr(self.prior, "to"):
            self.prior.to(self.device)
        return self
