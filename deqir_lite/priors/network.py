"""A diffusers UNet2DModel as a prior: loading, saving, precision and batch limits."""

import json
import math
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F

from deqir_lite._torchvision import ensure_torchvision
from deqir_lite.checks import check_choice, check_integer
from deqir_lite.priors.base import ModelPrior
from deqir_lite.schedule import SCHEDULES, NoiseSchedule

ensure_torchvision()

from diffusers import UNet2DModel  # noqa: E402  (needs the line above)

DTYPES = {"float32": torch.float32, "float64": torch.float64, "bfloat16": torch.bfloat16}


class NetworkPrior(ModelPrior):
    """A UNet2DModel as eps_theta.

    A network with 3 f^2 input channels works on pixel-unshuffled images (factor f): the
    f x f pixels of a block become channels. One with 6 output channels also predicts a variance,
    which is dropped.

    ``dtype`` is the precision inside the network: float32, float64, or bfloat16 (autocast:
    weights and normalisation stay in float32). Input and output keep the caller's dtype.
    ``max_batch`` limits how many images go through the network at once.
    """

    def __init__(
        self,
        unet: UNet2DModel,
        schedule: NoiseSchedule,
        prediction_type: str = "epsilon",
        clip_x0: bool = False,
        dtype: str = "float32",
        max_batch: int | None = None,
    ) -> None:
        check_choice("dtype", dtype, DTYPES)
        if max_batch is not None:
            check_integer("max_batch", max_batch, 1)
        super().__init__(self._predict, schedule, prediction_type, clip_x0)
        unet = unet.double() if dtype == "float64" else unet.float()
        self.unet = unet.to(memory_format=torch.channels_last).eval()
        self.unet.requires_grad_(False)
        self.compute_dtype = DTYPES[dtype]
        self.max_batch = max_batch
        self.patch = patch_size(int(unet.config.in_channels))

    @property
    def size_divisor(self) -> int:
        """Image sides must be multiples of this: unshuffle factor times downsampling."""
        return self.patch * 2 ** (len(self.unet.config.block_out_channels) - 1)

    def _predict(self, x_t: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
        if x_t.shape[-2] % self.size_divisor or x_t.shape[-1] % self.size_divisor:
            raise ValueError(
                f"x_t: got size {x_t.shape[-2]}x{x_t.shape[-1]}; this network needs sides that are "
                f"multiples of {self.size_divisor}"
            )
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
        device: torch.device | str = "cpu",
        dtype: str = "float32",
        clip_x0: bool = False,
        max_batch: int | None = None,
    ) -> "NetworkPrior":
        """Load a diffusers folder or hub id.

        The folder holds ``config.json`` with the weights and ``scheduler_config.json`` (both may
        lie in the subfolders ``unet`` and ``scheduler``). Raises FileNotFoundError when something
        is missing, ValueError when a file is corrupt.
        """
        scheduler = _read_scheduler_config(source)
        schedule = schedule_from_config(scheduler)
        unet = _load_unet(source)
        prediction_type = scheduler.get("prediction_type", "epsilon")
        return cls(unet, schedule, prediction_type, clip_x0, dtype, max_batch).to(device)


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
        steps, float(config.get("beta_start", 1e-4)), float(config.get("beta_end", 0.02))
    )


def _subfolder(root: Path, name: str, filename: str) -> str | None:
    return name if (root / name / filename).is_file() else None


def _read_scheduler_config(source: str | Path) -> dict[str, Any]:
    root = Path(source)
    if not root.exists() and (root.is_absolute() or len(root.parts) != 2):
        raise FileNotFoundError(
            f"prior: no folder {source!s}, and it is no hub id of the form owner/name"
        )
    if not root.exists():
        return _hub_scheduler_config(str(source))
    path = (
        root
        / (_subfolder(root, "scheduler", "scheduler_config.json") or "")
        / "scheduler_config.json"
    )
    if not path.is_file():
        raise FileNotFoundError(f"prior: {root} holds no scheduler_config.json")
    try:
        config = json.loads(path.read_text())
    except ValueError as error:  # also bytes that are no text
        raise ValueError(f"prior: {path} is not valid JSON ({error})") from error
    if not isinstance(config, dict):
        raise ValueError(f"prior: {path} holds no JSON object")
    return config


def _hub_scheduler_config(hub_id: str) -> dict[str, Any]:
    from diffusers import DDPMScheduler

    try:
        return dict(DDPMScheduler.from_pretrained(hub_id).config)
    except OSError as error:
        raise FileNotFoundError(
            f"prior: no folder {hub_id!r}, and the hub did not deliver it ({type(error).__name__})"
        ) from error


def _load_unet(source: str | Path) -> UNet2DModel:
    root = Path(source)
    subfolder = _subfolder(root, "unet", "config.json")
    if root.exists():
        _check_folder(root / (subfolder or ""))
    try:
        return UNet2DModel.from_pretrained(
            str(source), subfolder=subfolder, torch_dtype=torch.float32, low_cpu_mem_usage=False
        )
    except Exception as error:  # files, safetensors, json and shapes: no common base
        if not root.exists():
            raise FileNotFoundError(
                f"prior: the hub did not deliver {str(source)!r} ({type(error).__name__})"
            ) from error
        reason = " ".join(str(error).split())[:200]
        raise ValueError(
            f"prior: the weights or config in {source} are corrupt or of another architecture: "
            f"{reason}"
        ) from error


def _check_folder(folder: Path) -> None:
    """Raise FileNotFoundError unless ``folder`` holds the files of a UNet2DModel."""
    weights = [f"diffusion_pytorch_model.{ending}" for ending in ("safetensors", "bin")]
    for names in (["config.json"], weights):
        if not any((folder / name).is_file() for name in names):
            raise FileNotFoundError(f"prior: {folder} holds no {names[0]}")
