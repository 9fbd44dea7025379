"""The photo prior of the book: the exact Gaussian denoiser, and a network for the rest."""

from pathlib import Path

import torch
from safetensors.torch import save

from deqir_lite._json import read_object, read_schema, to_json
from deqir_lite.checks import check_choice, check_integer, check_kinds
from deqir_lite.priors.base import DTYPES, epsilon_from_x0
from deqir_lite.priors.files import CONFIG_FILE, SPECTRUM_FILE, WEIGHTS_FILE, class_name_of
from deqir_lite.priors.gaussian import GaussianPrior
from deqir_lite.priors.halving import Halving
from deqir_lite.priors.schemas import ResidualConfig
from deqir_lite.priors.spectrum import PhotoSpectrum
from deqir_lite.priors.tiles import Tiles, on_tiles
from deqir_lite.priors.unet import ResidualUNet
from deqir_lite.priors.weights import check_weights, halved, load_weights, read_tensors
from deqir_lite.schedule import linear_schedule

CLASS_NAME = "ResidualPrior"
"""How config.json says that a folder holds such a prior; diffusers has its own names there."""

_SCALE = "scale"
"""The name of e(t) among the weights."""


class ResidualPrior:
    """x_{0|t} = xG_{0|t} + e(t) f(x_t, t), as a noise predictor eps_theta.

    * ``gaussian``: xG_{0|t}, the exact guess of a :class:`GaussianPrior`, with its schedule,
    * ``network``: f, a :class:`ResidualUNet`; it is asked with log(noise / signal),
    * ``scale`` (N,): e(t), the rms error of xG at each training timestep: f is of order 1.

    ``dtype`` is the precision inside the network: float32, float64, or bfloat16 (autocast). Input
    and output keep the caller's dtype, and xG is always computed in it. ``max_batch`` limits how
    many images, or tiles of them, go through the network at once. ``tiles``: what f is asked
    about at once, by default the whole image, see :func:`deqir_lite.priors.tiles.with_tiles`; xG
    always sees the whole.
    """

    tiles: Tiles | None = None

    def __init__(
        self,
        gaussian: GaussianPrior,
        network: ResidualUNet,
        scale: torch.Tensor,
        *,
        dtype: str = "float32",
        max_batch: int | None = None,
    ) -> None:
        check_kinds(ResidualPrior.__init__, locals())
        check_choice("dtype", dtype, DTYPES)
        if max_batch is not None:
            max_batch = check_integer("max_batch", max_batch, 1)
        expected = (gaussian.schedule.num_train_timesteps,)
        if scale.shape != expected or not bool((scale > 0).all() & scale.isfinite().all()):
            raise ValueError(
                f"scale: got shape {tuple(scale.shape)}; expected {expected} positive numbers"
            )
        self.gaussian, self.schedule = gaussian, gaussian.schedule
        self.network = network.double() if dtype == "float64" else network.float()
        self.network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.network.eval().requires_grad_(False)
        self.scale = scale.float()  # as it is stored
        self.compute_dtype = DTYPES[dtype]
        self.max_batch = max_batch
        self.halving = Halving()

    @property
    def size_divisor(self) -> int:
        """Images of other sides than its multiples are continued by reflection."""
        return self.network.size_divisor

    @property
    def bytes_per_pixel(self) -> float:
        """What the network takes for each pixel that goes through it at once: 8 and a half times
        the channels of its finest level, as measured."""
        size = 8 if self.compute_dtype == torch.float64 else 4
        return 8.5 * size * self.network.channels[0] / self.network.patch**2

    def __call__(self, x_t: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
        """eps_theta(x_t, t) for x_t (B, 3, H, W) and t (B,)."""
        signal, noise = self.schedule.at(t, x_t)
        return epsilon_from_x0(x_t, self.denoise(x_t, t), signal, noise)

    def denoise(self, x_t: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
        """x_{0|t} = xG_{0|t} + e(t) f(x_t, t), (B, 3, H, W)."""
        scale = self.scale.to(x_t)[t.to(x_t.device)][:, None, None, None]
        return self.gaussian.denoise(x_t, t) + scale * self.rest(x_t, t)

    def rest(self, x_t: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
        """f(x_t, t), (B, 3, H, W)."""
        signal, noise = self.schedule.at(t, x_t)
        log_ratio = (noise / signal).log().flatten()
        inner = torch.float64 if self.compute_dtype == torch.float64 else torch.float32
        with torch.autocast(
            x_t.device.type, torch.bfloat16, enabled=self.compute_dtype == torch.bfloat16
        ):
            return on_tiles(
                lambda x, level: self.network(x.to(inner), level.to(inner)).to(x.dtype),
                x_t,
                log_ratio,
                divisor=self.size_divisor,
                tiles=self.tiles,
                max_batch=self.max_batch,
                halving=self.halving,
            )

    def to(self, device: torch.device | str) -> "ResidualPrior":
        """Move the network and e(t) to ``device``; returns self."""
        self.network.to(device)
        self.scale = self.scale.to(device)
        return self

    def files(self) -> dict[str, bytes]:
        """The files of the prior's folder by name; the weights in half precision."""
        network = self.network
        config = {
            "_class_name": CLASS_NAME,
            "channels": list(network.channels),
            "blocks": network.blocks,
            "patch": network.patch,
            "num_train_timesteps": self.schedule.num_train_timesteps,
        }
        tensors = halved(network) | {_SCALE: self.scale.cpu()}
        return {
            CONFIG_FILE: to_json(config).encode(),
            WEIGHTS_FILE: save(tensors, metadata={"format": "pt"}),
            SPECTRUM_FILE: self.gaussian.spectrum.to_bytes(),
        }

    @classmethod
    def load(
        cls,
        folder: str | Path,
        *,
        device: torch.device | str = "cpu",
        dtype: str = "float32",
        max_batch: int | None = None,
        weights_file: str = WEIGHTS_FILE,
    ) -> "ResidualPrior":
        """Read the folder that the trainer wrote, or other weights in it, ``weights_file``.

        Raises FileNotFoundError when a file is missing, ValueError when one is corrupt or holds NaN
        or infinity, or the weights are not those of the network that config.json describes.
        """
        root = Path(folder)
        _check_contents(root)
        config = read_schema(root / CONFIG_FILE, ResidualConfig, name="prior")
        schedule = linear_schedule(config.num_train_timesteps)
        network = ResidualUNet(config.channels, blocks=config.blocks, patch=config.patch)
        gaussian = GaussianPrior(PhotoSpectrum.load(root / SPECTRUM_FILE), schedule=schedule)
        path = root / weights_file
        weights = read_tensors(path)
        check_weights(f"prior: {path}", weights)
        scale = weights.pop(_SCALE, None)
        if scale is None:
            raise ValueError(
                f"prior: {path} lacks e(t), the tensor {_SCALE!r}, which the "
                "trainer measures and stores; train it anew with `deqir-lite train`"
            )
        load_weights(network, weights, root)
        return cls(gaussian, network, scale, dtype=dtype, max_batch=max_batch).to(device)

    def __repr__(self) -> str:
        network, steps = self.network, self.schedule.num_train_timesteps
        return (
            f"ResidualPrior(channels={network.channels}, blocks={network.blocks}, N={steps}, "
            f"dtype={str(self.compute_dtype).removeprefix('torch.')})"
        )


def is_residual_prior(folder: Path) -> bool:
    """Whether ``folder`` says that it holds a :class:`ResidualPrior`; ValueError when it says
    nothing that can be read."""
    return class_name_of(folder) == CLASS_NAME


def _check_contents(root: Path) -> None:
    """Refuse, with a word on what it is, a folder of another prior."""
    if not root.is_dir():
        raise FileNotFoundError(f"prior: no folder {root}")
    config = root / CONFIG_FILE
    names = (CONFIG_FILE, SPECTRUM_FILE, WEIGHTS_FILE)
    if [name for name in names if (root / name).is_file()] == [SPECTRUM_FILE]:
        kind = "Gaussian photo prior"
    elif is_residual_prior(root):
        return
    else:
        kind = read_object(config, name="prior").get("_class_name", "network of unknown kind")
    raise ValueError(
        f"prior: {root} holds a {kind}, not a {CLASS_NAME}; train one with `deqir-lite train`"
    )
