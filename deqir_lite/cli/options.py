"""The options that commands share, by what they are about.

Names that can be chosen stand here as text: to ask the library for them would take seconds, and
the tests compare them.
"""

from pathlib import Path
from typing import Annotated

from deqir_lite import defaults
from deqir_lite.cli.help import option

PHOTO, OUTPUT = "Photo and damage", "Output"
CHAIN, MACHINE = "Method and solver (defaults suit the damage)", "Model and machine"

PHOTOS = "astronaut, brick, camera, cat, cell, coffee, galaxies, grass, gravel, retina"
TASKS = (
    "sr2, sr4, sr8, pool2, pool4, deblur-gaussian, deblur-anisotropic, deblur-uniform, "
    "deblur-motion, inpaint-text, inpaint-stripe, inpaint-box, inpaint-random, colorization, "
    "sensing, old-photo, old-photo-sr2"
)
HOLES = "auto, black, white, transparent, opaque"
MASKS = "box, scratch, stripe, text"
KERNELS = "gaussian:SIGMA, box:SIDE, disk:RADIUS, motion:LENGTH:ANGLE"
ENDINGS = ".png, .jpg, .jpeg, .tif, .tiff, .webp"
DTYPES = "float32, bfloat16, float64"
DEVICES = "auto, cpu, cuda, mps"
PRIORS = "photo64, gaussian"
PRESETS = "picture, paper"
SAMPLERS = "auto, parallel, sequential, interpolated"
METHODS = "auto, ddnm, ddnm+, ddrm, diffpir, dps, ilvr, mmps, pigdm, repaint, weighted"
SPACINGS = "uniform, quadratic, cubic"
FORMS = "noise, data, gaussian, jacobi, increment"
_KEPT = f"{defaults.KEPT:g}".removeprefix("0")
LAYOUTS, BETA_SCHEDULES = "adm, ddpm", "linear, cosine"
PUBLISHED = "imagenet256, imagenet256-classes, celebahq256, celebahq256-repaint, ffhq256"
SOLVERS = "picard, anderson-joint, anderson-per-timestep, anderson-triangular"


def names(text: str) -> list[str]:
    """Those of one of the texts above."""
    return text.split(", ")


def kernel_names() -> list[str]:
    """What kernels by name begin with."""
    return [form.split(":")[0] for form in names(KERNELS)]


# what photos are, and what they become

Hole = Annotated[
    str, option(PHOTO, f"Lost in --mask: {HOLES}.", metavar="KIND", names=names(HOLES))
]
Samples = Annotated[
    int, option(OUTPUT, "Restore N times; write mean, samples, deviation. Default 1.", metavar="N")
]
Report = Annotated[Path | None, option(OUTPUT, "Also write the numbers, as JSON.", metavar="FILE")]

# how

Method = Annotated[str, option(CHAIN, f"{METHODS}.", metavar="NAME", names=names(METHODS))]
Preset = Annotated[
    str | None,
    option(
        CHAIN,
        "picture, or paper: defaults of the next three.",
        metavar="NAME",
        names=names(PRESETS),
    ),
]
Timesteps = Annotated[int | None, option(CHAIN, "Length of the chain. Default 20.", metavar="T")]
Eta = Annotated[
    float | None, option(CHAIN, "Share of fresh noise, 0 to 1. Default 1.", metavar="X")
]
Spacing = Annotated[
    str | None,
    option(
        CHAIN,
        f"{SPACINGS}, or exponent >= 1. Default cubic.",
        metavar="NAME",
        names=names(SPACINGS),
    ),
]
Seed = Annotated[int, option(CHAIN, "Seed of the noise. Default 0.", metavar="N")]
Sampler = Annotated[
    str,
    option(
        CHAIN,
        "parallel, sequential, interpolated (a few steps); or auto.",
        metavar="NAME",
        names=names(SAMPLERS),
    ),
]
Form = Annotated[
    str,
    option(
        CHAIN,
        FORMS.replace("gaussian", f"gaussian[:kept={_KEPT}] (default)") + ".",
        metavar="NAME",
        names=names(FORMS),
    ),
]
Solver = Annotated[
    str, option(CHAIN, f"{SOLVERS} (default).", metavar="NAME", names=names(SOLVERS))
]
Sweeps = Annotated[int | None, option(CHAIN, "At most so many sweeps. Default T.", metavar="N")]
Tolerance = Annotated[
    float | None,
    option(CHAIN, "Residual to stop at, not the picture's estimated error.", metavar="X"),
]

# with what

Prior = Annotated[
    str,
    option(
        MACHINE,
        f"Name ({defaults.PRIOR}), folder, hub id, file.py:function.",
        metavar="NAME",
        names=names(PRIORS),
    ),
]
Label = Annotated[
    int | None, option(MACHINE, "The class, for a network that has classes.", metavar="N")
]
Device = Annotated[
    str, option(MACHINE, "auto, cpu, cuda, cuda:N or mps.", metavar="NAME", names=names(DEVICES))
]
Dtype = Annotated[
    str, option(MACHINE, f"In the network: {DTYPES}.", metavar="NAME", names=names(DTYPES))
]
MaxBatch = Annotated[
    int | None, option(MACHINE, "Images through the network at once. Default all.", metavar="N")
]
MaxPixels = Annotated[
    int | None, option(MACHINE, "Most pixels of a picture. Default 179 million.", metavar="N")
]
