"""A UNet2DModel in a folder of diffusers, or on the hub: what is there, and whether it will do."""

from pathlib import Path
from typing import Any

import torch
from diffusers import UNet2DModel

from deqir_lite._json import read_object, read_schema
from deqir_lite.memory import is_out_of_memory
from deqir_lite.priors.files import CONFIG_FILE, ModelFiles
from deqir_lite.priors.kinds import check_no_pointer
from deqir_lite.priors.scheduler import scheduler_from_config, silent_diffusers
from deqir_lite.priors.schemas import PipelineIndex, UNetConfig

PIXELS = "expected a UNet2DModel on pixels, as in a DDPMPipeline or DDIMPipeline"

_LATENT = ("vae", "vqvae", "vqgan", "movq")
_HARMLESS = frozenset(("unet", "scheduler", "safety_checker", "feature_extractor"))


def check_pipeline(parts: dict[str, str], where: str) -> None:
    """Refuse, by name, the ``parts`` (name -> class) of a pipeline that works on latents, or whose
    network needs more than the image and the timestep."""
    for name, kind in sorted(parts.items(), key=lambda part: not part[0].startswith(_LATENT)):
        if name.startswith(_LATENT):
            raise ValueError(f"{where} works on the latents of its {name} ({kind}); {PIXELS}")
        if name not in _HARMLESS:
            raise ValueError(f"{where} needs its {name} ({kind}), a condition of its own; {PIXELS}")
    if parts and "unet" not in parts:
        raise ValueError(f"{where} has no unet; {PIXELS}")


def check_folder(files: ModelFiles) -> None:
    """Refuse what config.json and model_index.json say is no unconditional UNet on pixels."""
    if files.pipeline is not None:
        index = read_schema(files.pipeline, PipelineIndex, name="prior")
        check_pipeline(index.parts(), f"prior: the {index.class_name} of {files.pipeline}")
    if files.config.parent.name == "unet":
        for name in _LATENT:
            config = files.config.parent.parent / name / CONFIG_FILE
            if config.is_file():
                kind = str(read_object(config, name="prior").get("_class_name", "unknown"))
                check_pipeline({name: kind}, f"prior: the unet in {config.parent.parent}")
    kind = read_schema(files.config, UNetConfig, name="prior").class_name
    if kind != UNet2DModel.__name__:
        raise ValueError(f"prior: {files.config} describes a {kind}; {PIXELS}")


def read_scheduler(files: ModelFiles) -> Any:
    """The scheduler of the folder; ValueError when diffusers makes none of its config."""
    return scheduler_from_config(
        read_object(files.scheduler, name="prior"), f"prior: {files.scheduler}"
    )


def read_unet(files: ModelFiles, source: str | Path) -> UNet2DModel:
    """The network of ``source`` in float32; ValueError when a file is corrupt or the weights are
    not those of the network that config.json describes."""
    check_folder(files)
    check_no_pointer(files.weights)
    try:
        with silent_diffusers():
            unet, loading = UNet2DModel.from_pretrained(
                str(files.config.parent),
                variant=files.variant,
                use_safetensors=".safetensors" in files.weights.name,
                torch_dtype=torch.float32,
                low_cpu_mem_usage=False,
                ignore_mismatched_sizes=True,  # they are refused below, with all other differences
                output_loading_info=True,
                local_files_only=True,
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
