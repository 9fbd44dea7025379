"""A diffusers UNet2DModel as a prior: loading, saving, precision and batch limits."""

import math
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from diffusers import UNet2DModel
from diffusers.utils import logging

from deqir_lite._json import read_object
from deqir_lite.checks import check_choice, check_divisible, check_integer
from deqir_lite.memory import is_out_of_memory
from deqir_lite.priors.base import DTYPES, ModelPrior
from deqir_lite.priors.files import CONFIG_FILE, SCHEDULER_FILE, UNET_FILES, locate
from deqir_lite.priors.gaussian import GaussianPrior
from deqir_lite.schedule import SCHEDULES, NoiseSchedule


class NetworkPrior(ModelPrior):
    """A UNet2DModel as eps_theta.

    A network with 3 f^2 input channels works on pixel-unshuffled images (factor f): the
    f x f pixels of a block become channels. One with 6 output channels also predicts a variance,
    which is dropped.

    ``dtype`` is the precision inside the network: float32, float64, or bfloat16 (autocast:
    weights and normalisation stay in float32). Input and output keep the caller's dtype.
    ``max_batch`` limits how many images go through the network at once. ``gaussian`` is a Gaussian
    prior of the same photos, where one is known.
    """

    def __init__(
        self,
        unet: UNet2DModel,
        schedule: NoiseSchedule,
        *,
        prediction_type: str = "epsilon",
        clip_x0: bool = False,
        dtype: str = "float32",
        max_batch: int | None = None,
    ) -> None:
        check_choice("dtype", dtype, DTYPES)
        if max_batch is not None:
            check_integer("max_batch", max_batch, 1)
        super().__init__(self._predict, schedule, prediction_type=prediction_type, clip_x0=clip_x0)
        unet = unet.double() if dtype == "float64" else unet.float()
        self.unet = unet.to(memory_format=torch.channels_last).eval()
        self.unet.requires_grad_(False)
        self.gaussian: GaussianPrior | None = None
        self.compute_dtype = DTYPES[dtype]
        self.max_batch = max_batch
        self.patch = patch_size(int(unet.config.in_channels))

    @property
    def size_divisor(self) -> int:
        """Image sides must be multiples of this: unshuffle factor times downsampling."""
        return self.patch * 2 ** (len(self.unet.config.block_out_channels) - 1)

    def _predict(self, x_t: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
        check_divisible("x_t", x_t.shape[-2:], self.size_divisor)
        chunks = zip(
            x_t.split(self.max_batch or len(x_t)), t.split(self.max_batch or len(t)), strict=True
        )
        return torch.cat([self._forward(x, time) for x, time in chunks])

    def _forward(self, x: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
        parameter = next(self.unet.parameters())
        inner = F.pixel_unshuffle(x, self.patch).to(
            parameter.dtype, memory_format=torch.channels_last
        )
        with torch.autocast(
            x.device.type, torch.bfloat16, enabled=self.compute_dtype == torch.bfloat16
        ):
            output = self.unet(inner, t).sample
        return F.pixel_shuffle(output[:, : inner.shape[1]].to(x.dtype), self.patch)

    def to(self, device: torch.device | str) -> "NetworkPrior":
        """Move the network to ``device``; returns self."""
        self.unet.to(device)
        return self

    @classmethod
    def load(
        cls,
        source: str | Path,
        *,
        device: torch.device | str = "cpu",
        dtype: str = "float32",
        clip_x0: bool = False,
        max_batch: int | None = None,
    ) -> "NetworkPrior":
        """Load a diffusers folder or hub id.

        It holds ``config.json`` with the weights and ``scheduler_config.json``, at the root or,
        as in a pipeline, in the subfolders ``unet`` and ``scheduler``. Raises FileNotFoundError
        when something is missing or the hub does not answer, ValueError when a file is corrupt
        or the weights are not those of the network that ``config.json`` describes.
        """
        scheduler = _read_scheduler_config(source)
        schedule = schedule_from_config(scheduler)
        unet = _load_unet(source)
        prediction_type = scheduler.get("prediction_type", "epsilon")
        prior = cls(
            unet,
            schedule,
            prediction_type=prediction_type,
            clip_x0=clip_x0,
            dtype=dtype,
            max_batch=max_batch,
        )
        return prior.to(device)


def patch_size(in_channels: int) -> int:
    """Pixel-unshuffle factor f of a network with 3 f^2 input channels."""
    factor = math.isqrt(in_channels // 3)
    if in_channels < 3 or 3 * factor**2 != in_channels:
        raise ValueError(
            f"in_channels: got {in_channels}; expected 3 f^2 (3, 12, 27, ...) for RGB images"
        )
    return factor


def schedule_from_config(config: dict[str, Any]) -> NoiseSchedule:
    """The schedule that a diffusers ``scheduler_config.json`` describes."""
    name = config.get("beta_schedule", "linear")
    check_choice("beta_schedule", name, SCHEDULES)
    steps = int(config.get("num_train_timesteps", 1000))
    if name == "squaredcos_cap_v2":
        return SCHEDULES[name](steps)
    return SCHEDULES[name](
        steps,
        beta_start=float(config.get("beta_start", 1e-4)),
        beta_end=float(config.get("beta_end", 0.02)),
    )


def _read_scheduler_config(source: str | Path) -> dict[str, Any]:
    root = Path(source)
    if not root.exists() and (root.is_absolute() or len(root.parts) != 2):
        raise FileNotFoundError(
            f"prior: no folder {source!s}, and it is no hub id of the form owner/name"
        )
    _, path = locate(source, ("scheduler", ""), SCHEDULER_FILE)
    return read_object(path, name="prior")


def _load_unet(source: str | Path) -> UNet2DModel:
    place, config = locate(source, ("unet", ""), CONFIG_FILE)
    locate(source, (place,), *UNET_FILES)  # on the hub: the download
    folder = config.parent
    try:
        with _silent_diffusers():
            unet, loading = UNet2DModel.from_pretrained(
                str(folder),
                torch_dtype=torch.float32,
                low_cpu_mem_usage=False,
                ignore_mismatched_sizes=True,  # they are refused below, with all other differences
                output_loading_info=True,
            )
    except Exception as error:  # files, safetensors, json and shapes: no common base
        if is_out_of_memory(error):
            raise
        reason = " ".join(str(error).split())[:200]
        raise ValueError(
            f"prior: the weights or config in {source} are corrupt or of another architecture: "
            f"{reason}"
        ) from error
    _check_architecture(source, loading)
    return unet


def _check_architecture(source: str | Path, loading: dict[str, Any]) -> None:
    """Refuse weights that diffusers would drop, and layers that it would leave random."""
    missing, unexpected = sorted(loading["missing_keys"]), sorted(loading["unexpected_keys"])
    reshaped = sorted(str(name) for name, *_ in loading["mismatched_keys"])
    if examples := [*missing, *unexpected, *reshaped]:
        raise ValueError(
            f"prior: the weights in {source} are of another architecture than its config.json: "
            f"{len(missing)} tensors are missing, {len(unexpected)} are unexpected, "
            f"{len(reshaped)} have another shape, such as {examples[0]}"
        )


@contextmanager
def _silent_diffusers() -> Iterator[None]:
    """Without diffusers' own log on standard error: what matters in it is raised here."""
    level = logging.get_verbosity()
    logging.set_verbosity(logging.CRITICAL)
    try:
        yield
    finally:
        logging.set_verbosity(level)
