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

HOLES = "auto, black, white, transparent, opaque"
MASKS = "box, scratch, stripe, text"
KERNELS = "gaussian:SIGMA, box:SIDE, disk:RADIUS, motion:LENGTH:ANGLE"
ENDINGS = ".png, .jpg, .jpeg, .tif, .tiff, .webp"
DTYPES = "float32, bfloat16, float64"
METHODS = "auto, ddnm, ddnm+, ddrm, diffpir, dps, ilvr, mmps, pigdm, repaint, weighted"
SPACINGS = "uniform, quadratic, cubic"
FORMS = "noise, data, gaussian, jacobi, increment"
SOLVERS = "picard, anderson-joint, anderson-per-timestep, anderson-triangular"

# what photos are, and what they become

Hole = Annotated[str, option(PHOTO, f"Lost in --mask: {HOLES}.", metavar="KIND")]
Samples = Annotated[
    int, option(OUTPUT, "Restore N times; write mean, samples, deviation. Default 1.", metavar="N")
]
Report = Annotated[Path | None, option(OUTPUT, "Also write the numbers, as JSON.", metavar="FILE")]

# how

Method = Annotated[str, option(CHAIN, f"{METHODS}.", metavar="NAME")]
Preset = Annotated[
    str | None, option(CHAIN, "picture, or paper: defaults of the next three.", metavar="NAME")
]
Timesteps = Annotated[int | None, option(CHAIN, "Length of the chain. Default 20.", metavar="T")]
Eta = Annotated[
    float | None, option(CHAIN, "Share of fresh noise, 0 to 1. Default 1.", metavar="X")
]
Spacing = Annotated[
    str | None, option(CHAIN, f"{SPACINGS}, or exponent >= 1. Default cubic.", metavar="NAME")
]
Seed = Annotated[int, option(CHAIN, "Seed of the noise. Default 0.", metavar="N")]
Sampler = Annotated[
    str,
    option(
        CHAIN,
        "parallel (all timesteps at once), sequential; auto: what suits.",
        metavar="NAME",
    ),
]
Form = Annotated[str, option(CHAIN, f"{FORMS}. Default {defaults.FORM}.", metavar="NAME")]
Solver = Annotated[str, option(CHAIN, f"{SOLVERS} (default).", metavar="NAME")]
Sweeps = Annotated[int | None, option(CHAIN, "At most so many sweeps. Default T.", metavar="N")]
Tolerance = Annotated[
    float, option(CHAIN, f"Residual to stop at. Default {defaults.TOLERANCE:g}.", metavar="X")
]

# with what

Prior = Annotated[
    str,
    option(MACHINE, f"Name ({defaults.PRIOR}), folder, hub id, file.py:function.", metavar="NAME"),
]
Label = Annotated[
    int | None, option(MACHINE, "The class, for a network that has classes.", metavar="N")
]
Device = Annotated[str, option(MACHINE, "auto, cpu, cuda or mps.", metavar="NAME")]
Dtype = Annotated[str, option(MACHINE, f"In the network: {DTYPES}.", metavar="NAME")]
MaxBatch = Annotated[
    int | None, option(MACHINE, "Images through the network at once. Default all.", metavar="N")
]
MaxPixels = Annotated[
    int | None, option(MACHINE, "Most pixels of a picture. Default 179 million.", metavar="N")
]
