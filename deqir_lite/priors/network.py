"""A diffusers UNet2DModel as a prior: precision, batch limits, classes, grey networks."""

import math
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from diffusers import UNet2DModel

from deqir_lite.checks import check_choice, check_integer, plain
from deqir_lite.priors.base import DTYPES, ModelPrior
from deqir_lite.priors.files import find_model
from deqir_lite.priors.gaussian import GaussianPrior
from deqir_lite.priors.scheduler import prediction_type_of, schedule_of
from deqir_lite.priors.tiles import on_tiles
from deqir_lite.priors.unet_folder import PIXELS, check_pipeline, read_scheduler, read_unet
from deqir_lite.priors.weights import check_weights
from deqir_lite.schedule import NoiseSchedule, linear_schedule


class NetworkPrior(ModelPrior):
    """A UNet2DModel as eps_theta.

    A network with 3 f^2 input channels works on pixel-unshuffled images (factor f): the
    f x f pixels of a block become channels. One with twice as many output channels also predicts a
    variance, which is dropped. A class-conditional network is asked for the class ``label``.

    A network of one channel is a prior of grey photos, R = G = B: their noisy mean over the
    channels has the noise of another timestep, 1 / sqrt(3) of that of t, and the rest is noise.
    It takes images (B, 3, H, W), or (B, 1, H, W) as the network itself does.

    ``dtype`` is the precision inside the network: float32, float64, or bfloat16 (autocast:
    weights and normalisation stay in float32). Input and output keep the caller's dtype.
    ``max_batch`` limits how many images, or tiles of them, go through the network at once.
    ``gaussian`` is a Gaussian
    prior of the same photos, where one is known. Raises ValueError for a network that asks for
    more than these, and for weights that are not finite.
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
        label: int | None = None,
    ) -> None:
        check_choice("dtype", dtype, DTYPES)
        if max_batch is not None:
            max_batch = check_integer("max_batch", max_batch, 1)
        if not isinstance(unet, UNet2DModel):
            raise ValueError(f"unet: got a {type(unet).__name__}; {PIXELS}")
        super().__init__(unet, schedule, prediction_type=prediction_type, clip_x0=clip_x0)
        _check_channels(unet.config)
        _check_time(unet.config, schedule)
        label = _check_label(unet.config, plain(label))
        check_weights("unet", unet.state_dict())
        unet = unet.double() if dtype == "float64" else unet.float()
        self.unet = unet.to(memory_format=torch.channels_last).eval()
        self.unet.requires_grad_(False)
        self.gaussian: GaussianPrior | None = None
        self.compute_dtype = DTYPES[dtype]
        self.max_batch, self.label = max_batch, label
        self.grey = unet.config.in_channels == 1
        self.patch = patch_size(int(unet.config.in_channels))
        if self.grey:
            ratio = (1 / schedule.alpha_bar - 1).log() / 2
            distance = (ratio - (ratio[:, None] - math.log(3) / 2)).abs()
            self._cleaner = distance.argmin(dim=1)

    @property
    def size_divisor(self) -> int:
        """Images of other sides than its multiples are continued by reflection: unshuffle factor
        times downsampling."""
        return self.patch * 2 ** (len(self.unet.config.block_out_channels) - 1)

    @property
    def bytes_per_pixel(self) -> float:
        """About what the network takes for each pixel that goes through it at once: with what it
        passes on to its way up, 12 times the channels of its finest level."""
        size = 8 if self.compute_dtype == torch.float64 else 4
        return 12 * size * self.unet.config.block_out_channels[0] / self.patch**2

    def __call__(self, x_t: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
        """eps_theta(x_t, t) for x_t (B, 3, H, W) and t (B,)."""
        accepted = (1, 3) if self.grey else (3,)
        if x_t.ndim != 4 or x_t.shape[1] not in accepted:
            expected = " or ".join(f"(B, {count}, H, W)" for count in accepted)
            raise ValueError(f"x_t: got shape {tuple(x_t.shape)}; expected {expected}")
        if not self.grey or x_t.shape[1] == 1:
            return super().__call__(x_t, t)
        signal, noise = self.schedule.at(t, x_t)
        cleaner = self._cleaner.to(t.device)[t]
        own_signal, own_noise = self.schedule.at(cleaner, x_t)
        mean = x_t.mean(dim=1, keepdim=True)
        eps = super().__call__(mean * own_signal / signal, cleaner)
        return (x_t - mean) / noise + eps * (own_noise / own_signal) * (signal / noise)

    def _ask(self, x_t: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
        return on_tiles(
            self._forward,
            x_t,
            t,
            divisor=self.size_divisor,
            tiles=self.tiles,
            max_batch=self.max_batch,
            halving=self.halving,
        )

    def _forward(self, x: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
        parameter = next(self.unet.parameters())
        inner = F.pixel_unshuffle(x, self.patch).to(
            parameter.dtype, memory_format=torch.channels_last
        )
        labels = None if self.label is None else torch.full_like(t, self.label)
        with torch.autocast(
            x.device.type, torch.bfloat16, enabled=self.compute_dtype == torch.bfloat16
        ):
            output = self.unet(inner, t, class_labels=labels).sample
        return F.pixel_shuffle(output[:, : inner.shape[1]].to(x.dtype), self.patch)

    def to(self, device: torch.device | str) -> "NetworkPrior":
        """Move the network to ``device``; returns self."""
        self.unet.to(device)
        return self

    @classmethod
    def load(
        cls, source: str | Path, *, device: torch.device | str = "cpu", **options: Any
    ) -> "NetworkPrior":
        """Load a diffusers folder or hub id; ``options`` as in the constructor.

        It holds ``config.json`` with the weights, whole or in shards, perhaps of a variant such as
        fp16, and ``scheduler_config.json``: at the root or, as in a pipeline, in the subfolders
        ``unet`` and ``scheduler``. The schedule is what that scheduler computes. Raises
        FileNotFoundError when something is missing or the hub does not answer, ValueError when a
        file is corrupt, the weights are not those of the network that ``config.json`` describes,
        or the model is none of pixels and discrete timesteps.
        """
        root = Path(source)
        if not root.exists() and (root.is_absolute() or len(root.parts) != 2):
            raise FileNotFoundError(
                f"prior: no folder {source!s}, and it is no hub id of the form owner/name"
            )
        files = find_model(source)
        scheduler, where = read_scheduler(files), f"prior: {files.scheduler}"
        schedule = schedule_of(scheduler, where)
        options["prediction_type"] = prediction_type_of(scheduler, where)
        try:
            return cls(read_unet(files, source), schedule, **options).to(device)
        except ValueError as error:
            if str(error).startswith("unet: "):
                reason = str(error).removeprefix("unet: ")
                raise ValueError(f"prior: {files.config.parent}: {reason}") from error
            raise


def prior_in_memory(
    model: Any, *, device: torch.device | str = "cpu", **options: Any
) -> NetworkPrior | None:
    """A :class:`NetworkPrior` of what diffusers has made; ``options`` as in its constructor.

    * a UNet2DModel, with the linear schedule of 1000 steps,
    * a pipeline with one, such as a DDPMPipeline, with the schedule of its scheduler.

    The network is used as it is, not copied; its weights no longer ask for gradients. None for
    the reader's own class on top of one of diffusers', ValueError for anything else of diffusers'.
    """
    kind = type(model).__name__
    if isinstance(model, UNet2DModel):
        return NetworkPrior(model, linear_schedule(), **options).to(device)
    parts = getattr(model, "components", None)
    if isinstance(parts, dict):
        check_pipeline(
            {name: type(part).__name__ for name, part in parts.items() if part is not None},
            f"prior: the {kind}",
        )
        scheduler = parts.get("scheduler")
        schedule = schedule_of(scheduler, f"prior: the {kind}")
        options["prediction_type"] = prediction_type_of(scheduler, f"prior: the {kind}")
        return NetworkPrior(parts["unet"], schedule, **options).to(device)
    if type(model).__module__.partition(".")[0] == "diffusers":
        raise ValueError(f"prior: got a {kind} of diffusers; {PIXELS}")
    return None


def patch_size(in_channels: int) -> int:
    """Pixel-unshuffle factor f of a network with 3 f^2 input channels; 1 for a grey one."""
    if in_channels == 1:
        return 1
    factor = math.isqrt(in_channels // 3)
    if in_channels < 3 or 3 * factor**2 != in_channels:
        raise ValueError(
            f"in_channels: got {in_channels}; expected 3 f^2 (3, 12, 27, ...) for RGB images, or 1 "
            "for grey ones"
        )
    return factor


def _check_channels(config: Any) -> None:
    inner, outer = config.in_channels, config.out_channels
    patch_size(inner)
    if outer not in (inner, 2 * inner):
        raise ValueError(
            f"unet: out_channels: got {outer}; expected {inner}, as many as in_channels, or "
            f"{2 * inner} with a variance"
        )


def _check_time(config: Any, schedule: NoiseSchedule) -> None:
    """Refuse networks that want another time than the timesteps of ``schedule``."""
    kind, learned = config.time_embedding_type, config.num_train_timesteps
    if kind == "fourier":
        raise ValueError(
            "unet: time_embedding_type: got 'fourier', noise levels of a variance-exploding "
            "diffusion; expected positional or learned, for timesteps"
        )
    if kind == "learned" and learned < schedule.num_train_timesteps:
        raise ValueError(
            f"unet: num_train_timesteps: got {learned} for a schedule of "
            f"{schedule.num_train_timesteps}; expected as many"
        )


def _check_label(config: Any, label: int | None) -> int | None:
    classes, kind = config.num_class_embeds, config.class_embed_type
    if kind == "identity":
        raise ValueError(
            "unet: class_embed_type: got 'identity', an embedding that another network computes; "
            "expected None or 'timestep', for the number of a class"
        )
    if kind is None and classes is None:
        if label is not None:
            raise ValueError(f"label: got {label!r}, but the network has no classes; leave it out")
        return None
    largest = None if kind == "timestep" else classes - 1
    good = isinstance(label, int) and not isinstance(label, bool) and label >= 0
    if not good or (largest is not None and label > largest):
        known = "an integer >= 0" if largest is None else f"an integer in [0, {largest}]"
        raise ValueError(
            f"label: got {label!r}, but the network is class-conditional; expected {known} "
            "(--label)"
        )
    return label
