"""The files of a prior's folder: their names, and where they lie in a folder or on the hub."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from deqir_lite._json import read_object, read_schema
from deqir_lite.priors.hub import HubModel
from deqir_lite.priors.schemas import WeightIndex

SPECTRUM_FILE = "spectrum.safetensors"
"""A Gaussian photo prior: alone in its folder, or with the network for the rest."""

CONFIG_FILE, WEIGHTS_FILE = "config.json", "residual.safetensors"
"""The shape of a network, and the weights and e(t) of one for the rest."""

SCHEDULER_FILE, PIPELINE_FILE = "scheduler_config.json", "model_index.json"
UNET_FILES = (
    "diffusion_pytorch_model.safetensors",
    "diffusion_pytorch_model.safetensors.index.json",
    "diffusion_pytorch_model.bin",
    "diffusion_pytorch_model.bin.index.json",
    "diffusion_pytorch_model.fp16.safetensors",
    "diffusion_pytorch_model.safetensors.index.fp16.json",
    "diffusion_pytorch_model.safetensors.fp16.index.json",
    "diffusion_pytorch_model.fp16.bin",
)
"""What diffusers puts beside the config: the schedule, and the weights in one of these forms, the
best first; an index lists shards. A folder may also hold another variant than fp16."""

_VARIANT = re.compile(
    r"diffusion_pytorch_model\.((?P<variant>\w+)\.)?(safetensors|bin)"
    r"|diffusion_pytorch_model\.(safetensors|bin)\.(index\.(?P<new>\w+)|(?P<old>\w+)\.index)\.json"
)

LOG_FILE, STATE_FILE = "training_log.json", "training.pt"
"""What a training run tells of itself, and what it needs to go on."""

RESULTS_FILE, PICTURES_FILE = "evaluation.json", "evaluation-pictures.npz"
"""The numbers of an evaluation, and the images that its figure shows."""

COMPARISON_FILE = "comparison.json"
PAGE_FILE, FIGURE_FILE, CARD_FILE = "evaluation.md", "evaluation.png", "README.md"
"""What readers see of an evaluation, and the model card."""

_UNET_PLACES, _SCHEDULER_PLACES = ("unet", ""), ("scheduler", "")
"""Subfolders of a pipeline, and the root."""


def class_name_of(folder: Path, *, name: str = "prior") -> str | None:
    """What config.json in a folder calls what is in it; None without one, or without a name.

    Raises ValueError, in a line that begins with ``name``, for a file that is no JSON object.
    """
    config = folder / CONFIG_FILE
    found = read_object(config, name=name).get("_class_name") if config.is_file() else None
    return found if isinstance(found, str) else None


@dataclass(frozen=True)
class ModelFiles:
    """The files of a model of diffusers on this machine: the ``pipeline`` index where there is
    one, the ``scheduler``'s config, and ``config`` and ``weights`` of the UNet, in one folder."""

    pipeline: Path | None
    scheduler: Path
    config: Path
    weights: Path

    @property
    def variant(self) -> str | None:
        """fp16, for example."""
        return variant_of(self.weights.name)


def variant_of(name: str) -> str | None:
    """The variant in the name of a file of weights, or of their index."""
    found = _VARIANT.fullmatch(name)
    return None if found is None else found["variant"] or found["new"] or found["old"]


def find_model(source: str | Path) -> ModelFiles:
    """The files of a folder, or of a hub id of the form owner/name: from the cache or the hub.

    The UNet and the scheduler lie at the root or, as in a pipeline, in the subfolders ``unet`` and
    ``scheduler``. Raises FileNotFoundError when something is missing, and, in other words, when
    the hub does not deliver it.
    """
    root = Path(source)
    hub = None if root.exists() else HubModel(str(source))

    def find(names: Sequence[str], places: Sequence[str]) -> Path:
        paths = [f"{place}/{name}".lstrip("/") for place in places for name in names]
        if hub is None:
            found = next((root / path for path in paths if (root / path).is_file()), None)
        else:
            found = hub.find(paths)
        if found is None:
            where = f"{source} on the hub" if hub else str(source)
            also = "".join(f", nor does its subfolder {place}" for place in places if place)
            raise FileNotFoundError(f"prior: {where} holds no {names[0]}{also}")
        return found

    scheduler = find([SCHEDULER_FILE], _SCHEDULER_PLACES)
    config = find([CONFIG_FILE], _UNET_PLACES)
    place = config.parent.name if config.parent.name == "unet" and config.parent != root else ""
    weights = find(UNET_FILES if hub else _weights_in(config.parent), [place])
    for shard in _shards(weights):
        find([shard], [place])
    pipeline: Path | None = None
    if hub is None:
        pipeline = root / PIPELINE_FILE if (root / PIPELINE_FILE).is_file() else None
    elif hub.asked:
        pipeline = hub.find([PIPELINE_FILE])
    else:  # all is in the cache, and so would the index be: nothing is asked for it
        pipeline = hub.cached(PIPELINE_FILE)
    return ModelFiles(pipeline, scheduler, config, weights)


def _weights_in(folder: Path) -> list[str]:
    """The usual names of weights, and the other variants that lie in ``folder``."""
    others = sorted(path.name for path in folder.iterdir() if _VARIANT.fullmatch(path.name))
    return [*UNET_FILES, *(name for name in others if name not in UNET_FILES)]


def _shards(weights: Path) -> list[str]:
    if weights.suffix != ".json":
        return []
    return sorted(set(read_schema(weights, WeightIndex, name="prior").weight_map.values()))
