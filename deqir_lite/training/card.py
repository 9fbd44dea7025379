"""The model card: where a prior comes from, how good it is, and what it is not good for."""

import json
from pathlib import Path
from typing import Any

from deqir_lite._files import write_atomically
from deqir_lite._json import to_json
from deqir_lite.training.checkpoint import LOG_FILE
from deqir_lite.training.tables import (
    COMPARISON_FILE,
    comparison_summary,
    comparison_table,
    markdown_table,
)

EVALUATION_FILE = "evaluation.md"
"""A section of its own, with its heading, that an evaluation has left in the folder."""

_TEMPLATE = """# Photo prior

A diffusion prior for colour photographs, trained with `deqir-lite train`. It predicts v on
pixel-unshuffled images (factor {patch}) with a diffusers `UNet2DModel` of {parameters:.1f} million
parameters, channels {channels}. Load it with `NetworkPrior.load(folder)`.

## Training

| | |
|---|---|
| data | {data}; {crop}x{crop} crops at many scales, flips |
| schedule | linear, {timesteps} steps |
| loss | mean squared error of {error}; {low_noise:.0%} of the timesteps squared towards low noise |
| steps | {step} of batch {batch} ({crops:,} crops) |
| time | {minutes:.0f} minutes |
| hardware | {hardware} |
| precision | bfloat16 autocast; weights stored as float16 |
| average | EMA of the weights, decay {ema}: the better one in validation, out of {decays} |

{note}

## Validation on {judges}

Mean squared error of v, averaged over the levels: {loss:.4f}. PSNR (dB) of one-step denoising,
x_{{0|t}} against the picture:

{psnr}

{sections}## What it is not good for

It is small and has seen few pictures. It knows edges, smooth shading and simple texture; it does
not know faces, text or objects, and it will not invent them convincingly. It was trained on
{crop}x{crop} crops: at larger sizes it has no idea of the whole scene. Do not use it where a
made-up detail could do harm.
"""


def write_card(folder: str | Path, data_note: str = "") -> Path:
    """Write README.md from the files of a trained prior: log, comparison, evaluation.

    ``data_note``, which photos under which licence, replaces the one in the log when it is not
    empty. Raises FileNotFoundError or ValueError when there is no log, or none that can be read.
    """
    root = Path(folder)
    log = _read_object(root / LOG_FILE)
    try:
        if data_note:
            log["photos"]["note"] = data_note
        card = _TEMPLATE.format(**_facts(log), sections=_sections(root))
    except (KeyError, TypeError, IndexError) as error:
        raise ValueError(
            f"folder: {root / LOG_FILE} is no log of this trainer ({error})"
        ) from error
    if data_note:
        write_atomically(root / LOG_FILE, to_json(log).encode())
    return write_atomically(root / "README.md", card.encode())


def _read_object(path: Path) -> dict[str, Any]:
    if not path.is_file():
        raise FileNotFoundError(f"folder: {path.parent} holds no {path.name}")
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:  # also bytes that are no text
        raise ValueError(f"folder: {path} is not valid JSON ({error})") from error
    if not isinstance(content, dict):
        raise ValueError(f"folder: {path} holds no JSON object")
    return content


def _facts(log: dict[str, Any]) -> dict[str, Any]:
    """What the template asks for."""
    recipe, photos, last = log["recipe"], log["photos"], log["history"][-1]
    scores = {key.removeprefix("psnr_t"): v for key, v in last.items() if key.startswith("psnr_t")}
    return {
        "patch": recipe["patch"],
        "parameters": log["parameters"] / 1e6,
        "channels": ", ".join(map(str, recipe["channels"])),
        "data": _data(photos),
        "crop": recipe["crop"],
        "timesteps": recipe["num_train_timesteps"],
        "error": {"v": "v", "epsilon": "the noise"}[recipe["weighting"]],
        "low_noise": recipe["low_noise"],
        "step": last["step"],
        "batch": recipe["batch"],
        "crops": log["crops"],
        "minutes": last["minutes"],
        "hardware": log["hardware"],
        "ema": last["ema_decay"],
        "decays": ", ".join(map(str, recipe["ema_decays"])),
        "note": photos["note"] or (_UNSTATED if photos["training"] else _NO_PHOTOS),
        "judges": "the held-out photos" if photos["held_out"] else "held-out dead-leaves pictures",
        "loss": last["loss"],
        "psnr": markdown_table(
            ["timestep", *scores], [["PSNR", *(f"{value:.1f}" for value in scores.values())]]
        ),
    }


_UNSTATED = "The photos' licence was not stated."
_NO_PHOTOS = "No photo was trained on; only the colour statistics come from photos."


def _data(photos: dict[str, Any]) -> str:
    leaves = "an endless stream of dead-leaves pictures with the colours of photos"
    held_out = f"({photos['held_out']} more held out)"
    if not photos["training"]:
        return leaves + (f" {held_out.replace('more', 'photos')}" if photos["held_out"] else "")
    share = f", and {leaves} ({photos['dead_leaves']:.0%} of the crops)"
    return f"{photos['training']} photos {held_out}{share if photos['dead_leaves'] else ''}"


def _sections(root: Path) -> str:
    """The evaluation and the comparison of recipes, as far as the folder holds them."""
    sections = []
    if (root / EVALUATION_FILE).is_file():
        sections.append((root / EVALUATION_FILE).read_text(encoding="utf-8").strip())
    if (root / COMPARISON_FILE).is_file():
        comparison = _read_object(root / COMPARISON_FILE)
        sections.append(
            f"## Recipes compared\n\n{comparison['minutes']:g} minutes of training each, on "
            f"{comparison['hardware']}. The loss is that of v in validation; PSNR (dB) of one-step "
            f"denoising at timestep t.\n\n{comparison_table(comparison['recipes'])}\n\n"
            f"{comparison_summary(comparison['recipes'])}"
        )
    return "".join(f"{section}\n\n" for section in sections)
