"""The files of a prior's folder: their names, and where they lie in a folder or on the hub."""

from collections.abc import Sequence
from pathlib import Path

SPECTRUM_FILE = "spectrum.safetensors"
"""A Gaussian photo prior: alone in its folder, or with the network for the rest."""

CONFIG_FILE, WEIGHTS_FILE = "config.json", "residual.safetensors"
"""The shape of a network, and the weights and c(t) of one for the rest."""

SCHEDULER_FILE = "scheduler_config.json"
UNET_FILES = ("diffusion_pytorch_model.safetensors", "diffusion_pytorch_model.bin")
"""What diffusers puts beside the config: the schedule, and the weights in one of two forms."""

LOG_FILE, STATE_FILE = "training_log.json", "training.pt"
"""What a training run tells of itself, and what it needs to go on."""

RESULTS_FILE, PICTURES_FILE = "evaluation.json", "evaluation-pictures.npz"
"""The numbers of an evaluation, and the images that its figure shows."""

COMPARISON_FILE = "comparison.json"
PAGE_FILE, FIGURE_FILE, CARD_FILE = "evaluation.md", "evaluation.png", "README.md"
"""What readers see of an evaluation, and the model card."""


def locate(source: str | Path, places: Sequence[str], *names: str) -> tuple[str, Path]:
    """The first of ``places`` that holds one of the files ``names``, and that file.

    ``source`` is a folder, or a hub id of the form owner/name, from which the file is downloaded.
    Places are subfolders; "" is the root. Raises FileNotFoundError when no place holds such a
    file, and, in other words, when the hub does not answer.
    """
    root = Path(source)
    if not root.exists():
        return _locate_on_the_hub(str(source), places, *names)
    for place in places:
        for name in names:
            if (root / place / name).is_file():
                return place, root / place / name
    raise FileNotFoundError(f"prior: {root} holds no {names[0]}{_also(places)}")


def _locate_on_the_hub(hub_id: str, places: Sequence[str], *names: str) -> tuple[str, Path]:
    import huggingface_hub  # takes a moment, and only hub ids need it
    from huggingface_hub.errors import EntryNotFoundError, LocalEntryNotFoundError

    unanswered: Exception | None = None
    for place in places:
        for name in names:
            try:
                file = huggingface_hub.hf_hub_download(hub_id, name, subfolder=place or None)
                return place, Path(file)
            except LocalEntryNotFoundError as error:  # no network: another file may be in the cache
                unanswered = error
            except EntryNotFoundError:
                continue
            except (OSError, ValueError) as error:
                raise _undelivered(hub_id, error) from error
    if unanswered is not None:
        raise _undelivered(hub_id, unanswered) from unanswered
    raise FileNotFoundError(f"prior: {hub_id} on the hub holds no {names[0]}{_also(places)}")


def _undelivered(hub_id: str, error: Exception) -> FileNotFoundError:
    return FileNotFoundError(
        f"prior: no folder {hub_id!r}, and the hub did not deliver it ({type(error).__name__}); "
        "is there a network, and is the name right?"
    )


def _also(places: Sequence[str]) -> str:
    """Which subfolders were looked at."""
    return "".join(f", nor does its subfolder {place}" for place in places if place)
