"""The model card: where a prior comes from, how good it is, and what it is not good for."""

from pathlib import Path
from typing import TYPE_CHECKING

from deqir_lite._files import write_atomically
from deqir_lite.machine import describe_device
from deqir_lite.training.validation import LEVELS

if TYPE_CHECKING:
    from deqir_lite.training.trainer import Trainer

_TEMPLATE = """# Photo prior

A diffusion prior for colour photographs, trained with `deqir-lite train`. It predicts v on
pixel-unshuffled images (factor {patch}) with a diffusers `UNet2DModel` of {parameters:.1f} million
parameters, channels {channels}. Load it with `NetworkPrior.load(folder)`.

## Training

| | |
|---|---|
| data | {count} photos ({held_out} more held out), {crop}x{crop} crops at many scales, flips |
| schedule | linear, {timesteps} steps |
| steps | {step} of batch {batch} ({crops:,} crops) |
| time | {minutes:.0f} minutes |
| hardware | {hardware} |
| precision | bfloat16 autocast; weights stored as float16 |
| average | EMA of the weights, decay {ema} |

{note}

## Validation on the held-out photos

Mean squared error of v, averaged over the levels: {loss:.4f}. PSNR (dB) of one-step denoising,
x_{{0|t}} against the photo:

| timestep | {levels} |
|---|{rule}|
| PSNR | {psnr} |

## What it is not good for

It is small and has seen few photos. It knows edges, smooth shading and simple texture; it does not
know faces, text or objects, and it will not invent them convincingly. It was trained on
{crop}x{crop} crops: at larger sizes it has no idea of the whole scene. Do not use it where a
made-up detail could do harm.
"""


def write_card(folder: Path, trainer: "Trainer", data_note: str) -> None:
    """Write README.md from the run's own numbers."""
    recipe, scores = trainer.recipe, trainer.history[-1]
    text = _TEMPLATE.format(
        patch=recipe.patch,
        parameters=sum(p.numel() for p in trainer.unet.parameters()) / 1e6,
        channels=", ".join(map(str, recipe.channels)),
        count=len(trainer.training),
        held_out=len(trainer.held_out),
        crop=recipe.crop,
        timesteps=recipe.num_train_timesteps,
        step=trainer.step,
        batch=recipe.batch,
        crops=trainer.step * recipe.batch,
        minutes=trainer.seconds / 60,
        hardware=describe_device(trainer.device),
        ema=recipe.ema_decay,
        note=data_note or "The photos' licence was not stated.",
        loss=scores["loss"],
        levels=" | ".join(map(str, LEVELS)),
        rule="|".join("---" for _ in LEVELS),
        psnr=" | ".join(f"{scores[f'psnr_t{level}']:.1f}" for level in LEVELS),
    )
    write_atomically(folder / "README.md", text.encode())
