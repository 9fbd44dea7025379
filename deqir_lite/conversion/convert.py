"""A checkpoint of guided-diffusion or DDPM becomes a folder that ``load_prior`` takes."""

from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file

from deqir_lite._files import UNFINISHED, replacing
from deqir_lite._json import to_json
from deqir_lite._outputs import LOCK, check_folder, check_space, only_process
from deqir_lite.checks import check_choice, check_integer
from deqir_lite.conversion import adm, ddpm
from deqir_lite.conversion.checkpoint import read_checkpoint
from deqir_lite.conversion.network import Network
from deqir_lite.priors.files import CONFIG_FILE, SCHEDULER_FILE, UNET_FILES
from deqir_lite.priors.kinds import describe_tensors
from deqir_lite.priors.network import patch_size
from deqir_lite.priors.weights import check_weights

LAYOUTS = {"adm": "guided-diffusion", "ddpm": "DDPM"}
"""The families of checkpoints, and whose they are."""

BETA_SCHEDULES: dict[str, dict[str, Any]] = {
    "linear": {"beta_schedule": "linear", "beta_start": 1e-4, "beta_end": 0.02},
    "cosine": {"beta_schedule": "squaredcos_cap_v2"},
}
"""How the noise grows in 1000 steps, as guided-diffusion names it and as diffusers does."""

IMAGE_SIZE = 256


@dataclass(frozen=True)
class Conversion:
    """What :func:`convert_checkpoint` wrote: the folder, the UNet's config, how many numbers, and
    ``assumed``, in words, what the weights do not tell."""

    folder: Path
    config: Mapping[str, Any]
    parameters: int
    assumed: str

    @property
    def classes(self) -> int | None:
        """How many classes a class-conditional network has."""
        return self.config.get("num_class_embeds")


def check_new_folder(folder: Path) -> None:
    """Refuse a folder that cannot be made, or that holds something; what killed processes have
    left in it does not count."""
    check_folder("out", folder)
    if folder.is_dir():
        for path in folder.iterdir():
            if path.name != LOCK and not path.name.endswith(UNFINISHED):
                raise FileExistsError(
                    f"out: {str(folder)!r} holds {path.name!r}; expected a new or an empty folder"
                )


def convert_checkpoint(
    checkpoint: str | Path,
    out: str | Path,
    *,
    layout: str,
    entry: str | None = None,
    image_size: int = IMAGE_SIZE,
    noise_schedule: str = "linear",
    num_head_channels: int | None = None,
    num_heads: int | None = None,
    new_attention_order: bool = False,
) -> Conversion:
    """Write the network in ``checkpoint`` as a folder ``out`` of diffusers, lossless.

    * ``layout``: "adm" for guided-diffusion, "ddpm" for the PyTorch port of DDPM. Channels,
      levels, attention, classes and a learned variance are told by the shapes of the tensors,
    * ``entry``: which network of a file with several, such as "ema",
    * what shapes do not tell has the flags of guided-diffusion: ``image_size`` in pixels, which
      only pipelines of diffusers use; ``noise_schedule``, "linear" or "cosine", of 1000 steps;
      for "adm" ``num_head_channels`` (64) or ``num_heads``, and ``new_attention_order``.

    The network predicts epsilon; a variance beside it, six channels, is marked as learned. The
    numbers keep their precision. The folder must be new or empty; its config.json comes last, when
    all else is there. Raises FileNotFoundError, ValueError or another OSError, in one line that
    begins with the argument.
    """
    check_choice("layout", layout, LAYOUTS)
    check_choice("noise_schedule", noise_schedule, BETA_SCHEDULES)
    image_size = check_integer("image_size", image_size, 1)
    heads = {"num_head_channels": num_head_channels, "num_heads": num_heads}
    heads = {
        name: check_integer(name, value, 1) for name, value in heads.items() if value is not None
    }
    if layout == "ddpm" and (heads or new_attention_order):
        name = next(iter(heads), "new_attention_order")
        raise ValueError(
            f"{name}: got {heads.get(name, True)}; expected none for ddpm, whose attention has one "
            "head"
        )
    out = Path(out)
    check_new_folder(out)
    where = f"checkpoint: {checkpoint}"
    weights = read_checkpoint(checkpoint, entry=entry)
    _check_layout(weights, layout, where)
    if layout == "adm":
        network = adm.read_adm(
            weights,
            image_size=image_size,
            where=where,
            new_attention_order=new_attention_order,
            **heads,
        )
    else:
        network = ddpm.read_ddpm(weights, image_size=image_size, where=where)
    tensors = network.tensors(weights, where)
    learned = _check_channels(network.config, where)
    check_weights(where, tensors)
    scheduler = {
        "_class_name": "DDPMScheduler",
        "num_train_timesteps": 1000,
        **BETA_SCHEDULES[noise_schedule],
        "prediction_type": "epsilon",
        "variance_type": "learned_range" if learned else "fixed_small",
        "clip_sample": True,
    }
    _write(out, network, tensors, scheduler)
    return Conversion(
        out,
        network.config,
        sum(tensor.numel() for tensor in tensors.values()),
        _assumed(network, layout, noise_schedule, image_size),
    )


def _check_layout(weights: Mapping[str, torch.Tensor], layout: str, where: str) -> None:
    firsts = {"adm": adm.FIRST, "ddpm": ddpm.FIRST}
    if firsts[layout] in weights:
        return
    other = next((name for name, first in firsts.items() if first in weights), None)
    kind = f"one of {LAYOUTS[other]} (--from {other})" if other else describe_tensors(weights)
    raise ValueError(
        f"{where} is no checkpoint of {LAYOUTS[layout]}, without {firsts[layout]}, but {kind}"
    )


def _check_channels(config: Mapping[str, Any], where: str) -> bool:
    """Whether the network predicts a variance too."""
    inner, outer = config["in_channels"], config["out_channels"]
    try:
        patch_size(inner)
    except ValueError as error:
        raise ValueError(
            f"{where}: the network takes {inner} channels, so it has a condition, such as a small "
            "image to enlarge; expected 3, or 1 for grey ones"
        ) from error
    if outer not in (inner, 2 * inner):
        raise ValueError(
            f"{where}: {outer} channels come out of {inner}; expected as many or twice"
        )
    return bool(outer == 2 * inner)


def _assumed(network: Network, layout: str, noise_schedule: str, image_size: int) -> str:
    said = [f"{noise_schedule} noise schedule of 1000 steps", f"images of {image_size} pixels"]
    if layout == "adm":
        head = network.config["attention_head_dim"]
        heads = "one attention head" if head is None else f"attention heads of {head} channels"
        order = "all queries before" if network.heads_first is None else "each with"
        said.insert(0, heads if head is None else f"{heads}, {order} its keys and values")
    return ", ".join(said)


def _write(
    out: Path,
    network: Network,
    tensors: dict[str, torch.Tensor],
    scheduler: Mapping[str, Any],
) -> None:
    """The three files; the config comes last, without which a folder is none of a network."""
    size = sum(tensor.nbytes for tensor in tensors.values())
    texts = {
        CONFIG_FILE: {"_class_name": "UNet2DModel", **network.config},
        SCHEDULER_FILE: scheduler,
    }
    with only_process("out", out, folder=True), ExitStack() as pending:
        check_space("out", out, size)
        for name, content in texts.items():
            file = pending.enter_context(replacing(out / name, name="out"))
            file.write_text(to_json(content), encoding="utf-8")
        file = pending.enter_context(replacing(out / UNET_FILES[0], name="out"))
        save_file(tensors, file, metadata={"format": "pt"})
