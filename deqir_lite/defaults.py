"""What is taken where nothing is said: the same in the library and in the command.

Torch is not imported here, so that the command can show these without waiting for it. The chain's
own settings are in :mod:`deqir_lite.chain.presets`.
"""

from collections.abc import Iterable

PRIOR = "photo64"
"""The prior that comes with the package."""

DEVICE = "auto"
"""As :func:`deqir_lite.device.choose_device` takes it."""

DTYPE = "float32"
"""Inside the network."""

METHOD = "auto"
"""What :func:`deqir_lite.restoration.choice.choose` finds best."""

SAMPLER = "auto"
"""All timesteps at once where that is faster and fits into memory, else step by step."""

KEPT = 0.6
"""Share of the noise that the Gaussian form of a sweep keeps where the operator sees."""

FORM = f"gaussian:kept={KEPT}"
"""The linear model of a sweep."""

SOLVER = "anderson-triangular"
"""A name of ``deqir_lite.solvers.SOLVERS``."""

TOLERANCE = 1e-3
"""The largest relative residual of any state at which a solve stops."""

X0_TOLERANCE = 0.02
"""The estimated RMS error of x_0, in units of [-1, 1], at which a restoration in Gaussian form
stops: 40 dB to what the steps one by one give."""

SEED, SAMPLES = 0, 1
"""Of the chain's noise; and how many restorations of a photo, with this seed and the next ones."""

MASK_SEED = 0
"""Of masks and subsets that a task draws, and of the noise that a measurement gets."""

HOLE = "auto"
"""What marks a hole in a mask from a file."""

VERIFIED_METHOD, VERIFIED_NOISE, VERIFIED_STEPS, VERIFIED_SIZE = "ddnm", 0.0, 20, 16
"""What :func:`deqir_lite.verification.verify` compares: method, noise in y, steps, side."""

CROPS = 20000
"""What the Gaussian photo prior is fitted to."""

STUDIED_PHOTOS, RECIPE_MINUTES = 6, 5.0
"""Of the studies of steps and of recipes."""

EVALUATED_SIZES, EVALUATED_STEPS, EVALUATED_SEEDS = (64, 128, 256), (20, 50), 8
"""Sides of photos, lengths of chains and samples of an evaluation."""

EVALUATED_ETA, EVALUATED_SPACING = "1", "cubic"
"""As the command is told: those of :data:`deqir_lite.chain.presets.PICTURE`."""


COMPARED_METHODS = ("pinv", "baseline", "ddnm", "ddnm+", "ddrm", "diffpir", "weighted")
"""What a comparison takes minutes for; the others ask the network some thousand times a photo."""

COMPARED_TASKS = (
    *("sr2", "sr4", "deblur-gaussian", "deblur-anisotropic"),
    *("inpaint-text", "inpaint-stripe", "colorization"),
)
"""Those of the paper's tables."""

COMPARED_SIZES, COMPARED_SEEDS, COMPARED_REFERENCE = (128,), 1, "ddnm"
"""Sides of photos, restorations of each, and the method that all are compared with."""

BENCH_STEPS, BENCH_SIZES, BENCH_BATCHES, BENCH_REPEATS = (20, 50, 100), (64,), (1,), 5
BENCH_ETAS, BENCH_SPACINGS = (0.15, 1.0), ("uniform", "cubic")
"""Chains of the benchmark, and how many times each sampler is timed."""


def commas(values: Iterable[object]) -> str:
    """Values as an option with several of them has them."""
    return ",".join(map(str, values))
