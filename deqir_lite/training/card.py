"""The model card: where a prior comes from, how good it is, and what it is not good for."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from deqir_lite._files import write_atomically
from deqir_lite._json import to_json
from deqir_lite._markdown import markdown_table
from deqir_lite.priors.identity import prior_digest
from deqir_lite.priors.residual import ResidualPrior
from deqir_lite.training.checkpoint import LOG_FILE
from deqir_lite.training.comparison_report import (
    COMPARISON_FILE,
    comparison_summary,
    comparison_table,
)

EVALUATION_FILE, RESULTS_FILE = "evaluation.md", "evaluation.json"
"""What an evaluation leaves in the folder: a section of the card, and what it was measured with."""

_TEMPLATE = """# Photo prior

A diffusion prior for colour photographs, trained with `deqir-lite train`:

    x_0|t = G(x_t, t) + c(t) F(x_t, t)

G is the exact denoiser of a Gaussian photo prior, c(t) its rms error on training crops, and F a
U-Net without normalisation or attention{inner}:
{parameters:.1f} million parameters, channels {channels}, {blocks} residual blocks per level.
Load it with `ResidualPrior.load(folder)`.

## Training

| | |
|---|---|
| data | {data}; {crops} at many scales, flips |
| schedule | linear, {timesteps} steps |
| loss | squared error of x_0\\|t over c(t)^2; {drawn} |
| optimiser | Muon, rate {muon_lr:g}, for the inner convolutions; AdamW, rate {adam_lr:g}, for \
the rest |
| rates | {warmup} steps of warm-up, then constant, falling to zero in the last {decay:.0%} of the \
time |
| steps | {steps} |
| began with | {began_with} |
| time | {minutes:.0f} minutes of training steps, {crops_per_second:.0f} crops a second |
| hardware | {hardware} |
| precision | weights stored as float16 |
| average | EMA of the weights, decay {ema}{decays} |

{note}

Such a prior is trained with

```sh
{command}
```

## Validation on {judges}

The mean squared error of v, averaged over the timesteps {levels}, is {loss:.4f}.
PSNR (dB) of one-step denoising, x_{{0|t}} against the picture:

{psnr}

{sections}## What it is not good for

It is small and has seen {seen}. It knows edges, smooth shading and simple texture; it does
not know faces, text or objects, and it will not invent them convincingly. It was trained on
{crops}: at larger sizes it has no idea of the whole scene.
Do not use it where a made-up detail could do harm.
"""


def write_card(folder: str | Path, data_note: str = "") -> Path:
    """Write README.md from the files of a trained prior: log, comparison, evaluation.

    ``data_note``, which photos under which licence, replaces the one in the log when it is not
    empty. Raises FileNotFoundError or ValueError when there is no log, or none that can be read.
    """
    root = Path(folder)
    log = _read_object(root / LOG_FILE)
    with _naming(root / LOG_FILE, "log of this trainer"):
        if data_note:
            log["photos"]["note"] = data_note
        facts = _facts(log)
    sections = [_evaluation(root), _comparison(root)]
    card = _TEMPLATE.format(**facts, sections="".join(f"{part}\n\n" for part in sections if part))
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


@contextmanager
def _naming(path: Path, expected: str) -> Iterator[None]:
    """Whatever goes wrong inside comes from what ``path`` holds."""
    try:
        yield
    except (AttributeError, KeyError, TypeError, IndexError, ValueError) as error:
        raise ValueError(f"folder: {path} is no {expected} ({error})") from error


def _facts(log: dict[str, Any]) -> dict[str, Any]:
    """What the template asks for."""
    recipe, photos, last = log["recipe"], log["photos"], log["history"][-1]
    scores = {key.removeprefix("psnr_t"): v for key, v in last.items() if key.startswith("psnr_t")}
    patch = recipe["patch"]
    return {
        "inner": f", on pixel-unshuffled images (factor {patch})" if patch > 1 else "",
        "parameters": log["parameters"] / 1e6,
        "channels": ", ".join(map(str, recipe["channels"])),
        "data": _data(photos),
        "crops": _crops(recipe),
        "timesteps": recipe["num_train_timesteps"],
        "blocks": recipe["blocks"],
        **{name: recipe[name] for name in ("muon_lr", "adam_lr", "warmup", "decay")},
        "drawn": _drawn(recipe["low_noise"], recipe["num_train_timesteps"]),
        "steps": _steps(last["step"], log["crops"], recipe),
        "began_with": _beginning(log["began_with"]),
        "minutes": float(last["minutes"]),
        "crops_per_second": float(last["crops_per_second"]),
        "hardware": log["hardware"],
        "ema": last["ema_decay"],
        "decays": _decays(recipe["ema_decays"]),
        "note": photos["note"] or (_UNSTATED if photos["training"] else _NO_PHOTOS),
        "command": _command(photos, last["minutes"], log["began_with"]),
        "judges": "the held-out photos" if photos["held_out"] else "held-out dead-leaves pictures",
        "levels": _listed(list(scores)),
        "loss": float(last["loss"]),
        "psnr": markdown_table(
            ["timestep", *scores], [["PSNR", *(f"{value:.1f}" for value in scores.values())]]
        ),
        "seen": "few photos" if photos["training"] else "no photo, only dead leaves",
    }


def training_so_far(folder: str | Path) -> dict[str, float]:
    """Crops and minutes of training that the log of a prior tells of, with those of the prior that
    it began with; {} without a log. Raises ValueError when it is none of this trainer's."""
    path = Path(folder) / LOG_FILE
    if not path.is_file():
        return {}
    log = _read_object(path)
    with _naming(path, "log of this trainer"):
        before = log["began_with"] or {}
        return {
            "crops": log["crops"] + before.get("crops", 0),
            "minutes": log["history"][-1]["minutes"] + before.get("minutes", 0.0),
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


def _drawn(low_noise: float, timesteps: int) -> str:
    """How :func:`sample_timesteps` draws."""
    if not low_noise:
        return "timesteps drawn uniformly"
    share = "half" if low_noise == 0.5 else f"{low_noise:.0%}"
    return f"{share} of the timesteps drawn as {timesteps} u^3, nearer to low noise"


def _beginning(began_with: dict[str, Any] | None) -> str:
    """Random weights, or those of another prior, with what its own log tells of its training."""
    if began_with is None:
        return "random weights, F = 0"
    trained = began_with.get("crops")
    told = f", which had seen {trained:,} crops" if trained else ""
    return f"the weights of the prior {began_with['digest']}{told}"


def _crops(recipe: dict[str, Any]) -> str:
    small, large = (f"{side}x{side}" for side in (recipe["crop"], recipe["final_crop"]))
    if small == large:
        return f"{small} crops"
    return f"{small} crops ({large} in the last {recipe['decay']:.0%} of the time)"


def _steps(steps: int, crops: int, recipe: dict[str, Any]) -> str:
    """A run that was resumed with another batch has no single one, nor has one of two sizes."""
    batch = recipe["batch"]
    if steps * batch == crops:
        return f"{steps:,} of batch {batch} ({crops:,} crops)"
    if recipe["crop"] != recipe["final_crop"]:
        return f"{steps:,} ({crops:,} crops; batch {batch} of {recipe['crop']}x{recipe['crop']})"
    return f"{steps:,} ({crops:,} crops; batch {batch} at the end)"


def _decays(decays: list[float]) -> str:
    if len(decays) == 1:
        return ""
    return f": the {'better' if len(decays) == 2 else 'best'} of {_listed(decays)} in validation"


def _listed(values: list[Any]) -> str:
    *most, last = map(str, values)
    return f"{', '.join(most)} and {last}" if most else last


def _command(photos: dict[str, Any], minutes: float, began_with: dict[str, Any] | None) -> str:
    parts = ["deqir-lite train"]
    if began_with is not None:
        parts.append("--init PRIOR")
    if photos["training"] or photos["held_out"]:
        parts.append("--photos PHOTOS")
    if photos["dead_leaves"]:
        parts.append(f"--dead-leaves {photos['dead_leaves']:g}")
    return " ".join([*parts, "--out FOLDER", f"--minutes {max(1, round(minutes))}"])


_STALE = """## Restoration

The evaluation in this folder is of earlier weights, or does not say of which, and is left out here.
Delete `evaluation.json` and run `deqir-lite evaluate --prior FOLDER` again, or run it with another
folder as `--out`."""


def _evaluation(root: Path) -> str:
    """The evaluation in the folder, if it is one of the weights in the folder."""
    if not (root / EVALUATION_FILE).is_file():
        return ""
    measured = _measured_prior(root)
    if measured is None or measured != _prior_here(root):
        return _STALE
    return (root / EVALUATION_FILE).read_text(encoding="utf-8").strip()


def _measured_prior(root: Path) -> Any:
    """The digest of the prior that was evaluated; None when that is not known."""
    try:
        return _read_object(root / RESULTS_FILE)["settings"]["prior"]
    except (FileNotFoundError, KeyError, TypeError, ValueError):
        return None


def _prior_here(root: Path) -> str | None:
    try:
        return prior_digest(ResidualPrior.load(root), str(root))
    except (FileNotFoundError, ValueError):  # a log without its prior
        return None


def _comparison(root: Path) -> str:
    """The comparison of recipes, if the folder holds one."""
    path = root / COMPARISON_FILE
    if not path.is_file():
        return ""
    comparison = _read_object(path)
    with _naming(path, "comparison of recipes"):
        return (
            f"## Recipes compared\n\n{comparison['minutes']:g} minutes of training steps each, on "
            f"{comparison['hardware']}. The loss is that of v in validation; PSNR (dB) of one-step "
            f"denoising at timestep t.\n\n{comparison_table(comparison['recipes'])}\n\n"
            f"{comparison_summary(comparison['recipes'])}"
        )
